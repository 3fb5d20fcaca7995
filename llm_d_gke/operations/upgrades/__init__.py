"""Upgrades of a stack: print the plan, run it step by step, go back.

`command` is the entry, `show` prints the plan. `run` runs the steps by either updater: `gke` or `rehearsed`. `running`
finds the steps that have run already.
"""
