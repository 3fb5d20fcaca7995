"""Measures a running stack with inference-perf, and compares the result with the plan's estimate."""
