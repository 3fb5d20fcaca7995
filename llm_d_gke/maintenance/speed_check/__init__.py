"""Holds the estimates of speed against published measurements: `python -m llm_d_gke.maintenance.speed_check`."""
