"""Runs the checks against a running stack."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import httpx

from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
from llm_d_gke.operations.verify.context import REQUEST_SECONDS, CheckContext
from llm_d_gke.operations.verify.criteria import Criterion, criteria_for
from llm_d_gke.operations.verify.result import Checked, Result, Verification, failed
from llm_d_gke.rehearsal.kube import KubeError
from llm_d_gke.stackfile import StackConfig


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
    # A fork, so that the planned objects are recorded on another core and without a second start of Python.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as other:
        planned = other.submit(planned_objects, live.name, live.config)
        ctx = CheckContext(
            live=live, gateway=_gateway(live, headers), planned=planned, patience=patience, requests=requests
        )
        try:
            checks = []
            for criterion in criteria_for(live):
                if only is not None and criterion.id not in only:
                    continue
                checks.append(_check(criterion, ctx))
                report(checks[-1])
        finally:
            ctx.close()
    return Verification(
        stack=live.name, looked_at=live.looked_at, checks=tuple(checks), seconds=time.monotonic() - began
    )


def planned_objects(stack: str, config: StackConfig) -> list[dict[str, Any]]:
    """The Kubernetes objects that the program would register."""
    # Imported here, in the process that records: Pulumi's SDKs take seconds to load.
    from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
    from llm_d_gke.resource_graph.stack_program import record_stack

    return kubernetes_objects(record_stack(stack, config))


def _check(criterion: Criterion, ctx: CheckContext) -> Checked:
    began = time.monotonic()
    try:
        result = criterion.run(ctx)
    except (httpx.HTTPError, KubeError, LiveStackError) as error:
        result = _unanswered(error, ctx)
    return Checked(id=criterion.id, summary=criterion.summary, result=result, seconds=time.monotonic() - began)


def _unanswered(error: Exception, ctx: CheckContext) -> Result:
    return failed(str(error) or type(error).__name__, ctx.live.diagnose)


def _gateway(live: LiveStack, headers: Mapping[str, str]) -> httpx.Client | None:
    if live.endpoint is None:
        return None
    return httpx.Client(
        base_url=live.endpoint.url,
        headers={"Host": live.endpoint.host, **live.endpoint.headers, **headers},
        timeout=REQUEST_SECONDS,
        trust_env=False,
        # A separate check verifies the certificate. The other checks are about the service behind it.
        verify=False,  # noqa: S501
    )
