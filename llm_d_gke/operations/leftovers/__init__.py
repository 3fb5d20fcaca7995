"""Searches a Google Cloud project for resources that a destroyed stack left behind."""
