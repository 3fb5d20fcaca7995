"""Compares what serving one model under one load takes on every accelerator and machine of the catalog.

`load` reads the load, `options` has every machine with what it serves, and `command` prints the table or writes a stack
file.
"""
