"""Accelerators and machine types by the names that people write."""

from __future__ import annotations

import math
import re

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import Accelerator, MachineType
from llm_d_gke.planning.setting_errors.words import choice_here, is_other_accelerator
from llm_d_gke.planning.suggest import did_you_mean, nearest


def machine_for_topology(
    topology: str | None, machine: MachineType, accelerator: Accelerator, catalog: Catalog, *, is_default: bool
) -> str:
    """The machine type whose slices come in a topology, or the topologies of this one; of every one by default."""
    fitting = catalog.machines_for(accelerator.name)
    others = [other.name for other in fitting if topology in other.topologies]
    possible = {name: None for host in (fitting if is_default else [machine]) for name in host.topologies}
    sides = sorted(map(int, topology.split("x"))) if topology else []
    # 4x2 is a 2x4 in another order; a 2x2x2 of a TPU with two dimensions has as many chips as a 2x4.
    turned = [name for name in possible if sorted(map(int, name.split("x"))) == sides]
    as_many = [name for name in possible if math.prod(map(int, name.split("x"))) == math.prod(sides)]
    closest = next(iter([*turned, *as_many]), topology or "")
    listed = did_you_mean(closest, list(possible))
    return f"use machineType: {others[0]}, whose slices do; with {machine.name}, {listed}" if others else listed


def accelerator_meant(name: str, catalog: Catalog) -> str:
    """The accelerator of GKE's node label or of gcloud's type, such as v6e-8; else the most similar."""
    by_label = {entry.node_label_value: entry.name for entry in catalog.accelerators.values()}
    word = re.sub(r"-\d+$", "", name.strip().lower())
    listing = list(catalog.accelerators)
    closest = by_label.get(name.strip().lower()) or choice_here("type", word)
    # Not all names of GPUs have both words of their maker: nvidia-tesla-l4 is an L4, and no T4.
    closest = closest or next((entry for entry in listing if _without_maker(entry) == _without_maker(name)), None)
    # nvidia-h200 is an nvidia-h200-141gb, and no B200.
    closest = closest or next((entry for entry in listing if entry.startswith(f"{word}-")), None)
    if closest is None:
        # A V100 is no misspelled A100.
        closest = None if is_other_accelerator(name) else nearest(name, listing)
    return f"{f'did you mean {closest}? All of them: ' if closest else 'use one of '}{', '.join(listing)}"


def _without_maker(name: str) -> str:
    return re.sub(r"^(?:(?:google|nvidia|tesla|gpu)[^a-z0-9]+)+", "", name.strip().lower())


def accelerators_named(word: str, catalog: Catalog) -> list[str]:
    """The accelerators that a word may mean: a name, GKE's node label, or the beginning of a part: `tpu`, `h100`."""
    text = word.strip().lower()
    if text in catalog.accelerators:
        return [text]
    by_label = [entry.name for entry in catalog.accelerators.values() if entry.node_label_value == text]
    return by_label or [
        name
        for name in catalog.accelerators
        if text and (name.startswith(f"{text}-") or any(part.startswith(text) for part in name.split("-")))
    ]
