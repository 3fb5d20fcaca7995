"""Stack files whose prices are of nothing or whose load nothing serves, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

PRICED = {"date": "2026-11-01"}

ESTIMATES = (
    Wrong(
        id="LLMD-TIMEOUT-SHORT",
        name="a Gateway that ends answers early",
        changes={"gateway.timeoutSeconds": 2},
        path="gateway.timeoutSeconds",
        value="2",
        rule="google/gemma-2b-it takes about 4 s for 128 tokens",
        fix="use 9, a faster accelerator",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PRICE-NAME",
        name="a price of nothing",
        changes={"prices": {**PRICED, "machines": {"n1-standard-3": {"onDemand": 0.1}}}},
        path="prices.machines.n1-standard-3",
        value="{onDemand: 0.1}",
        rule="the price would never be used",
        fix="did you mean n1-standard-32?",
    ),
    Wrong(
        id="LLMD-PRICE-NAME",
        name="a price of an unknown item",
        changes={"prices": {**PRICED, "items": {"nat": 0.1}}},
        path="prices.items.nat",
        value="0.1",
        rule="the price would never be used",
        fix="use one of cluster, ",
    ),
    Wrong(
        id="LLMD-SETTING-MISSING",
        name="prices of no day",
        changes={"prices": {"items": {"cluster": 0.1}}},
        path="prices.date",
        value="(missing)",
        rule="required",
        fix="add it",
    ),
    Wrong(
        id="LLMD-PRICE-EMPTY",
        name="an empty price",
        changes={"prices": {**PRICED, "accelerators": {"nvidia-tesla-t4": {}}}},
        path="prices.accelerators.nvidia-tesla-t4",
        value="{}",
        rule="no price is given",
        fix="set onDemand, spot, flexStart or reserved, for example onDemand: 0.71",
    ),
    Wrong(
        id="LLMD-LOAD-LENGTH",
        name="a load longer than the model",
        changes={"models[0].load": {"promptTokens": 2000, "outputTokens": 100}},
        path="models[0].load.promptTokens",
        value="2000",
        rule="2000 + 100 tokens is longer than maxModelLen 2048",
        fix="add up to at most 2048 tokens",
    ),
    Wrong(
        id="LLMD-LOAD-ONE-MEASURE",
        name="a rate and a number in flight",
        changes={"models[0].load": {"concurrency": 4, "requestsPerSecond": 2}},
        path="models[0].load",
        value="{concurrency: 4, requestsPerSecond: 2}",
        rule="concurrency and requestsPerSecond both state the load, and a plan is",
        fix="keep one of them",
    ),
    Wrong(
        id="LLMD-LOAD-REPLICAS",
        name="too few replicas for the rate",
        changes={"models[0].load": {"requestsPerSecond": 30}},
        path="models[0].replicas",
        value="1",
        rule="30 requests/s of 128 prompt and 128 output tokens: that takes 4 replicas",
        fix="use 4 replicas",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-LOAD-REPLICAS",
        name="too few replicas for the latency",
        changes={"models[0].load": {"concurrency": 64, "timePerOutputTokenMs": 40}},
        path="models[0].replicas",
        value="1",
        rule="each further token within 40 ms: that takes",
        fix="replicas with accelerator.nodes.max to match",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-LOAD-OBJECTIVE",
        name="an objective no number of replicas meets",
        changes={"models[0].load": {"requestsPerSecond": 1, "timePerOutputTokenMs": 5}},
        path="models[0].load.timePerOutputTokenMs",
        value="5.0",
        rule="published measurements are within 9% of it, nine of ten within 36%): more replicas do not help",
        fix="use a faster accelerator",
        severity=Severity.WARNING,
    ),
)
