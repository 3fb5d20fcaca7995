"""Holds the estimates of speed against published measurements: `python -m llm_d_gke.operations.speed_check`."""
