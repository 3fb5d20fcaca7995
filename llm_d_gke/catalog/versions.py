"""Versions as numbers, so that they compare as numbers: of GKE, Kubernetes, charts, vLLM and CUDA.

A missing part is 0: `1.34` equals `1.34.0`. The one exception is a version of GKE that a cluster asks for, which means
the newest of those that begin with it (`reaches`).

The library `packaging` reads only versions of Python packages (PEP 440), which those of GKE and Helm charts are not.
"""

import functools
import re

Numbers = tuple[int, int, int, int]

_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:(?:\.|-gke\.)(\d+))?")
_GKE = re.compile(r"(\d+)\.(\d+)(?:\.(\d+)(?:-gke\.(\d+))?)?")


@functools.lru_cache(maxsize=1024)
def version_numbers(version: str) -> Numbers:
    """`v0.20` is (0, 20, 0, 0), and `1.34.1-gke.1829001` is (1, 34, 1, 1829001).

    What follows the numbers does not count: `0.11.1rc2` is taken as 0.11.1, `0.19.1+cu130` as 0.19.1. Raises ValueError
    on a text that does not begin with a version.
    """
    match = _NUMBERS.match(version)
    if match is None:
        raise ValueError(f"{version!r} is not a version, such as 1.34.1")
    major, minor, patch, build = (int(part or 0) for part in match.groups())
    return major, minor, patch, build


def gke_version_parts(version: str) -> tuple[int, ...]:
    """The parts that a version of GKE names, from two (`1.34`) to four. Raises ValueError on any other text."""
    match = _GKE.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a GKE version, such as 1.34.1-gke.1829001 or 1.34")
    return tuple(int(part) for part in match.groups() if part is not None)


def reaches(version: str, threshold: str) -> bool:
    """Whether the version of GKE that a cluster asks for is at or above another.

    Parts that it leaves out are the newest, as GKE resolves them: `1.34` reaches `1.34.1` (Kubernetes Engine API,
    `initialClusterVersion`: "1.X" picks the highest valid patch, "1.X.Y" the highest valid build of that patch).
    """
    parts = gke_version_parts(version)
    return parts >= version_numbers(threshold)[: len(parts)]
