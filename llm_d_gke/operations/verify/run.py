"""Every success criterion with the stacks that it applies to, and the run of the checks against a running stack."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import psutil

from llm_d_gke.kube import KubeError
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
from llm_d_gke.operations.verify.checks import gateway, images, objects, patterns, replicas, requests
from llm_d_gke.operations.verify.context import REQUEST_SECONDS, CheckContext, LimitedError
from llm_d_gke.operations.verify.result import Checked, Result, Verification, failed, skipped
from llm_d_gke.stackfile import StackConfig


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One check. `id` is stable: reports of different days are compared by it."""

    id: str
    run: Callable[[CheckContext], Result]
    applies: Callable[[LiveStack], bool] = lambda _live: True

    @property
    def summary(self) -> str:
        """The criterion in words: the first line of the check's docstring."""
        return (self.run.__doc__ or self.id).partition("\n")[0]


def _serves(live: LiveStack) -> bool:
    return not live.plan.paused


def _answers(live: LiveStack) -> bool:
    """Requests reach the stack through a Gateway of its own."""
    return _serves(live) and live.plan.gateway.exists


def _has_gateway(live: LiveStack) -> bool:
    return live.plan.gateway.exists


def _asks_for_credentials(live: LiveStack) -> bool:
    auth = (live.config.settings().get("gateway") or {}).get("auth") or {}
    return live.plan.gateway.exists and auth.get("kind", "none") != "none"


def _several_models(live: LiveStack) -> bool:
    return _serves(live) and live.plan.models_endpoint is not None


def _several_replicas(live: LiveStack) -> bool:
    """Several of one model, and no other cluster that requests could go to."""
    return (
        _serves(live)
        and live.plan.gateway.fleet is None
        and any(
            sum(server.replicas for server in model.servers if server.role != "prefill") > 1
            for model in live.plan.models
        )
    )


def _disaggregated(live: LiveStack) -> bool:
    return _serves(live) and live.plan.pattern == "disaggregated"


def _kserve(live: LiveStack) -> bool:
    return any(model.inference_service is not None for model in live.plan.models)


def _scores_prefixes(live: LiveStack) -> bool:
    return _several_replicas(live) and live.plan.pattern == "prefix-cache"


def _on_gke_gateway(live: LiveStack) -> bool:
    return live.plan.gateway.implementation == "gke" and not _kserve(live) and live.plan.gateway.exists


def _routes_to_pools(live: LiveStack) -> bool:
    """Outside of a fleet, whose routes lead to imports."""
    return live.plan.gateway.implementation == "gke" and live.plan.gateway.fleet is None


# In the order in which they are run: what others need comes first.
CRITERIA = (
    Criterion(id="settings", run=objects.settings_as_applied, applies=lambda live: live.target == "rehearsal"),
    Criterion(id="gateway", run=gateway.gateway_programmed, applies=_has_gateway),
    Criterion(id="routes", run=gateway.routes_accepted, applies=_has_gateway),
    Criterion(id="pools", run=gateway.pools_accepted, applies=_routes_to_pools),
    Criterion(id="policies", run=gateway.policies_attached, applies=_on_gke_gateway),
    Criterion(id="certificate", run=gateway.certificate, applies=lambda live: live.plan.gateway.protocol == "HTTPS"),
    Criterion(id="kserve", run=objects.inference_services, applies=_kserve),
    Criterion(id="replicas", run=objects.replicas_ready),
    Criterion(id="images", run=images.images_as_locked, applies=images.has_lock),
    Criterion(id="address", run=requests.address_answers, applies=_answers),
    Criterion(id="credentials", run=requests.credentials_required, applies=_asks_for_credentials),
    Criterion(id="models", run=requests.models_listed, applies=_answers),
    Criterion(id="chat", run=requests.chat_answers, applies=_answers),
    Criterion(id="completion", run=requests.completion_answers, applies=_answers),
    Criterion(id="stream", run=requests.stream_answers, applies=_answers),
    Criterion(id="long-prompt", run=requests.long_prompt, applies=_answers),
    Criterion(id="too-long-prompt", run=requests.too_long_prompt, applies=_answers),
    Criterion(id="unknown-model", run=requests.unknown_model, applies=_answers),
    Criterion(id="health", run=requests.health, applies=_several_models),
    Criterion(
        id="other-names",
        run=requests.other_names,
        applies=lambda live: _serves(live) and any(model.other_names for model in live.plan.models),
    ),
    Criterion(id="model-routing", run=patterns.model_routing, applies=_several_models),
    Criterion(id="prefix-affinity", run=patterns.prefix_affinity, applies=_scores_prefixes),
    Criterion(id="spread", run=patterns.distinct_prompts_spread, applies=_several_replicas),
    Criterion(id="prefill", run=patterns.prefill_elsewhere, applies=_disaggregated),
    Criterion(id="same-answer", run=replicas.same_answer_everywhere, applies=_serves),
    Criterion(id="engine-metrics", run=replicas.engine_metrics, applies=_serves),
    Criterion(id="picker-metrics", run=replicas.picker_metrics, applies=lambda live: live.plan.monitoring.enabled),
    Criterion(id="scrapes", run=replicas.scrapes_select, applies=lambda live: live.plan.monitoring.enabled),
    Criterion(
        id="network-policies",
        run=gateway.network_policies_select,
        applies=lambda live: bool(live.plan.network_policies) and _serves(live),
    ),
    Criterion(id="objects", run=objects.objects_as_planned),
)


