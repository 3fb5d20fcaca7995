"""Checks before the first `up` whether a Google Cloud project has what a stack needs."""
