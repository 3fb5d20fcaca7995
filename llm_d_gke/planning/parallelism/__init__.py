"""Parallelism of a replica over accelerators and hosts."""
