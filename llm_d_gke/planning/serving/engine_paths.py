"""Paths that an engine answers, and directories of its container."""

from __future__ import annotations

HEALTH_PATH = "/health"
MODELS_PATH = "/v1/models"

# The folder for all files that the engine writes: the root file system is read-only.
CACHE = "/var/cache/llm-d"
WEIGHTS = "/var/lib/llm-d/weights"
TOKEN_DIRECTORY = "/var/run/secrets/hugging-face"  # noqa: S105 - a directory, not a token
TOKEN_KEY = "HF_TOKEN"  # noqa: S105 - a file name; the Secret holds the same token under `token`, which charts read
