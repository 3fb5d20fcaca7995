"""Searches a Google Cloud project for resources that a destroyed stack left behind.

`command` is the entry. `kinds` says what is looked for, `google` lists and deletes it, `match` decides which resources
are the stack's, and `bindings` which roles.
"""
