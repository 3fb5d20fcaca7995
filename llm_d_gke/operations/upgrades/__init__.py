"""Upgrades of a stack: print the plan, run it step by step, go back."""
