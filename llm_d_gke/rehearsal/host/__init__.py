"""This machine: processes, ports, files, and waiting.

`processes` outlive a command and `servers` do not; `ports`, `files` and `waiting` have what both need.
"""
