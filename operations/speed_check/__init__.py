"""Holds the estimates of speed against published measurements: `python -m operations.speed_check`."""
