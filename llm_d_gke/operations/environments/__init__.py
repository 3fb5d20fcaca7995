"""Environments of one service: what two stacks differ in.

All of it is in `command`.
"""
