"""Previews many stacks by one command."""
