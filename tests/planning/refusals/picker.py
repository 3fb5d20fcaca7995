"""Wrong settings and configurations of the endpoint picker, with the finding each gets."""

from __future__ import annotations

from typing import Any

from planning.findings import Severity
from tests.planning.refusals.case import Wrong

QUEUE: dict[str, Any] = {"type": "queue-scorer"}
ONE_PROFILE: list[Any] = [{"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 2}]}]
PRECISE = "precise-prefix-cache-producer"
HEARD: dict[str, Any] = {
    "sources": [{"pluginRef": "endpoint-notification-source", "extractors": [{"pluginRef": PRECISE}]}]
}


def own(*plugins: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A change to a picker configuration of the user's: a queue scorer, further plugins, and further sections."""
    return {"picker.config": {"plugins": [QUEUE, *plugins], "schedulingProfiles": ONE_PROFILE, **sections}}


PICKER = (
    Wrong(
        name="weights beside a whole configuration",
        changes=own() | {"picker.preset": "prefix"},
        path="picker.preset",
        value="prefix",
        rule="nothing would read this",
        fix="remove it, or picker.config",
    ),
    Wrong(
        name="API of another picker",
        changes=own(apiVersion="inference.networking.x-k8s.io/v1alpha1"),
        path="picker.config.apiVersion",
        value="inference.networking.x-k8s.io/v1alpha1",
        rule="does not start with another",
        fix="use llm-d.ai/v1alpha1",
    ),
    Wrong(
        name="misspelt section",
        changes=own(schedulingProfile=[]),
        path="picker.config.schedulingProfile",
        value="[]",
        rule="decodes it strictly and does not start",
        fix="schedulingProfiles",
    ),
    Wrong(
        name="fraction where v1.2 takes whole weights",
        changes=own(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": 0.5}]}])
        | {"release": "llm-d-0.4"},
        path="picker.config.schedulingProfiles[0].plugins[0].weight",
        value="0.5",
        rule="valid integer",
        fix="of that kind",
    ),
    Wrong(
        name="misspelt plugin",
        changes=own({"type": "queue-scoer"}),
        path="picker.config.plugins[1].type",
        value="queue-scoer",
        rule="no such plugin and does not start",
        fix="queue-scorer",
    ),
    Wrong(
        name="plugin of another release",
        changes=own({"type": PRECISE}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].type",
        value=PRECISE,
        rule="endpoint picker v1.5.0 has no such plugin",
        fix="use release llm-d-0.9",
    ),
    Wrong(
        name="unknown parameter, strict picker",
        changes=own({"type": "max-score-picker", "parameters": {"maxEndpoints": 1}}),
        path="picker.config.plugins[1].parameters.maxEndpoints",
        value="1",
        rule="llm-d router v0.10.0 does not start with it",
        fix="use one of maxNumOfEndpoints",
    ),
    Wrong(
        name="unknown parameter, lenient picker",
        changes=own({"type": "max-score-picker", "parameters": {"maxEndpoints": 1}}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].parameters.maxEndpoints",
        value="1",
        rule="endpoint picker v1.5.0 ignores it without a word",
        fix="use one of maxNumOfEndpoints",
    ),
    Wrong(
        name="parameter of another type",
        changes=own({"type": "max-score-picker", "parameters": {"maxNumOfEndpoints": "1"}}),
        path="picker.config.plugins[1].parameters.maxNumOfEndpoints",
        value="1",
        rule="valid integer; llm-d router v0.10.0 does not start",
        fix="of that kind",
    ),
    Wrong(
        name="experiment without its switch",
        changes=own({"type": "topology-extractor"}),
        path="picker.config.plugins[1].type",
        value="topology-extractor",
        rule="without --allow-experimental-plugins",
        fix="picker.allowExperimentalPlugins: true",
    ),
    Wrong(
        name="deprecated plugin",
        changes=own({"type": "by-label", "parameters": {"label": "zone", "validValues": ["a"]}}),
        path="picker.config.plugins[1].type",
        value="by-label",
        rule="v0.11.0 will not have it",
        fix="use label-selector-filter",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="plugin defined twice",
        changes=own(QUEUE),
        path="picker.config.plugins[1].type",
        value="queue-scorer",
        rule="does not start with two",
        fix="a name of its own",
    ),
    Wrong(
        name="plugins that end the picker together",
        changes=own({"type": "token-load-scorer"}, {"type": "inflight-load-producer"}) | {"release": "gaie-1.5"},
        path="picker.config.plugins[1].type",
        value="token-load-scorer",
        rule="does not start with it beside inflight-load-producer",
        fix="remove it",
    ),
    Wrong(
        name="profile that calls nobody",
        changes=own(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue"}]}]),
        path="picker.config.schedulingProfiles[0].plugins[0].pluginRef",
        value="queue",
        rule="no plugin has this name",
        fix="use one of queue-scorer",
    ),
    Wrong(
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
        name="two profiles of one name",
        changes=own({"type": "data-parallel-profile-handler"}, schedulingProfiles=[*ONE_PROFILE, {"name": "default"}]),
        path="picker.config.schedulingProfiles[1].name",
        value="default",
        rule="another profile has this name",
        fix="a name of its own",
    ),
    Wrong(
        name="two profile handlers",
        changes=own({"type": "single-profile-handler"}, {"type": "data-parallel-profile-handler"}),
        path="picker.config.plugins[2].type",
        value="data-parallel-profile-handler",
        rule="one plugin handles the profiles",
        fix="keep it or single-profile-handler",
    ),
    Wrong(
        name="two profiles and a handler of one",
        changes=own({"type": "single-profile-handler"}, schedulingProfiles=[*ONE_PROFILE, {"name": "other"}]),
        path="picker.config.schedulingProfiles",
        value="2 profiles",
        rule="single-profile-handler runs one profile",
        fix="disagg-profile-handler",
    ),
    Wrong(
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
        name="unknown feature gate",
        changes=own(featureGates=["dataLayer"]),
        path="picker.config.featureGates[0]",
        value="dataLayer",
        rule="no such feature gate",
        fix="use one of flowControl",
    ),
    Wrong(
        name="flow control without its gate",
        changes=own(flowControl={"maxRequests": 100}),
        path="picker.config.flowControl",
        value="given",
        rule="without its feature gate",
        fix="add flowControl to featureGates",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="parameter that calls nobody",
        changes=own({"type": "token-load-scorer", "parameters": {"inFlightLoadProducerName": "mine"}}),
        path="picker.config.plugins[1].parameters.inFlightLoadProducerName",
        value="mine",
        rule="no plugin has this name",
        fix="add it to plugins",
    ),
    Wrong(
        name="own prefix scorer without a cache",
        changes=own({"type": "prefix-cache-scorer"}) | {"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="(prefix-cache-scorer) that this engine does not keep",
        fix="give up prefix-cache-scorer",
    ),
    Wrong(
        name="blocks of another size than the engine's",
        changes=own({"type": "approx-prefix-cache-producer", "parameters": {"autoTune": False, "blockSizeTokens": 24}}),
        path="picker.config.plugins[1].parameters",
        value="blocks of 24 tokens",
        rule="caches blocks of 16 tokens",
        fix="use 16",
    ),
    Wrong(
        name="several pickers at work, each alone",
        changes={"picker.replicas": 2, "picker.leaderElection": False},
        path="picker.leaderElection",
        value="false",
        rule="approx-prefix-cache-producer knows only that part",
        fix="remove leaderElection",
    ),
    Wrong(
        name="precise on a release that cannot",
        changes={"picker.prefixRouting": "precise", "release": "gaie-1.5"},
        path="picker.prefixRouting",
        value="precise",
        rule="cannot follow KV events",
        fix="release llm-d-0.9",
    ),
    Wrong(
        name="an alias that the precise index does not know",
        changes={"picker.prefixRouting": "precise", "models[0].aliases": ["gemma"]},
        path="models[0].aliases",
        value="gemma",
        rule="matches nothing",
        fix="google/gemma-2b-it",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="precise index that hears of nobody",
        changes=own({"type": PRECISE}),
        path="picker.config.dataLayer",
        value=f"without {PRECISE}",
        rule="it follows none",
        fix=f"extractor {PRECISE}",
    ),
    Wrong(
        name="precise index that listens where nobody speaks",
        changes=own(
            {"type": "endpoint-notification-source"},
            {"type": PRECISE, "parameters": {"kvEventsConfig": {"zmqEndpoint": "tcp://*:5557"}}},
            dataLayer=HEARD,
        ),
        path="picker.config.plugins[2].parameters.kvEventsConfig",
        value="tcp://*:5557",
        rule="no event would arrive",
        fix="without zmqEndpoint",
    ),
    Wrong(
        name="precise index under KServe",
        stack="kserve-prefix-cache-gpu",
        changes={"picker.prefixRouting": "precise", "release": "llm-d-0.9"},
        path="picker.prefixRouting",
        value="precise",
        rule="a Service that KServe does not make",
        fix="deployment: direct",
    ),
    Wrong(
        name="fraction of a weight on v1.2",
        changes={"release": "llm-d-0.4", "picker.scorers.queue": 0.5},
        path="picker.scorers",
        value="0.5",
        rule="takes whole weights",
        fix="multiply all",
    ),
)
