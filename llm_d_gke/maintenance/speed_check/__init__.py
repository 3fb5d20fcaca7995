"""Holds the estimates of speed against published measurements: `python -m llm_d_gke.maintenance.speed_check`.

`rows` reads the measurements, `prediction` has the estimate for one of them, `comparison` the errors of all methods,
`fit` the constants of the roofline, and `measured_steps` estimates from operators that NVIDIA measured.
"""
