"""The endpoint picker: which replica answers a request."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, form

Weight = Annotated[float, Field(ge=0, le=100)]

# Kubernetes quantities (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity). Written with [0-9]:
# the class of all digits also has those of other scripts.
Cpu = Annotated[
    str,
    Field(
        pattern=r"^([1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)m?$",
        examples=["500m"],
        json_schema_extra=form("a Kubernetes quantity of CPUs: a number, or a number of thousandths with m"),
    ),
]
Memory = Annotated[
    str,
    Field(
        pattern=r"^[0-9]+(Mi|Gi)$",
        examples=["1Gi"],
        json_schema_extra=form("a Kubernetes quantity of memory: a whole number with Mi or Gi"),
    ),
]


class ScorerWeights(Settings):
    """Weights of the picker's scorers. A scorer of weight 0 is left out."""

    prefix_cache: Annotated[Weight, Field(description="Prefers the replica that holds the prompt's prefix.")] = 3
    kv_cache_utilization: Annotated[Weight, Field(description="Prefers the replica with the emptiest KV cache.")] = 2
    queue: Annotated[Weight, Field(description="Prefers the replica with the shortest queue.")] = 2
    no_hit_lru: Annotated[
        Weight | None,
        Field(
            description="Spreads prompts that no replica has cached: prefers the replica that got one longest ago. By "
            "default 1 where the pattern relies on prefixes or a replica has several data-parallel ranks, if the "
            "picker of the release has it."
        ),
    ] = None


# prefix: on long shared prefixes a hit saves more than an even load does.
PRESETS: Mapping[str, ScorerWeights] = {
    "balanced": ScorerWeights.defaults(),
    "prefix": ScorerWeights(prefix_cache=3, kv_cache_utilization=1, queue=1),
}


class PickerSettings(Settings):
    """Endpoint picker of every model."""

    preset: Annotated[
        Literal["balanced", "prefix"],
        Field(
            description="Weights for prefix match, free KV cache and short queue: balanced 3/2/2, prefix 3/1/1. "
            "A number in `scorers` wins."
        ),
    ] = "balanced"
    scorers: Annotated[
        ScorerWeights, Field(description="Weights of the scorers; those not given are the preset's.")
    ] = ScorerWeights.defaults()
    prefix_routing: Annotated[
        Literal["approximate", "precise"],
        Field(
            description="Where prefixes are believed to be: approximate remembers where prompts were sent, precise "
            "follows the engines' KV events."
        ),
    ] = "approximate"
    config: Annotated[
        dict[str, Any] | None,
        Field(
            description="An EndpointPickerConfig of your own, whole, instead of preset, scorers and prefixRouting: "
            "featureGates, plugins, schedulingProfiles and what else the release's picker knows.",
            examples=[
                {
                    "plugins": [{"type": "queue-scorer"}],
                    "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue-scorer"}]}],
                }
            ],
        ),
    ] = None
    allow_experimental_plugins: Annotated[
        bool, Field(description="Alpha plugins may stand in `config`: they may change or go with any release.")
    ] = False
    flow_control: Annotated[
        bool,
        Field(
            description="While all replicas are busy, requests wait in the picker, in turn for each client, those of"
            " clients with a higher priority first (gateway.priorities)."
        ),
    ] = False
    max_concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            description="Requests in progress on one replica, above which further ones wait in the picker."
            " By default the picker decides by metrics. models[].maxNumSeqs is the number that an engine works on.",
        ),
    ] = None
    failure_mode: Annotated[
        Literal["open", "close"], Field(description="Without a picker: any replica answers, or none.")
    ] = "close"
    release: Annotated[
        str | None,
        Field(
            description="Release whose picker (image, flags, configuration) runs instead of that of `release`. The two "
            "were not tested together: a rehearsal sets it where the release's own picker is not available.",
            examples=["llm-d-0.9"],
        ),
    ] = None
    replicas: Annotated[
        int, Field(ge=1, le=5, description="Pickers of one pool; above 1 a leader is elected and the others wait.")
    ] = 1
    leader_election: Annotated[
        bool, Field(description="Of several pickers one works. Without it all do, each knowing what it saw itself.")
    ] = True
    verbosity: Annotated[
        int | None,
        Field(
            ge=0,
            le=5,
            description="How much pickers log: 2 is their default, 4 adds every score of every request (for"
            " `make why`), 5 everything.",
        ),
    ] = None
    cpu: Annotated[Cpu, Field(description="CPU request of a picker.")] = "500m"
    memory: Annotated[Memory, Field(description="Memory request and limit of a picker.")] = "1Gi"

    @model_validator(mode="before")
    @classmethod
    def _weights_of_the_preset(cls, values: Any) -> Any:
        # Validated before the fields, so that all readers get complete weights and need not know the preset.
        if not isinstance(values, dict):
            return values
        preset, scorers = values.get("preset"), values.get("scorers", {})
        if not isinstance(preset, str) or preset not in PRESETS or not isinstance(scorers, dict):
            return values
        chosen = {name for key in scorers for name in ScorerWeights.model_fields if key in (name, _alias(name))}
        rest = PRESETS[preset].model_dump(exclude=chosen, by_alias=True)
        return {**values, "scorers": {**rest, **scorers}}


def _alias(name: str) -> str:
    return ScorerWeights.model_fields[name].alias or name
