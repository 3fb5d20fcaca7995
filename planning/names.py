"""Physical names: pure functions with the length and character rules of Google Cloud and Kubernetes."""

from __future__ import annotations

import hashlib
import re

LABEL_LENGTH = 63  # RFC 1123 label: Kubernetes Services and label values, Compute Engine names
CLUSTER_LENGTH = 40  # GKE clusters and node pools
ACCOUNT_LENGTH = 30  # service account ids; at least 6


def slug(text: str, length: int = LABEL_LENGTH) -> str:
    """Lower-case letters, digits and dashes, beginning with a letter, at most `length` long.

    Two texts that differ keep different slugs: where something had to be cut or folded beyond case and punctuation, a
    short hash of the whole text ends the name.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"m-{plain}".rstrip("-")
    if len(plain) <= length:
        return plain
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{plain[: length - 7].rstrip('-')}-{digest}"


def join(*parts: str, length: int = LABEL_LENGTH) -> str:
    """Parts with dashes between them, as one slug."""
    return slug("-".join(part for part in parts if part), length)


def model_slug(model_id: str) -> str:
    """Short name of a model from its repository: `google/gemma-2b-it` becomes `gemma-2b-it`.

    40 characters leave room for `-epp`, `-vllm` and what Kubernetes appends to pods (63 in all).
    """
    return slug(model_id.rsplit("/", 1)[-1], 40)


def service_account_id(stack: str) -> str:
    """Account id of the node service account: 6 to 30 characters."""
    return join("llm-d", stack, "nodes", length=ACCOUNT_LENGTH)
