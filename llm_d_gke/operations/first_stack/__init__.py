"""Writes a first stack file from five answers.

All of it is in `command`.
"""
