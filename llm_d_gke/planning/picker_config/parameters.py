"""Parameters of plugins as types. Unknown names and wrong types are refused, as by a strict JSON decoder.

The parameters are those of llm_d_gke/catalog/picker_parameters.yaml. Here are their kinds, and rules about several
values of one group.
"""

import functools
import json
from collections.abc import Callable, Mapping
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model, model_validator
from pydantic.fields import FieldInfo

from llm_d_gke.catalog.picker_parameters import Parameter, load_picker_parameters
from llm_d_gke.catalog.pickers import Plugin


class Group(BaseModel):
    """A group of values of the picker's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Reference:
    """Marks a value that is the name of another plugin of the same configuration."""


PluginName = Annotated[str, Field(min_length=1), Reference()]
Duration = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$")]
Share = Annotated[float, Field(ge=0, le=1)]
AtLeastOne = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]

_KINDS: Mapping[str, Any] = {
    "flag": bool,
    "integer": int,
    "number": float,
    "any text": str,
    "text": Text,
    "path": Annotated[str, Field(pattern="^/")],
    "plugin": PluginName,
    "duration": Duration,  # Go's: "500ms", "1h30m"
    "nanoseconds": Annotated[int, Field(ge=0)],  # Go's time.Duration without a text form
    "share": Share,
    "share above 0": Annotated[float, Field(gt=0, le=1)],
    "share below 1": Annotated[float, Field(ge=0, lt=1)],
    "not negative": Annotated[float, Field(ge=0)],
    "positive": Annotated[float, Field(gt=0)],
    "count": Annotated[int, Field(ge=0)],
    "at least 1": AtLeastOne,
    "at least -1": Annotated[int, Field(ge=-1)],
    "port": Annotated[int, Field(ge=1, le=65535)],
    "texts by name": dict[str, str],
    "object": dict[str, Any],
}


def parameters_of(plugin: Plugin) -> type[Group]:
    """The parameters that a plugin takes."""
    return group_of(plugin.parameters)


def read_parameters(plugin: Plugin, parameters: Mapping[str, Any] | None) -> Group:
    """A plugin's parameters as the picker decodes them. Raises ValidationError."""
    return parameters_of(plugin).model_validate_json(json.dumps(parameters or {}))


def is_reference(field: FieldInfo) -> bool:
    """Whether a value is the name of another plugin."""
    marks = (
        *field.metadata,
        *(mark for part in getattr(field.annotation, "__args__", ()) for mark in getattr(part, "__metadata__", ())),
    )
    return any(isinstance(mark, Reference) for mark in marks)


@functools.cache
def group_of(name: str) -> type[Group]:
    """One group of the catalog. Raises KeyError."""
    group = load_picker_parameters()[name]
    fields: dict[str, Any] = {key: _field(parameter) for key, parameter in group.parameters.items()}
    base = group_of(group.like) if group.like is not None else Group
    rule = _RULES.get(name)
    checks: dict[str, Any] = {"_rule": model_validator(mode="after")(_refusing(rule))} if rule is not None else {}
    if group.flat:
        checks["_flat"] = model_validator(mode="before")(functools.partial(_nested, group.flat))
    return create_model(name, __base__=base, __validators__=checks, **fields)


def _nested(flat: Mapping[str, str], values: Any) -> Any:
    """The values with older names at their places; a later name wins. Mixed with newer names they are refused."""
    groups = {path.split(".")[0] for path in flat.values()}
    if not isinstance(values, dict) or not values.keys() & flat.keys() or values.keys() & groups:
        return values
    nested: dict[str, Any] = {key: value for key, value in values.items() if key not in flat}
    for name in (name for name in flat if name in values):
        group, key = flat[name].split(".")
        nested.setdefault(group, {})[key] = values[name]
    return nested


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """The type and the default of a field, as pydantic takes them."""
    kind, default = _type_of(parameter), parameter.default
    if parameter.is_required:
        return kind, ...
    if default is None:
        return kind | None, None
    if isinstance(default, dict | list):
        return kind, Field(default_factory=lambda: TypeAdapter(kind).validate_json(json.dumps(default)))
    return kind, default


