"""Checks the words of documents, docstrings, comments and messages against a list of words to avoid.

`vocabulary.yaml` has the words with their replacements, `lint` finds them.
"""
