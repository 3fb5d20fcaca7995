"""Checks whether a running stack fulfills its plan: one check for each success criterion.

`run` lists the criteria and runs them, `checks` has one function for each, `context` what they share, `result` what
they return. `command` is the entry.
"""
