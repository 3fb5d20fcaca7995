"""Commands that lead to a stack file: catalog, size, init, adopt-manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_d_gke.cli.options import Changes, Stack, argument, option, overrides
from llm_d_gke.operations.catalog_tables.kind import Kind

_LOAD = "1/s 1000+200"


# Columns of the tables, and other words for them.
_KINDS = {
    Kind.MODELS: ("llm",),
    Kind.ACCELERATORS: ("gpu", "tpu", "chip", "card", "hardware"),
    Kind.ZONES: ("region", "location"),
    Kind.MACHINES: ("price", "pricing", "cost", "machine-type", "node", "vm", "instance"),
    Kind.RELEASES: ("version", "engine", "vllm", "llm-d", "picker"),
}


def _check_kind(kind: str) -> str:
    from llm_d_gke.planning.suggest import nearest

    if kind not in list(Kind):
        word = kind.lower().removesuffix("s")
        named = next((listed for listed, words in _KINDS.items() if word in words or word == listed[:-1]), None)
        close = named or nearest(kind, list(Kind))
        raise typer.BadParameter(f"{kind} is none of {', '.join(Kind)}{f'; did you mean {close}?' if close else ''}")
    return kind


def catalog(
    kind: Annotated[
        str,
        typer.Argument(help=f"What to list: {', '.join(Kind)}.", callback=_check_kind, autocompletion=lambda: [*Kind]),
    ] = "models",
    search: Annotated[
        str | None, argument(help="Words that must occur in a row, such as llama or europe-west4.")
    ] = None,
) -> int:
    """List the models, accelerators, zones, machines or releases that the catalog has."""
    from llm_d_gke.operations.catalog_tables.command import print_catalog

    return print_catalog(Kind(kind), search)


def _complete_model(incomplete: str) -> list[str]:
    from llm_d_gke.catalog import load

    return [name for name in load().models if name.lower().startswith(incomplete.lower())]


def size(
    model: Annotated[
        str, argument(help="Model of the catalog, or with --config-json any other.", autocompletion=_complete_model)
    ],
    load: Annotated[
        str,
        typer.Argument(
            help="Requests per second and tokens of prompt and answer, '20/s 2000+300'; or requests in flight,"
            " '16 2000+300'."
        ),
    ] = _LOAD,
    location: Annotated[
        str | None,
        option(
            "--location",
            help="Zone, region, or the start of several regions' names, such as europe: then each machine where it is"
            " cheapest. By default where a price is known.",
        ),
    ] = None,
    accelerator: Annotated[
        str | None, option("--accelerator", help="Only these accelerators: nvidia-l4, tpu, or v6e,h100.")
    ] = None,
    max_model_len: Annotated[
        int | None, option("--max-model-len", min=16, help="Longest request in tokens. By default twice the load's.")
    ] = None,
    write: Annotated[
        str | None, option("--write", metavar="STACK", help="Write Pulumi.STACK.yaml for the cheapest row without ~.")
    ] = None,
    config_json: Annotated[
        str | None,
        option(
            "--config-json", help="config.json of a model that the catalog lacks, or the folder that holds it; or hub."
        ),
    ] = None,
    load_option: Annotated[str | None, option("--load", metavar="LOAD", help="LOAD as an option.")] = None,
) -> int:
    """Compare what a model takes on every accelerator and machine: replicas, dollars, speed; cheapest first."""
    from llm_d_gke.operations.size.command import Choice, print_sizes
    from llm_d_gke.operations.size.load import LoadError

    if load_option is not None and load not in (_LOAD, load_option):
        raise LoadError(f"LOAD is given twice, as {load!r} and as --load {load_option!r}. State it once.")
    choice = Choice(location=location, accelerator=accelerator, max_model_len=max_model_len, config=config_json)
    return print_sizes(model, load_option or load, choice, write)


def init(
    name: Annotated[str | None, argument(help="Name of the new stack, instead of the first question.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take every default, ask nothing.")] = False,
) -> int:
    """Ask five questions and write a first stack file."""
    from llm_d_gke.operations.first_stack.command import write_first_stack

    return write_first_stack(name, ask=not yes)


def adopt_manifests(
    files: Annotated[
        list[Path],
        argument(
            help="Manifests (LLMInferenceService, Deployment, LeaderWorkerSet, ...), helm values of vllm-stack and"
            " llm-d-modelservice, output of `gcloud container clusters describe`; files or folders.",
            exists=True,
        ),
    ],
    location: Annotated[str | None, option("--location", help="Zone or region, where no file names one.")] = None,
    accelerator: Annotated[
        str | None, option("--accelerator", help="Accelerator of the catalog, where no file names one.")
    ] = None,
    write: Annotated[str | None, option("--write", metavar="STACK", help="Write Pulumi.STACK.yaml.")] = None,
) -> int:
    """Turn what runs today into a stack file, with a list of what it does not carry over.

    Exit status 2 if the stack is refused as it is.
    """
    from llm_d_gke.operations.adopt_manifests.command import adopt_files

    return adopt_files(files, write, location, accelerator)


def stage(
    stack: Stack,
    config: Changes = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the manifest.", dir_okay=False)] = Path(
        "stage.yaml"
    ),
) -> int:
    """Copy models from the Hugging Face Hub to the bucket of a stack: write the Job, print the commands that run it."""
    from llm_d_gke.operations.stage.command import write_stage

    return write_stage(stack, overrides(config), out)
