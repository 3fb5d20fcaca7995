"""Rules about the endpoint picker's settings."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PICKER-RELEASE-UNKNOWN",
        summary="`picker.release` names a release that the catalog does not have.",
        why="Image, flags and plugins of a picker are those of a release in llm_d_gke/catalog/releases.yaml.",
        fix="Use a release of the catalog, or remove the setting.",
        basis="catalog",
    ),
    Rule(
        "LLMD-PICKER-RELEASE",
        severity="warning",
        summary="The picker is from another release.",
        why="The parts of a release are tested together. The rehearsal substitutes a picker that it cannot build.",
        fix="Remove the setting on GKE, or acknowledge it.",
        basis="catalog",
    ),
    Rule(
        "LLMD-PICKER-LEADERLESS",
        summary="Several active pickers use plugins that count only their own requests.",
        why="Each active picker handles only a part of the requests.",
        fix="Keep leader election, or use plugins that read the engines.",
        source="llm-d.ai/docs/0.10/operations/router (active-active mode)",
    ),
    Rule(
        "LLMD-PREFIX-CACHING-OFF",
        summary="The picker scores prefix matches, and prefix caching is off in the engine.",
        why="The picker would prefer replicas for prefixes that they did not cache.",
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
        summary="The picker accepts only integer weights.",
        why="Older pickers read weights as integers.",
        fix="Multiply all weights until they are integers.",
        source="kubernetes-sigs/gateway-api-inference-extension v1.2.0, "
        "apix/config/v1alpha1/endpointpickerconfig_types.go",
    ),
    Rule(
        "LLMD-SCORER-NONE",
        summary="No scorer has a weight.",
        why="The picker would choose at random.",
        fix="Give a scorer a weight.",
        basis="project",
    ),
    Rule(
        "LLMD-SCORER-NO-HIT",
        summary="The scorer of prompts that no replica has cached cannot work here.",
        why="Not every picker has it, and it needs the prefix scorer to know which prompts are cached.",
        fix="Remove `noHitLru`, or use a release whose picker has it.",
        source="llm-d/llm-d-inference-scheduler v0.7.1, pkg/plugins/scorer/no_hit_lru.go",
    ),
    Rule(
        "LLMD-SCORER-PREFIX-ONLY",
        severity="warning",
        summary="Prefix matches are the only score.",
        why="Requests with one system prompt would all go to one replica.",
        fix="Give another scorer a weight.",
        source="llm-d.ai/docs/architecture/core/router/epp/scheduling",
    ),
    Rule(
        "LLMD-KV-EVENTS-RELEASE",
        summary="The release's picker cannot follow KV events.",
        why="The picker needs the tokens of a prompt as the engine computes them.",
        fix="Use approximate prefixes, or another release.",
        basis="catalog",
    ),
    Rule(
        "LLMD-KV-EVENTS-KSERVE",
        summary="Precise prefix routing needs a tokenizer service that KServe does not create.",
        why="Up to v0.20 KServe adds a tokenizer to its picker as a sidecar with a socket, not as the Service that the"
        " picker of this stack asks.",
        fix="Use approximate prefixes, or `deployment: direct`.",
        source="kserve/kserve v0.20.0, pkg/controller/v1alpha2/llmisvc/scheduler.go (WithUdsTokenizerConfig)",
    ),
    Rule(
        "LLMD-KV-EVENTS-RANKS",
        summary="The picker follows KV events of one rank in a pod only.",
        why="Each rank publishes on a separate port, and the picker subscribes to one.",
        fix="Use approximate prefixes.",
        basis="project",
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
        "LLMD-KV-EVENTS-READERS",
        severity="warning",
        summary="A plugin reads the approximate index although the picker has a precise one.",
        why="A plugin that names no producer of prefix matches reads the approximate one, and the picker creates it"
        " where it is missing. The decider of prefill has no parameter for it up to llm-d router v0.10.",
        fix="Name the precise index in the plugin's parameters, or use approximate prefixes.",
        source="llm-d/llm-d-router issue 2554 and pull request 2560; llm-d/llm-d pull request 2148",
    ),
    Rule(
        "LLMD-PICKER-FAIL-OPEN",
        severity="warning",
        summary="With failureMode open, requests can still fail for a while after a picker is lost.",
        why="Envoy answers 500 until it stops trying to reach the lost picker.",
        fix="Let clients retry, and run several pickers.",
        source="github.com/envoyproxy/envoy, ext_proc filter",
    ),
)
