"""Replaces names of models that no stack file can hold, and leaves out arguments that the release's vLLM refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from llm_d_gke.catalog import Catalog
from llm_d_gke.operations.adopt_manifests.pods import is_open
from llm_d_gke.operations.adopt_manifests.servers import NotCarried, Server
from llm_d_gke.planning.engine_support.option_values import wrong_values
from llm_d_gke.planning.engine_support.options import unknown_options
from llm_d_gke.planning.serving.extra_args import flag_of
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import ModelSettings


def with_known_model(server: Server, catalog: Catalog, not_carried: list[NotCarried]) -> Server:
    """The server with an id of the Hub in place of a path or a variable, or with no model where none is known.

    A path such as /models/Qwen3-8B stands for the only model of the catalog that has this name.
    """
    model = server.model or ""
    if is_open(model):
        why = "its value is not in the files: add the ConfigMap's manifest, or render first (kustomize build)"
        not_carried.append(NotCarried(server.origin, f"model {model}", why))
        return replace(server, model=None)
    if not model.startswith(("/", "./", "gs://", "s3://")):
        return _with_possible_model(server, not_carried)
    name = model.rstrip("/").rpartition("/")[2].lower()
    named = [other for other in catalog.models if other.rpartition("/")[2].lower() == name]
    if len(named) != 1:
        why = "it is a path, and no model of the catalog has its name: write the model's id of the Hub in its place"
        not_carried.append(NotCarried(server.origin, f"model {model}", why))
        return replace(server, model=None)
    why = f"{named[0]} is taken for it, from the Hub; set models[].source for a bucket or a volume"
    not_carried.append(NotCarried(server.origin, f"path {model}", why))
    served = server.served_name or (model if "--served-model-name" not in " ".join(server.arguments) else None)
    return replace(server, model=named[0], served_name=served)


def _with_possible_model(server: Server, not_carried: list[NotCarried]) -> Server:
    """The server without a model that no stack file can hold, such as `<model-name>` of a template."""
    if server.model is None:
        return server
    try:
        ModelSettings.model_validate({"id": server.model})
    except ValidationError:
        why = "it is no repository of the Hub: write the model's id in its place"
        not_carried.append(NotCarried(server.origin, f"model {server.model}", why))
        return replace(server, model=None)
    return server


def with_known_options(
    models: Sequence[dict[str, Any]], accelerator: str, catalog: Catalog, not_carried: list[NotCarried]
) -> list[dict[str, Any]]:
    """The models without the arguments that the default release's vLLM does not have: it would exit."""
    release = catalog.releases[str(StackSettings.model_fields["release"].default)]
    image = release.engine.image_for(catalog.accelerators[accelerator], disaggregated=False)
    if image is None:
        return list(models)
    checked = []
    for model in models:
        arguments = list(model.get("extraArgs", ()))
        for position, name, near in reversed(unknown_options(image.version, arguments)):
            words = _take_option(arguments, position)
            why = f"vLLM {image.version}, which the stack runs, has no option {name}"
            if near is not None:
                why += (
                    f"; did you mean {near}? Then put it into the stack file, or into the manifest and run this again"
                )
            not_carried.append(NotCarried(str(model["id"]), words, why))
        while wrong := wrong_values(image.version, arguments):
            words = _take_option(arguments, wrong[0].position)
            why = f"vLLM {image.version}, which the stack runs, exits on it: {wrong[0].reason}"
            not_carried.append(NotCarried(str(model["id"]), words, why))
        rest = {key: value for key, value in model.items() if key not in ("allowExtraArgs", "extraArgs")}
        checked.append(rest | ({"allowExtraArgs": True, "extraArgs": arguments} if arguments else {}))
    return checked


def _take_option(arguments: list[str], position: int) -> str:
    """Remove the option at `position`, or the option that has its value there, with all values. Return the words."""
    first = position
    while first > 0 and not flag_of(arguments[first]):
        first -= 1
    last = first + 1
    while last < len(arguments) and not flag_of(arguments[last]):
        last += 1
    words = " ".join(arguments[first:last])
    del arguments[first:last]
    return words
