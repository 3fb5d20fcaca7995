"""Looks in a Google Cloud project for what a destroyed stack left behind."""
