"""Compares the namespace's objects with the plan, where nothing else says why requests fail, or whether they should."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llm_d_gke.kube import KubeError
from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.messages import cause_of_state
from llm_d_gke.operations.live_stack.stack import LiveStack
from llm_d_gke.operations.verify.checks.objects import differences_of, shortened


def compared(live: LiveStack, planned: Iterable[dict[str, Any]]) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """One cause for all objects that are missing or changed, the missing ones first, and what could not be read.

    The role `view` lists neither Secrets nor most custom resources: one line names their kinds.
    """
    results = differences_of(live, (item for item in planned if item["metadata"].get("namespace") == live.namespace))
    sentences = [sentence for _, result in results if not isinstance(result, KubeError) for sentence in result]
    sentences.sort(key=lambda sentence: not sentence.endswith(" does not exist"))
    errors = {str(item["kind"]): result for item, result in results if isinstance(result, KubeError)}
    kinds = ", ".join(sorted(errors))
    unreadable = tuple([f"{kinds}, to compare them with the plan: {error}" for error in errors.values()][:1])
    if not sentences:
        return (), unreadable
    return (cause_of_state("objects-differ", sentences[0].split()[0], shortened(sentences)),), unreadable
