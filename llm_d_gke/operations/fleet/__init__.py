"""Previews many stacks by one command.

All of it is in `command`.
"""
