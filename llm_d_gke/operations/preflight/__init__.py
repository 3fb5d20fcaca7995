"""Checks before the first `up` whether a Google Cloud project has what a stack needs.

`needs` and `clusters` derive from a plan what is needed, `google` asks the project, `check` compares, and `command`
prints.
"""
