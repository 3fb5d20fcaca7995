"""Errors of `adopt-manifests` that a user can correct."""


class AdoptError(ValueError):
    """A file cannot be read, or holds no model server."""
