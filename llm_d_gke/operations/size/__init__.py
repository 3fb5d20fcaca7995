"""Compares what serving one model under one load takes on every accelerator and machine of the catalog."""
