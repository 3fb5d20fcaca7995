"""Catalog entries that a fix can suggest, looked up so that a new entry needs no change of the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llm_d_gke.catalog import Accelerator, Catalog, MachineType
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.catalog.release import Release


def any_of(names: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`. Empty for no names."""
    *others, last = [*names] or [""]
    return f"{', '.join(others)} or {last}" if others else last


def machines_with(catalog: Catalog, suits: Callable[[MachineType], bool]) -> str:
    """Machine types that suit. Those with Arm processors are left out: engine images are built for x86."""
    return any_of(entry.name for entry in catalog.machines.values() if suits(entry) and not entry.arm)


def machine_of(catalog: Catalog, accelerator: str, count: int) -> str | None:
    """The smallest machine type with exactly `count` of an accelerator built in."""
    machines = [entry for entry in catalog.machines_for(accelerator) if entry.accelerator_share == 1]
    return next(
        (entry.name for entry in machines if not entry.is_attachable and entry.accelerator_count == count), None
    )


def releases_with(catalog: Catalog, suits: Callable[[Release], bool]) -> str:
    """`release: a or b`, or a hint that no release suits."""
    return f"release: {any_of(names)}" if (names := _names(catalog, suits)) else "a newer release"


def releases_since(catalog: Catalog, accelerator: Accelerator, engine_version: str) -> str:
    """Releases whose engine on this accelerator has what came with a version of vLLM.

    The required features are multi-host and multi-rank serving: on GPUs only images that run `vllm serve` have them.
    """

    def suits(release: Release) -> bool:
        image = release.engine.image_for(accelerator, disaggregated=False)
        serves = accelerator.kind == "tpu" or bool(release.engine.command)
        return image is not None and serves and load_engine().has(image.version, engine_version)

    return releases_with(catalog, suits)


def releases_with_picker(catalog: Catalog, suits: Callable[[Picker], bool]) -> list[str]:
    """Names of the releases whose endpoint picker suits."""
    return _names(catalog, lambda release: suits(catalog.pickers[release.picker.build]))


def _names(catalog: Catalog, suits: Callable[[Release], bool]) -> list[str]:
    return [entry.name for entry in catalog.releases.values() if suits(entry)]
