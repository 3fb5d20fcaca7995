"""Copies a model from the Hugging Face Hub to the bucket that a stack reads it from, by a Job on a CPU node.

Public door: `command.write_stage`.
"""
