"""Wrong settings and configurations of the endpoint picker, with the finding each gets."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

QUEUE: dict[str, Any] = {"type": "queue-scorer"}
ONE_PROFILE: list[Any] = [{"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 2}]}]
TWO_STAGES: list[Any] = [{**ONE_PROFILE[0], "name": name} for name in ("decode", "prefill")]
PRECISE = "precise-prefix-cache-producer"
KV_EVENTS: dict[str, Any] = {
    "sources": [{"pluginRef": "endpoint-notification-source", "extractors": [{"pluginRef": PRECISE}]}]
}


def own(*plugins: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A change to a picker configuration of the user's: a queue scorer, further plugins, and further sections."""
    return {"picker.config": {"plugins": [QUEUE, *plugins], "schedulingProfiles": ONE_PROFILE, **sections}}


PICKER = (
    *(
        Wrong(
            id="LLMD-PICKER-FIELD-MOVED",
            name=f"a field of the picker's configuration at its old place: {field}",
            changes=own({"type": plugin}, **{field: {"pluginRef": plugin}}),
            path=f"picker.config.{field}",
            value="given",
            rule="removed in September 2026",
            fix=f"write it as {place}",
            severity=Severity.WARNING,
        )
        for field, plugin, place in (
            ("saturationDetector", "utilization-detector", "flowControl.saturationDetector"),
            ("parser", "openai-parser", "requestHandler.parsers"),
        )
    ),
    Wrong(
        id="LLMD-PICKER-RELEASE-UNKNOWN",
        name="picker of an unknown release",
        changes={"picker.release": "gaie-1.6"},
        path="picker.release",
        value="gaie-1.6",
        rule="the catalog has no release of this name, so no picker to take from it",
        fix="gaie-1.5",
    ),
    Wrong(
        id="LLMD-PICKER-RELEASE",
        name="picker of another release",
        changes={"picker.release": "gaie-1.5"},
        path="picker.release",
        value="gaie-1.5",
        rule="the picker v1.5.0 of gaie-1.5 was not tested with the other parts of llm-d-0.9",
        fix="which then runs picker v0.10.0",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PD-RELEASE",
        name="picker that cannot split, within a release that can",
        stack="disaggregated-gpu",
        changes={"picker.release": "gaie-1.5"},
        path="release",
        value="llm-d-0.9",
        rule="its picker (v1.5.0) cannot send prefill and decode to different pods",
        fix="or another pattern",
    ),
    Wrong(
        id="LLMD-PICKER-CONFIG-ALONE",
        name="weights beside a whole configuration",
        changes=own() | {"picker.preset": "prefix"},
        path="picker.preset",
        value="prefix",
        rule="picker.config replaces the whole configuration, so this setting has",
        fix="remove it, or remove picker.config",
    ),
    Wrong(
        id="LLMD-PICKER-API-VERSION",
        name="API of another picker",
        changes=own(apiVersion="inference.networking.x-k8s.io/v1alpha1"),
        path="picker.config.apiVersion",
        value="inference.networking.x-k8s.io/v1alpha1",
        rule="does not start with another",
        fix="use llm-d.ai/v1alpha1",
    ),
    Wrong(
        id="LLMD-PICKER-CONFIG-SCHEMA",
        name="misspelt section",
        changes=own(schedulingProfile=[]),
        path="picker.config.schedulingProfile",
        value="[]",
        rule="the configuration has no such field",
        fix="schedulingProfiles",
    ),
    Wrong(
        id="LLMD-PICKER-CONFIG-SCHEMA",
        name="fraction where v1.2 accepts only integers",
        changes=own(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 0.5}]}])
        | {"release": "llm-d-0.4"},
        path="picker.config.schedulingProfiles[0].plugins[0].weight",
        value="0.5",
        rule="must be a whole number; endpoint picker v1.2.0 refuses unknown and",
        fix="a value such as 2",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-UNKNOWN",
        name="misspelt plugin",
        changes=own({"type": "queue-scoer"}),
        path="picker.config.plugins[1].type",
        value="queue-scoer",
        rule="no such plugin and does not start",
        fix="queue-scorer",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-UNKNOWN",
        name="plugin of another release",
        changes=own({"type": PRECISE}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].type",
        value=PRECISE,
        rule="endpoint picker v1.5.0 has no such plugin",
        fix="use release llm-d-0.9",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-PARAMETERS",
        name="unknown parameter, strict picker",
        changes=own({"type": "max-score-picker", "parameters": {"maxEndpoints": 1}}),
        path="picker.config.plugins[1].parameters.maxEndpoints",
        value="1",
        rule="llm-d router v0.10.0 does not start with it",
        fix="use one of maxNumOfEndpoints",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-PARAMETERS",
        name="unknown parameter, lenient picker",
        changes=own({"type": "max-score-picker", "parameters": {"maxEndpoints": 1}}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].parameters.maxEndpoints",
        value="1",
        rule="endpoint picker v1.5.0 ignores it silently",
        fix="use one of maxNumOfEndpoints",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-PARAMETERS",
        name="parameter of another type",
        changes=own({"type": "max-score-picker", "parameters": {"maxNumOfEndpoints": "1"}}),
        path="picker.config.plugins[1].parameters.maxNumOfEndpoints",
        value="1",
        rule="must be a whole number; llm-d router v0.10.0 does not start with it",
        fix="a value such as 2",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-EXPERIMENTAL",
        name="experiment without its switch",
        changes=own({"type": "topology-extractor"}),
        path="picker.config.plugins[1].type",
        value="topology-extractor",
        rule="without --allow-experimental-plugins",
        fix="picker.allowExperimentalPlugins: true",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-DEPRECATED",
        name="deprecated plugin",
        changes=own({"type": "by-label", "parameters": {"label": "zone", "validValues": ["a"]}}),
        path="picker.config.plugins[1].type",
        value="by-label",
        rule="v0.11.0 removes it",
        fix="use label-selector-filter",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-NAME",
        name="plugin defined twice",
        changes=own(QUEUE),
        path="picker.config.plugins[1].type",
        value="queue-scorer",
        rule="does not start with two",
        fix="unique name",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGINS-CONFLICT",
        name="plugins that end the picker together",
        changes=own({"type": "token-load-scorer"}, {"type": "inflight-load-producer"}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].type",
        value="token-load-scorer",
        rule="does not start with both this plugin and inflight-load-producer",
        fix="remove it",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-ALONE",
        name="scorer of tokens without the producer of its data",
        changes=own({"type": "token-load-scorer"}),
        path="picker.config.plugins[1].type",
        value="token-load-scorer",
        rule="without inflight-load-producer, llm-d router v0.9.0 ended at start",
        fix="add {type: inflight-load-producer} to plugins",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-PLUGIN",
        name="profile that calls nobody",
        changes=own(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue"}]}]),
        path="picker.config.schedulingProfiles[0].plugins[0].pluginRef",
        value="queue",
        rule="no plugin has this name",
        fix="use one of queue-scorer",
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-KIND",
        name="producer in a profile",
        changes=own(
            {"type": "inflight-load-producer"},
            schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "inflight-load-producer"}]}],
        ),
        path="picker.config.schedulingProfiles[0].plugins[0].pluginRef",
        value="inflight-load-producer",
        rule="a producer does nothing there",
        fix="remove it from the profile",
    ),
    Wrong(
        id="LLMD-PICKER-SCORER-WEIGHT",
        name="a scorer without a weight after the picker",
        changes={"release": "llm-d-0.4"}
        | own(
            {"type": "random-picker"},
            apiVersion="inference.networking.x-k8s.io/v1alpha1",
            schedulingProfiles=[
                {"name": "default", "plugins": [{"pluginRef": "random-picker"}, {"pluginRef": "queue-scorer"}]}
            ],
        ),
        path="picker.config.schedulingProfiles[0].plugins[1].weight",
        value="(missing)",
        rule="gives default weights only to scorers before a profile's picker",
        fix="add weight: 1",
    ),
    Wrong(
        id="LLMD-PICKER-MODEL-NAME",
        name="tokens of a model that is not served",
        changes=own(
            {
                "type": "token-producer",
                "parameters": {"modelName": "Qwen/Qwen3-32B", "vllm": {"url": "http://localhost:8000"}},
            },
        ),
        path="picker.config.plugins[1].parameters",
        value="modelName: Qwen/Qwen3-32B",
        rule="this stack serves no such model",
        fix="use modelName: google/gemma-2b-it",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-PICKERS",
        name="two pickers in a profile",
        changes=own(
            {"type": "max-score-picker"},
            {"type": "random-picker"},
            schedulingProfiles=[
                {"name": "default", "plugins": [{"pluginRef": "max-score-picker"}, {"pluginRef": "random-picker"}]}
            ],
        ),
        path="picker.config.schedulingProfiles[0].plugins[1].pluginRef",
        value="a second picker",
        rule="ends with one picker",
        fix="keep one",
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-NAME",
        name="two profiles of one name",
        changes=own({"type": "data-parallel-profile-handler"}, schedulingProfiles=[*ONE_PROFILE, {"name": "default"}]),
        path="picker.config.schedulingProfiles[1].name",
        value="default",
        rule="another profile has this name",
        fix="unique name",
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-HANDLERS",
        name="two profile handlers",
        changes=own({"type": "single-profile-handler"}, {"type": "data-parallel-profile-handler"}),
        path="picker.config.plugins[2].type",
        value="data-parallel-profile-handler",
        rule="one plugin handles the profiles",
        fix="keep it or single-profile-handler",
    ),
    Wrong(
        id="LLMD-PICKER-PROFILES",
        name="two profiles and a handler of one",
        changes=own({"type": "single-profile-handler"}, schedulingProfiles=[*ONE_PROFILE, {"name": "other"}]),
        path="picker.config.schedulingProfiles",
        value="2 profiles",
        rule="single-profile-handler runs one profile",
        fix="disagg-profile-handler",
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-MISSING",
        name="handler without its profile",
        changes=own(
            {"type": "always-disagg-pd-decider"},
            {"type": "disagg-profile-handler", "parameters": {"deciders": {"prefill": "always-disagg-pd-decider"}}},
            schedulingProfiles=[{"name": "decode"}],
        ),
        path="picker.config.plugins[2].parameters",
        value="prefill",
        rule="there is none: requests would fail",
        fix="add a profile prefill",
    ),
    Wrong(
        id="LLMD-PICKER-FEATURE-GATE",
        name="unknown feature gate",
        changes=own(featureGates=["dataLayer"]),
        path="picker.config.featureGates[0]",
        value="dataLayer",
        rule="no such feature gate",
        fix="use one of flowControl",
    ),
    Wrong(
        id="LLMD-PICKER-FEATURE-GATE",
        name="a data layer without sources",
        changes=own(featureGates=["dataLayer"]) | {"release": "llm-d-0.6"},
        path="picker.config.featureGates[0]",
        value="dataLayer",
        rule="needs the section data, and does not start without it",
        fix="add data with its sources",
    ),
    Wrong(
        id="LLMD-PICKER-PARAMETER-RANGE",
        name="a number that the picker does not check",
        changes=own({"type": "max-score-picker", "parameters": {"maxNumOfEndpoints": 0}}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].parameters.maxNumOfEndpoints",
        value="0",
        rule="must be at least 1; endpoint picker v1.5.0 starts with it all the same",
        fix="give a value of that kind",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-REFERENCE",
        name="a handler without its decider",
        changes=own({"type": "pd-profile-handler"}, schedulingProfiles=TWO_STAGES) | {"release": "llm-d-0.6"},
        path="picker.config.plugins[1].parameters.deciderPluginName",
        value="prefix-based-pd-decider (default)",
        rule="uses prefix-based-pd-decider",
        fix="add {type: prefix-based-pd-decider} to plugins",
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-PARAMETERS",
        name="a stage whose name is a number",
        changes=own(
            {"type": "prefix-based-pd-decider"},
            {"type": "pd-profile-handler", "parameters": {"decodeProfile": 7}},
            schedulingProfiles=TWO_STAGES,
        )
        | {"release": "llm-d-0.6"},
        path="picker.config.plugins[2].parameters.decodeProfile",
        value="7",
        rule="must be text",
        fix="give a value of that kind",
    ),
    Wrong(
        id="LLMD-PICKER-FLOW-CONTROL-GATE",
        name="flow control without its gate",
        changes=own(flowControl={"maxRequests": 100}),
        path="picker.config.flowControl",
        value="given",
        rule="without the feature gate flowControl this section has no effect",
        fix="add flowControl to featureGates",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-REFERENCE",
        name="parameter that calls nobody",
        changes=own({"type": "token-load-scorer", "parameters": {"inFlightLoadProducerName": "mine"}}),
        path="picker.config.plugins[1].parameters.inFlightLoadProducerName",
        value="mine",
        rule="no plugin has this name",
        fix="add it to plugins",
    ),
    Wrong(
        id="LLMD-PREFIX-CACHING-OFF",
        name="own prefix scorer without a cache",
        changes=own({"type": "prefix-cache-scorer"}) | {"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="(prefix-cache-scorer) that this engine does not keep",
        fix="give up prefix-cache-scorer",
    ),
    Wrong(
        id="LLMD-PICKER-BLOCK-SIZE",
        name="blocks of another size than the engine's",
        changes=own({"type": "approx-prefix-cache-producer", "parameters": {"autoTune": False, "blockSizeTokens": 24}}),
        path="picker.config.plugins[1].parameters",
        value="blocks of 24 tokens",
        rule="caches blocks of 16 tokens",
        fix="use 16",
    ),
    Wrong(
        id="LLMD-PICKER-LEADERLESS",
        name="several pickers at work, each alone",
        changes={"picker.replicas": 2, "picker.leaderElection": False},
        path="picker.leaderElection",
        value="false",
        rule="approx-prefix-cache-producer counts only that part",
        fix="remove leaderElection",
    ),
    Wrong(
        id="LLMD-KV-EVENTS-RELEASE",
        name="precise on a release that cannot",
        changes={"picker.prefixRouting": "precise", "release": "gaie-1.5"},
        path="picker.prefixRouting",
        value="precise",
        rule="does not support precise routing",
        fix="release llm-d-0.9",
    ),
    Wrong(
        id="LLMD-KV-EVENTS-ALIASES",
        name="an alias that the precise index does not know",
        changes={"picker.prefixRouting": "precise", "models[0].aliases": ["gemma"]},
        path="models[0].aliases",
        value="gemma",
        rule="matches nothing",
        fix="google/gemma-2b-it",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-KV-EVENTS-SOURCE",
        name="precise index that hears of nobody",
        changes=own({"type": PRECISE}),
        path="picker.config.dataLayer",
        value=f"without {PRECISE}",
        rule="it receives no KV events",
        fix=f"extractor {PRECISE}",
    ),
    Wrong(
        id="LLMD-KV-EVENTS-PORT",
        name="precise index that listens where nobody speaks",
        changes=own(
            {"type": "endpoint-notification-source"},
            {"type": PRECISE, "parameters": {"kvEventsConfig": {"zmqEndpoint": "tcp://*:5557"}}},
            dataLayer=KV_EVENTS,
        ),
        path="picker.config.plugins[2].parameters.kvEventsConfig",
        value="tcp://*:5557",
        rule="no event would arrive",
        fix="without zmqEndpoint",
    ),
    Wrong(
        id="LLMD-KV-EVENTS-KSERVE",
        name="precise index under KServe",
        stack="kserve-prefix-cache-gpu",
        changes={"picker.prefixRouting": "precise", "release": "llm-d-0.9"},
        path="picker.prefixRouting",
        value="precise",
        rule="a tokenizer Service, which KServe does not create",
        fix="deployment: direct",
    ),
    Wrong(
        id="LLMD-SCORER-WHOLE",
        name="fraction of a weight on v1.2",
        changes={"release": "llm-d-0.4", "picker.scorers.queue": 0.5},
        path="picker.scorers",
        value="0.5",
        rule="accepts only integer weights",
        fix="multiply all",
    ),
    Wrong(
        id="LLMD-SCORER-NO-HIT",
        name="a scorer that the release's picker lacks",
        changes={"release": "gaie-1.5", "picker.scorers.noHitLru": 1},
        path="picker.scorers.noHitLru",
        value="1",
        rule="has no no-hit-lru-scorer",
        fix="llm-d-0.6",
    ),
    Wrong(
        id="LLMD-SCORER-NO-HIT",
        name="spreading prompts without the prefix scorer",
        changes={"release": "llm-d-0.6", "picker.scorers.prefixCache": 0, "picker.scorers.noHitLru": 1},
        path="picker.scorers.noHitLru",
        value="1, with prefixCache: 0",
        rule="round robin",
        fix="give prefixCache a weight",
    ),
    *(
        Wrong(
            id="LLMD-PICKER-PROFILE-SCORERS",
            name=f"nothing that scores replicas: {name}",
            changes={"picker.config": config, "release": release},
            path=f"picker.config{path}",
            value=value,
            rule="chooses among them at random",
            fix=fix,
            severity=Severity.WARNING,
        )
        for name, config, path, value, fix in (
            ("an empty configuration", {}, "", "{}", "remove picker.config"),
            ("gates only", {"featureGates": ["flowControl"]}, "", "{}", "remove picker.config"),
            (
                "a profile without scorers",
                {"plugins": [QUEUE, {"type": "max-score-picker"}], "schedulingProfiles": [{"name": "default"}]},
                ".schedulingProfiles[0]",
                "profile default",
                "pluginRef: queue-scorer",
            ),
            (
                "a scorer of weight 0",
                {
                    "plugins": [QUEUE],
                    "schedulingProfiles": [
                        {"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 0}]}
                    ],
                },
                ".schedulingProfiles[0]",
                "profile default",
                "weight: 1",
            ),
        )
        for release in ("llm-d-0.4", "gaie-1.5", "llm-d-0.9")
    ),
    *(
        Wrong(
            id="LLMD-PICKER-PLUGIN-UNUSED",
            name=f"a plugin that nothing runs: {kind}",
            changes=own({"type": kind, "name": "idle"}) | {"release": "gaie-1.5"},
            path="picker.config.plugins[1]",
            value="idle",
            rule=rule,
            fix=fix,
            severity=Severity.WARNING,
        )
        for kind, rule, fix in (
            ("kv-cache-utilization-scorer", "no profile names this scorer", "add {pluginRef: idle} to a profile"),
            ("round-robin-fairness-policy", "no section of flowControl names this", "name idle in the section of"),
            ("concurrency-detector", "no saturationDetector names this", "name idle in the saturationDetector"),
        )
    ),
    Wrong(
        id="LLMD-PICKER-PROFILE-UNUSED",
        name="a profile that its handler does not run",
        stack="disaggregated-gpu",
        changes={
            "release": "llm-d-0.6",
            "picker.config": {
                "plugins": [
                    QUEUE,
                    {"type": "always-disagg-pd-decider"},
                    {
                        "type": "disagg-profile-handler",
                        "parameters": {"deciders": {"prefill": "always-disagg-pd-decider"}},
                    },
                ],
                "schedulingProfiles": [*TWO_STAGES, {**ONE_PROFILE[0], "name": "encoding"}],
            },
        },
        path="picker.config.schedulingProfiles[2].name",
        value="encoding",
        rule="the profile handler runs decode, prefill, and never this profile",
        fix="remove it",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-PICKER-WEIGHT-UNUSED",
            name=f"a weight that nothing reads: {name}",
            changes=own(
                {"type": "max-score-picker"},
                schedulingProfiles=[{"name": "default", "plugins": [*ONE_PROFILE[0]["plugins"], entry]}],
            ),
            path="picker.config.schedulingProfiles[0].plugins[1].weight",
            value=f"{entry['weight']}",
            rule=rule,
            fix=fix,
            severity=Severity.WARNING,
        )
        for name, entry, rule, fix in (
            ("of a picker", {"pluginRef": "max-score-picker", "weight": 3}, "weights are for scorers", "remove it"),
            ("of 0", {"pluginRef": "queue-scorer", "weight": 0}, "counts for nothing", "use a weight above 0"),
        )
    ),
    *(
        Wrong(
            id="LLMD-PICKER-METRICS-NONE",
            name=f"sources without metrics: {release}",
            changes=own(*plugins, dataLayer=section) | {"release": release},
            path="picker.config.dataLayer",
            value="no source of metrics",
            rule="queue-scorer would see every replica as idle",
            fix="add metrics-data-source",
            severity=Severity.WARNING,
        )
        for release, plugins, section in (
            ("gaie-1.5", (), {}),
            ("gaie-1.5", ({"type": "metrics-data-source"},), {"sources": [{"pluginRef": "metrics-data-source"}]}),
            ("llm-d-0.9", (), {"injectDefaults": False}),
        )
    ),
    Wrong(
        id="LLMD-PICKER-PLUGIN-ALONE",
        name="a detector without the producer of its numbers",
        changes=own({"type": "concurrency-detector"}, saturationDetector={"pluginRef": "concurrency-detector"})
        | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].type",
        value="concurrency-detector",
        rule="it counts no request",
        fix="add {type: inflight-load-producer}",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-DETECTOR-LATE",
        name="a detector whose numbers stand still while requests wait",
        changes=own(
            {"type": "concurrency-detector"},
            {"type": "inflight-load-producer"},
            featureGates=["flowControl"],
            saturationDetector={"pluginRef": "concurrency-detector"},
        )
        | {"release": "gaie-1.5"},
        path="picker.config.saturationDetector.pluginRef",
        value="concurrency-detector",
        rule="do not see it change",
        fix="use utilization-detector",
        severity=Severity.WARNING,
    ),
)