def _type_of(parameter: Parameter) -> Any:
    if parameter.choices:
        return Literal[parameter.choices]
    name = parameter.several or parameter.kind or ""
    kind = _KINDS[name] if name in _KINDS else group_of(name)
    if parameter.several is None:
        return kind
    several: Any = GenericAlias(tuple, (kind, ...))
    if parameter.least is None:
        return several
    return Annotated[several, Field(min_length=parameter.least, max_length=parameter.most)]


# ---- rules about several values of a group: each returns why they do not go together ----


def _refusing(rule: Callable[[Any], str | None]) -> Callable[[Any], Any]:
    def check(group: Any) -> Any:
        if reason := rule(group):
            raise ValueError(reason)
        return group

    return check


def _something_passes(group: Any) -> str | None:
    passes = group.validValues or group.allowsNoLabel
    return None if passes else "without validValues it would have to allow replicas without the label"


def _prefill_is_undecided(group: Any) -> str | None:
    decided = group.stageOrder == "prefill-first" and group.deciders.prefill is not None
    return "with prefill first there is nothing left for deciders.prefill to decide" if decided else None


def _ceilings_are_in_order(group: Any) -> str | None:
    return None if group.minCeiling < group.maxCeiling else "minCeiling must lie below maxCeiling"


def _either(first: str, second: str) -> Callable[[Any], str | None]:
    def check(group: Any) -> str | None:
        alone = bool(getattr(group, first)) != bool(getattr(group, second))
        return None if alone else f"needs either {first} or {second}"

    return check


def _knows_engine(*built_in: str) -> Callable[[Any], str | None]:
    """`built_in`: engines whose metrics the picker knows (defaultEngineConfigs in extractor/metrics/factories.go)."""

    def check(group: Any) -> str | None:
        engines = (*built_in, *(engine.name for engine in group.engineConfigs))
        if not group.defaultEngine or group.defaultEngine in engines:
            return None
        return f"defaultEngine {group.defaultEngine} is none of {', '.join(engines)}"

    return check


def _tokens_have_one_source(group: Any) -> str | None:
    socket = group.udsTokenizerConfig is not None
    real = group.vllm is not None or (bool(group.modelName) and not socket)
    if sum((real, group.estimate is not None, socket)) > 1:
        return "takes one of vllm, estimate and udsTokenizerConfig"
    if (group.vllm is not None or socket) and not group.modelName:
        return "needs modelName, the model whose tokenizer it is"
    return None


def _has_model_and_tokenizer(group: Any) -> str | None:
    pool = group.indexerConfig.get("tokenizersPoolConfig")
    server = pool.get("uds") if isinstance(pool, dict) else None
    if not isinstance(pool, dict) or not pool.get("modelName") or not isinstance(server, dict):
        return "indexerConfig.tokenizersPoolConfig needs modelName, and uds with a tokenizer server's socket"
    if not server.get("socketFile"):
        return "indexerConfig.tokenizersPoolConfig.uds needs socketFile, where a tokenizer server listens"
    return None


_RULES: Mapping[str, Callable[[Any], str | None]] = {
    "ByLabel": _something_passes,
    "Disaggregation": _prefill_is_undecided,
    "Holdback": _ceilings_are_in_order,
    "Normalization": _either("fixedRange", "adaptiveRange"),
    "SessionName": _either("headerName", "cookieName"),
    "Metrics": _knows_engine("vllm", "sglang", "trtllm-serve", "triton-tensorrt-llm"),
    "TwoEngineMetrics": _knows_engine("vllm", "sglang"),
    "Tokens": _tokens_have_one_source,
    "SpeculativeScorer": _has_model_and_tokenizer,
}
