"""Stack files whose replicas could not follow the load, with the finding each gets."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.stacks import existing_cluster

TARGET = {"requestsPerReplica": 16}


def scaled(index: int = 0, **autoscaling: Any) -> dict[str, Any]:
    """Changes that give a model autoscaling instead of replicas."""
    limits = {"maximum": 2, "target": TARGET} | autoscaling
    return {f"models[{index}].replicas": None, f"models[{index}].autoscaling": limits}


def window(**changed: Any) -> dict[str, Any]:
    return scaled(windows=[{"start": "0 7 * * 1-5", "end": "0 19 * * 1-5", "replicas": 2, **changed}])


AUTOSCALING = (
    Wrong(
        id="LLMD-AUTOSCALING-REPLICAS",
        name="a fixed number that follows the load",
        changes=scaled() | {"models[0].replicas": 2},
        path="models[0].replicas",
        value="2",
        rule="the number of replicas is fixed here, and autoscaling changes it",
        fix="remove replicas, or autoscaling",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-REPLICAS",
        name="prefill servers of a fixed number that follows the load",
        stack="disaggregated-gpu",
        changes={"models[0].prefill": {"replicas": 1, "autoscaling": {"maximum": 1, "target": TARGET}}},
        path="models[0].prefill.replicas",
        value="1",
        rule="the number of replicas is fixed here, and autoscaling changes it",
        fix="remove replicas, or autoscaling",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-LIMITS",
        name="limits that cross",
        changes=scaled(minimum=3),
        path="models[0].autoscaling.minimum",
        value="3",
        rule="the minimum is above the maximum, 2",
        fix="use at most 2, or raise maximum to 3",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-TARGET",
        name="nothing to hold",
        changes=scaled(target={}),
        path="models[0].autoscaling.target",
        value="(missing)",
        rule="the autoscaler cannot tell when a replica is overloaded",
        fix="target: {requestsPerReplica: 16}",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-WINDOW",
        name="a window of more than the maximum",
        changes=window(replicas=3),
        path="models[0].autoscaling.windows[0].replicas",
        value="3",
        rule="raises the minimum, 1, to at most the maximum, 2",
        fix="give the day a window",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-WINDOW",
        name="a window that lowers nothing",
        changes=window(replicas=1),
        path="models[0].autoscaling.windows[0].replicas",
        value="1",
        rule="a window cannot lower it",
        fix="give the day a window",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-WINDOW",
        name="a window without an end",
        changes=window(end="0  7 * * 1-5"),
        path="models[0].autoscaling.windows[0].end",
        value="0 7 * * 1-5",
        rule="ends when it starts",
        fix="use another time",
    ),
    *(
        Wrong(
            id="LLMD-AUTOSCALING-WINDOW-PAIRS",
            name=name,
            changes=window(start=start, end=end),
            path="models[0].autoscaling.windows[0].end",
            value=end,
            rule=rule,
            fix="the same days",
            severity=Severity.WARNING,
        )
        for name, start, end, rule in (
            (
                "a window that lasts over the weekend",
                "30 6 * * 1-5",
                "10 22 * * *",
                "stay from Friday 22:10 to Saturday 22:10",
            ),
            (
                "a window that opens on Fridays only",
                "0 7 * * *",
                "0 22 * * 5",
                "not open from Monday 07:00 to Tuesday 07:00",
            ),
            ("a window that ends when it starts, in other words", "0 7 * * mon", "0 7 * * 1", "fall on Monday 07:00"),
        )
    ),
    *(
        Wrong(
            id="LLMD-CRON-FORM",
            name=f"no cron line: {line}",
            changes=window(start=line),
            path="models[0].autoscaling.windows[0].start",
            value=line,
            rule=rule,
            fix='write it as in "0 7 * * 1-5"',
        )
        for line, rule in (
            ("07:00", "has five fields"),
            ("0 24 * * *", "24 is no hour"),
            ("0 7 * * 5-1", "5-1 is no day of the week"),
            ("*/0 7 * * *", "*/0 is no minute"),
            ("0 7 * foo *", "foo is no month"),
        )
    ),
    Wrong(
        id="LLMD-TIME-ZONE",
        name="a time zone of an office",
        changes=window(timeZone="Munich"),
        path="models[0].autoscaling.windows[0].timeZone",
        value="Munich",
        rule="no zone of this name",
        fix="Europe/Berlin",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-MONITORING",
        name="metrics that nobody collects",
        changes=scaled() | {"monitoring.enabled": False},
        path="models[0].autoscaling",
        value="set",
        rule="no metrics are collected",
        fix="set monitoring.enabled: true, or use replicas",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-ZERO",
        name="nobody there at night",
        changes=scaled(minimum=0),
        severity=Severity.WARNING,
        path="models[0].autoscaling.minimum",
        value="0",
        rule="requests then get 503 until a replica answers",
        fix="add a window for the hours of use",
    ),
    *(
        Wrong(
            id="LLMD-AUTOSCALING-HELD",
            name=f"{key} that the picker never lets a replica reach",
            changes={
                **scaled(target={key: value}),
                "models[0].maxNumSeqs": 8,
                "picker": {"flowControl": True, "maxConcurrency": 8},
            },
            severity=Severity.WARNING,
            path=f"models[0].autoscaling.target.{key}",
            value=str(value),
            rule=f"never goes above {reached}",
            fix="set requestsPerReplica below 8",
        )
        for key, value, reached in (("requestsPerReplica", 16, 8), ("queuePerReplica", 2, 0))
    ),
    Wrong(
        id="LLMD-AUTOSCALING-STAGE",
        name="decode servers held to the first token",
        stack="disaggregated-gpu",
        changes=scaled(target={"timeToFirstTokenMs": 500}),
        path="models[0].autoscaling.target.timeToFirstTokenMs",
        value="500",
        rule="prefill servers compute the first token",
        fix="move it to prefill.autoscaling",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-ZERO-STAGE",
        name="no server for prompts",
        stack="disaggregated-gpu",
        changes={"models[0].prefill": {"autoscaling": {"minimum": 0, "maximum": 1, "target": TARGET}}},
        path="models[0].prefill.autoscaling.minimum",
        value="0",
        rule="every prompt is computed by the decode servers",
        fix="use 1 or more",
    ),
    Wrong(
        id="LLMD-POOL-REPLICAS",
        name="a maximum above the pool",
        changes=scaled(maximum=4),
        path="accelerator.nodes.max",
        value="3",
        rule="up to 4 replicas need 4",
        fix="use 4 or more",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-SHARED",
        name="two models and the last node",
        stack="multi-model-gpu",
        changes=scaled(maximum=2) | scaled(1, maximum=2) | {"accelerator.nodes": {"min": 0, "max": 3}},
        severity=Severity.WARNING,
        path="accelerator.nodes.max",
        value="3",
        rule="the first pending pods get the next one",
        fix="use 4, lower a maximum",
    ),
    Wrong(
        id="LLMD-KEDA-EXTERNAL-METRICS",
        name="KEDA in an existing cluster",
        changes=scaled() | existing_cluster(),
        severity=Severity.WARNING,
        path="platform.keda.existing",
        value="false",
        rule="a cluster has one server of external metrics",
        fix="kubectl get apiservice v1beta1.external.metrics.k8s.io",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-KSERVE",
        name="a KServe whose controller was not read",
        stack="kserve-single-replica-gpu",
        changes=scaled() | {"release": "llm-d-0.10"},
        path="models[0].autoscaling",
        value="set",
        rule="it is not established that KServe v0.21.0 leaves the number of replicas to an autoscaler",
        fix="or deployment: direct",
    ),
)
