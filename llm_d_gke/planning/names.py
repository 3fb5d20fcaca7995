"""Physical names: pure functions with the length and character rules of Google Cloud and Kubernetes."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter

from llm_d_gke.settings import StackSettings

LABEL_LENGTH = 63  # RFC 1123 label: Kubernetes Services and label values, Compute Engine names
CLUSTER_LENGTH = 40  # GKE clusters and node pools
ACCOUNT_LENGTH = 30  # service account ids; at least 6
MODEL_LENGTH = 40  # leaves room for `-epp`, `-vllm` and what Kubernetes appends to the names of pods


@functools.lru_cache(maxsize=4096)
def slug(text: str, length: int = LABEL_LENGTH) -> str:
    """Lower-case letters, digits and dashes, beginning with a letter, at most `length` long.

    Two texts that differ in more than case and punctuation keep different slugs: where something had to be cut, put in
    front, or folded because it is no ASCII letter, a short hash of the whole text ends the name.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not plain or not plain[0].isalpha():
        return marked(f"m-{plain}", text, length)
    return plain if len(plain) <= length and text.isascii() else marked(plain, text, length)


def marked(plain: str, text: str, length: int) -> str:
    """A slug, shortened where needed, with a short hash of the full text at its end."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{plain[: length - 7].rstrip('-')}-{digest}"


def join(*parts: str, length: int = LABEL_LENGTH) -> str:
    """Parts with dashes between them, as one slug."""
    return slug("-".join(part for part in parts if part), length)


def model_slug(model_id: str) -> str:
    """Short name of a model from its repository: `google/gemma-2b-it` becomes `gemma-2b-it`."""
    return slug(model_id.rsplit("/", 1)[-1], MODEL_LENGTH)


def service_account_id(stack: str) -> str:
    """Account id of the node service account: 6 to 30 characters."""
    return join("llm-d", stack, "nodes", length=ACCOUNT_LENGTH)


def model_keys(settings: StackSettings) -> list[str]:
    """One short name per model, stable when models are reordered. Models of one repository take their served name."""
    short = [model_slug(model.id) for model in settings.models]
    counts = Counter(short)
    keys = [
        key if counts[key] == 1 else slug(model.name, MODEL_LENGTH)
        for key, model in zip(short, settings.models, strict=True)
    ]
    counts = Counter(keys)
    return [
        key if counts[key] == 1 else marked(key, f"{model.id} {model.name}", MODEL_LENGTH)
        for key, model in zip(keys, settings.models, strict=True)
    ]
