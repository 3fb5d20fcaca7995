"""Writes a first stack file from five answers."""
