"""Compares the memory model's prediction for one row with the row's log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import versions
from llm_d_gke.operations.logs_check.row import Row, Start, UnknownStartError, logged, start_of
from llm_d_gke.planning.engine_support.refusals import refusals_of
from llm_d_gke.planning.parallelism.sharding import shares
from llm_d_gke.planning.sizing.memory import judge
from llm_d_gke.planning.sizing.memory.weights import weights_gib

Call = Literal["fits", "marginal", "refused", "not known"]

# Figures of a log, by the name they have in a row.
FIGURES = ("weightsGib", "activationGib", "availableGib", "kvTokens", "kvBlocks", "concurrency")
_ROUNDED_GIB = 0.005  # vLLM prints two digits


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """The prediction for one row. `right` is None where the row does not say whether it ran, or the call is open.

    `errors` are relative: 0.02 is two percent more than logged. `reason`: why the engine does not run this model there,
    whatever the memory.
    """

    id: str
    group: str
    call: Call
    limit: str | None = None
    reason: str | None = None
    ran: bool | None = None
    right: bool | None = None
    wrong: Literal["wrong fits", "wrong refused"] | None = None
    prediction: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    tokens_given_memory: float | None = None
    not_known: str | None = None

    def as_json(self) -> dict[str, Any]:
        names = {"tokens_given_memory": "tokensErrorGivenMemory", "not_known": "notKnown"}
        return {names.get(name, name): value for name, value in asdict(self).items()}


def judge_rows(rows: Sequence[object], folder: Path) -> list[Judgment]:
    """A judgment for each row, in order. One that cannot be read never hides the others."""
    return [_judge(row, index, folder) for index, row in enumerate(rows)]


def _judge(row: object, index: int, folder: Path) -> Judgment:
    if not isinstance(row, Mapping):
        return Judgment(id=f"row {index + 1}", group="?", call="not known", not_known="the row is no object of fields")
    name = str(row.get("id") or f"row {index + 1}")
    ran = _parse_ran(row.get("ran"))
    try:
        return _judged(row, name, ran, start_of(row, folder))
    except UnknownStartError as error:
        reason = str(error)
    except Exception as error:
        reason = f"it cannot be computed: {error}"
    return Judgment(id=name, group=group_of(row), call="not known", ran=ran, not_known=reason)


def _parse_ran(value: object) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).strip().lower())


def _refusal(start: Start) -> str | None:
    """Why the engine cannot run the model on this accelerator or with this parallelism. None if it can."""
    deployment = start.deployment
    engine = load_engine()
    # Before the oldest table nothing was asked.
    if engine.has(deployment.version, versions()[0]):
        # A build between releases may have a model that the release before it lacks.
        build = ".dev" in deployment.version
        refusals = [refusal for refusal in refusals_of(deployment) if not (build and refusal.kind == "architecture")]
        certain = [refusal for refusal in refusals if refusal.certain]
        if certain:
            return certain[0].reason
    parts = deployment.tensor_parallel
    if start.run.kind == "gpu" and not shares(deployment.model, parts, deployment.expert_parallel):
        return f"{deployment.model.id} cannot be cut into {parts} equal parts"
    return None


def _not_free(row: Row, requested_gib: float) -> str | None:
    """Why the share cannot be had. None if it can: vLLM ends where less is free (request_memory of worker/utils.py)."""
    free = logged(row, "freeGib")
    if free is None or requested_gib <= free + _ROUNDED_GIB:
        return None
    return f"the share is {requested_gib:.2f} GiB, and {free:.2f} GiB are free at the start"


def _judged(row: Row, name: str, ran: bool | None, start: Start) -> Judgment:
    run = start.run
    verdict = judge(run)
    reason = _refusal(start) or _not_free(row, verdict.requested_gib)
    call: Call = verdict.status if reason is None else "refused"
    prediction = {
        "weightsGib": max(weights_gib(run, stage) for stage in range(run.pipeline_parallel)),
        "activationGib": verdict.parts.activation,
        "cudaGraphsGib": verdict.parts.cuda_graphs,
        "nonTorchGib": verdict.parts.non_torch,
        "requestedGib": verdict.requested_gib,
        "availableGib": verdict.available_gib,
        "neededGib": verdict.needed_gib,
        "errorGib": verdict.error_gib,
        "freeAfterGib": verdict.free_gib,
        "kvTokens": verdict.kv_tokens,
        "kvBlocks": verdict.kv_blocks,
        "blockSize": verdict.block_size,
        "concurrency": verdict.max_concurrency,
    }
    seen = {figure: logged(row, figure) for figure in FIGURES}
    errors = {figure: prediction[figure] / value - 1 for figure, value in seen.items() if value}
    available_gib = seen["availableGib"]
    tokens = seen["kvTokens"]
    layout_error = judge(run, measured_gib=available_gib).kv_tokens / tokens - 1 if available_gib and tokens else None
    wrong: Literal["wrong fits", "wrong refused"] | None = None
    if ran is False and call == "fits":
        wrong = "wrong fits"
    if ran is True and call == "refused":
        wrong = "wrong refused"
    decided = ran is not None and call != "marginal"
    return Judgment(
        id=name,
        group=group_of(row),
        call=call,
        limit=verdict.limit if reason is None else "engine",
        reason=reason,
        ran=ran,
        right=wrong is None if decided else None,
        wrong=wrong,
        prediction={name: round(value, 4) for name, value in prediction.items()},
        errors={name: round(value, 5) for name, value in errors.items()},
        tokens_given_memory=round(layout_error, 5) if layout_error is not None else None,
    )


def group_of(row: Row) -> str:
    """`group` where the row has one, else the letters that its id begins with, else the kind of accelerator."""
    group = row.get("group")
    if isinstance(group, str) and group:
        return group
    name = str(row.get("id") or "")
    letters = name[: len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
    if letters:
        return letters
    return "TPU" if str(row.get("accelerator") or "").startswith("tpu") else "GPU"
