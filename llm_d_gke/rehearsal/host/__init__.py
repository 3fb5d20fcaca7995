"""This machine: processes, ports and files.

`processes` outlive a command and `servers` do not; `ports` and `files` have what both need.
"""
