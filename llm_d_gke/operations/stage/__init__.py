"""Copies a model from the Hugging Face Hub to the bucket that a stack reads it from, by a Job on a CPU node.

`command` writes the Job; `copy_weights` is the program that runs in it.
"""
