"""Rules about the endpoint picker's settings."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PICKER-RELEASE-UNKNOWN",
        severity="error",
        summary="The release whose picker is wanted is not one of the catalog's.",
        why="Image, flags and plugins of a picker are those of a release in llm_d_gke/catalog/releases.yaml.",
        fix="Use a release of the catalog, or remove the setting.",
    ),
    Rule(
        "LLMD-PICKER-RELEASE",
        severity="warning",
        summary="The picker is another release's.",
        why="The parts of a release are tested together. A rehearsal exchanges a picker that it cannot build.",
        fix="Remove the setting on GKE, or acknowledge it.",
    ),
    Rule(
        "LLMD-PICKER-LEADERLESS",
        severity="error",
        summary="Several active pickers use plugins that know only their own requests.",
        why="Each picker sees a part of the requests only.",
        fix="Keep leader election, or use plugins that read the engines.",
    ),
    Rule(
        "LLMD-PREFIX-CACHING-OFF",
        severity="error",
        summary="The picker scores prefix matches, and the engine keeps no prefixes.",
        why="The picker would prefer replicas for prefixes that they do not keep.",
        fix="Remove `prefixCaching: false`, or the scorer.",
        source="vLLM 0.30.0, vllm/config/cache.py (enable_prefix_caching)",
    ),
    Rule(
        "LLMD-PICKER-FAILOVER",
        severity="warning",
        summary="With failureMode close, requests are refused while pickers change leaders.",
        why="The next leader takes over when the lost one's lease has expired.",
        fix="Use `failureMode: open`, or acknowledge it.",
        source="kubernetes-sigs/gateway-api-inference-extension v1.5.0, "
        "api/v1/inferencepool_types.go and pkg/epp/server/controller_manager.go",
    ),
    Rule(
        "LLMD-SCORER-WHOLE",
        severity="error",
        summary="The picker accepts only integer weights.",
        why="Older pickers read weights as whole numbers.",
        fix="Multiply all weights until they are whole.",
        source="kubernetes-sigs/gateway-api-inference-extension v1.2.0, "
        "apix/config/v1alpha1/endpointpickerconfig_types.go",
    ),
    Rule(
        "LLMD-SCORER-NONE",
        severity="error",
        summary="No scorer has a weight.",
        why="The picker would choose at random.",
        fix="Give a scorer a weight.",
    ),
    Rule(
        "LLMD-SCORER-PREFIX-ONLY",
        severity="warning",
        summary="Prefix matches are the only score.",
        why="Requests with one system prompt would all go to one replica.",
        fix="Give another scorer a weight.",
    ),
    Rule(
        "LLMD-KV-EVENTS-RELEASE",
        severity="error",
        summary="The release's picker cannot follow KV events.",
        why="The picker needs tokens as the engine sees them.",
        fix="Use approximate prefixes, or another release.",
    ),
    Rule(
        "LLMD-KV-EVENTS-KSERVE",
        severity="error",
        summary="Precise prefix routing needs a tokenizer service that KServe does not create.",
        why="KServe creates no tokenizer service.",
        fix="Use approximate prefixes, or `deployment: direct`.",
    ),
    Rule(
        "LLMD-KV-EVENTS-RANKS",
        severity="error",
        summary="The picker follows KV events of one rank in a pod only.",
        why="Each rank publishes on a port of its own, and the picker follows one.",
        fix="Use approximate prefixes.",
    ),
    Rule(
        "LLMD-KV-EVENTS-ALIASES",
        severity="warning",
        summary="Precise prefix routing does not know aliases.",
        why="The index hashes prompts together with the model's name.",
        fix="Let clients use the model's name.",
        source="llm-d/llm-d-inference-scheduler v0.7.1, pkg/plugins/scorer/precise_prefix_cache.go",
    ),
    Rule(
        "LLMD-PICKER-FAIL-OPEN",
        severity="warning",
        summary="failureMode open does not answer every request while a picker is gone.",
        why="Envoy answers 500 as long as it still tries to reach the lost picker.",
        fix="Let clients retry, and run several pickers.",
        source="github.com/envoyproxy/envoy, ext_proc filter",
    ),
)
