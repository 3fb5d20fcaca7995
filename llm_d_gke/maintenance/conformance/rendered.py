"""What the project's stacks render for the parts of a release: command lines and configurations by image."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from llm_d_gke.planning.plan.pods import ContainerPlan
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, project_stacks
from llm_d_gke.stackfile.model_files import model_files

_VARIANTS = Path(__file__).with_name("variants.yaml")
# Some images are pulled with an account only.
ACCOUNT = {"server": "registry.redhat.io", "username": "somebody", "password": "a stand-in"}
# Names whose values decide what a program does with a configuration; of others only the type counts.
_NAMED = ("type", "kind", "apiVersion", "pluginRef")


@dataclass(frozen=True)
class Rendered:
    """One container's arguments, and the configuration file that they name, if any."""

    args: tuple[str, ...]
    config: Mapping[str, Any] | None = None


def configuration(release: str, stack: str) -> StackConfig:
    """A stack's configuration with another release."""
    return load(PROJECT_ROOT, stack, {"llm-d:release": release}, own_release=True)


def plan(release: str, stack: str, catalog: Catalog | None = None) -> StackPlan:
    """The plan of a stack on a release. Raises RefusedError."""
    config = configuration(release, stack)
    values = config.settings() | {"registry": ACCOUNT}
    return plan_raw(stack, values, config.encrypted() | {"registry"}, catalog, model_files(values))


def plans_of(release: str, catalog: Catalog | None = None, only: tuple[str, ...] = ()) -> dict[str, StackPlan]:
    """Stacks that a release plans, by name; those that it refuses are left out."""
    plans = {}
    for stack in only or project_stacks():
        try:
            plans[stack] = plan(release, stack, catalog)
        except RefusedError:
            continue
    return plans


def variant_settings() -> list[dict[str, Any]]:
    """Stack and settings of each variant."""
    read: list[dict[str, Any]] = read_yaml(_VARIANTS)
    return read


@functools.cache
def variants_of(release: str) -> Mapping[str, StackPlan]:
    """Variants of stacks that a release plans (variants.yaml), by stack and settings."""
    plans = {}
    for variant in variant_settings():
        config = configuration(release, variant["stack"])
        values = _merged(config.settings() | {"registry": ACCOUNT}, variant["settings"])
        try:
            planned = plan_raw(variant["stack"], values, config.encrypted() | {"registry"}, None, model_files(values))
        except RefusedError:
            continue
        plans[f"{variant['stack']} with {json.dumps(variant['settings'])}"] = planned
    return plans


def _merged(below: Any, above: Any) -> Any:
    """Settings on top of others: mappings by key, lists of mappings in order."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}
    if isinstance(below, list) and isinstance(above, list) and all(isinstance(layer, Mapping) for layer in above):
        return [_merged(layer, above[index]) if index < len(above) else layer for index, layer in enumerate(below)]
    return above


def _containers(plans: Mapping[str, StackPlan]) -> Iterator[tuple[ContainerPlan, Mapping[str, Any] | None]]:
    """Every container with the configuration file that its arguments name."""
    for plan in plans.values():
        if plan.router is not None:
            yield plan.router.pod, plan.router.config
        for model in plan.models:
            yield model.picker.pod, model.picker.config
            for server in model.servers:
                yield from ((container, None) for container in (server.pod, *server.pod.sidecars))


def rendered(plans: Mapping[str, StackPlan], image: str) -> list[Rendered]:
    """What is rendered for the containers of an image, each once."""
    renderings = {
        json.dumps([container.args, config], sort_keys=True): Rendered(tuple(container.args), config)
        for container, config in _containers(plans)
        if container.image == image
    }
    return list(renderings.values())


def names_for(plans: Mapping[str, StackPlan], image: str) -> set[str]:
    """Flags of all arguments that are rendered for an image."""
    return {name for rendering in rendered(plans, image) for name in names(rendering)}


def names(pod: Rendered) -> set[str]:
    """Flags of a container's arguments, without dashes and values."""
    return {arg.lstrip("-").partition("=")[0] for arg in pod.args if arg.startswith("-")}


def shape(renderings: list[Rendered]) -> str:
    """A digest of flags, plugins and fields. Numbers and names of models do not change it."""
    shapes = sorted(
        {json.dumps([sorted(names(rendering)), _shape(rendering.config)], sort_keys=True) for rendering in renderings}
    )
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()[:12]


def _shape(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shape(inner, key) for inner in value]
    return value if key in _NAMED else type(value).__name__
