"""This machine: processes, ports, files, and waiting."""
