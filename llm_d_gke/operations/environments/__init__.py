"""Environments of one service: what two stacks differ in."""
