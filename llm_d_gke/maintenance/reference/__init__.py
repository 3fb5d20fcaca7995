"""Writes the pages and schemas that follow from data: one module for each page.

`catalog_schemas`, `causes`, `findings`, `releases`, `settings`, `support` and `upgrades` are named after what they
write.
"""
