"""Random stack files: each has to end in a plan or in findings, never in another exception.

`stacks` derives settings from their JSON Schema, `features` and `varied` combine those that work together, and `run`
plans them and reports what ends otherwise.
"""
