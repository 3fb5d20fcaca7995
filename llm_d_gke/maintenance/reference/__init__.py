"""Writes the pages and schemas that follow from data: one module for each page."""
