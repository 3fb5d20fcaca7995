"""Lists what the catalog has: models, accelerators, zones, machines, releases.

`command` prints the tables, `kind` names those that there are.
"""
