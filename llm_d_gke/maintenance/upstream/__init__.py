"""Compares a catalog release with upstream's sources: flags, plugins, labels and environment variables."""
