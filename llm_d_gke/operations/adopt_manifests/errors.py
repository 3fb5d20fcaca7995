"""Errors of `adopt-manifests` that a user can correct."""

from llm_d_gke.cli.exits import RefusedInputError


class AdoptError(RefusedInputError):
    """A file cannot be read, or holds no model server."""