def criteria_for(live: LiveStack) -> Iterator[Criterion]:
    return (criterion for criterion in CRITERIA if criterion.applies(live))


def verify(
    live: LiveStack,
    *,
    patience: float,
    requests: int,
    headers: Mapping[str, str],
    report: Callable[[Checked], None],
    only: Set[str] | None = None,
) -> Verification:
    """Run every check that applies. `headers` go with each request to the endpoint; `report` gets results at once.

    `only`: ids of the checks to run, where not all of them can hold.
    """
    began = time.monotonic()
    chosen = [criterion for criterion in criteria_for(live) if only is None or criterion.id in only]
    # The planned objects are recorded on another core.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(start_method())) as other:
        compares = any(criterion.run is objects.objects_as_planned for criterion in chosen)
        planned = other.submit(planned_objects, live.name, live.config) if compares else None
        ctx = CheckContext(
            live=live, gateway=_gateway(live, headers), planned=planned, patience=patience, requests=requests
        )
        try:
            checks = []
            for criterion in chosen:
                checks.append(check(criterion, ctx))
                report(checks[-1])
        finally:
            ctx.close()
    return Verification(
        stack=live.name, looked_at=live.looked_at, checks=tuple(checks), seconds=time.monotonic() - began
    )


def start_method() -> Literal["fork", "spawn"]:
    """How a process is started that runs the program: a fork, which needs no second start of Python and its modules.

    Not where this process has threads, as those of gRPC after an update: a copy without them may wait forever.
    """
    return "fork" if psutil.Process().num_threads() == 1 else "spawn"


def planned_objects(stack: str, config: StackConfig) -> list[dict[str, Any]]:
    """The Kubernetes objects that the program would register."""
    # Imported here, in the process that records: Pulumi's SDKs take seconds to load.
    from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
    from llm_d_gke.resource_graph.stack_program import record_stack

    return kubernetes_objects(record_stack(stack, config))


def check(criterion: Criterion, ctx: CheckContext) -> Checked:
    began = time.monotonic()
    try:
        result = criterion.run(ctx)
    except LimitedError as error:
        result = skipped(str(error))
    except (httpx.HTTPError, KubeError, LiveStackError) as error:
        result = failed(str(error) or type(error).__name__, ctx.live.diagnose)
    return Checked(id=criterion.id, summary=criterion.summary, result=result, seconds=time.monotonic() - began)


def _gateway(live: LiveStack, headers: Mapping[str, str]) -> httpx.Client | None:
    if live.endpoint is None:
        return None
    return httpx.Client(
        base_url=live.endpoint.url,
        headers=live.endpoint.headers_with(headers),
        timeout=REQUEST_SECONDS,
        trust_env=False,
        # A separate check verifies the certificate. The other checks are about the service behind it.
        verify=False,  # noqa: S501
    )
