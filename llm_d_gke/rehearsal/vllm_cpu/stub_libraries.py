"""Shared libraries without code in place of NVIDIA's, which PyPI's torch links against and a processor never uses.

They are several gigabytes. Without an accelerator torch loads them and calls none.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_SYMBOL_LINE = re.compile(r"^\s*(?:[0-9a-f]+\s+)?([A-Za-z])\s+([^\s@]+)(?:@@?(\S+))?$")


def stub_libraries(libraries: Iterable[Path], folder: Path) -> list[str]:
    """Build a shared library for every missing soname that `libraries` need. Needs gcc, readelf and nm.

    Each defines the symbols, with their versions, that the libraries import from it. A call returns an error code,
    which torch reads as "no driver".
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = [path for path in libraries if path.is_file()]
    own = {path.name for path in present}
    needed = {name for path in present for name in _needed(path)}
    missing = sorted(name for name in needed - own if not _is_installed(name))
    if not missing:
        return []
    defined = {symbol for path in present for symbol, _ in _symbols(path, "--defined-only")}
    imported = {pair for path in present for pair in _symbols(path, "--undefined-only") if pair[0] not in defined}
    versions = {version: soname for path in present for version, soname in _version_needs(path).items()}
    shares: dict[str, set[tuple[str, str | None]]] = {name: set() for name in missing}
    for symbol, version in imported:
        if version is None:
            # The dynamic linker looks an unversioned symbol up in every library: one definition is enough.
            shares[missing[0]].add((symbol, None))
        elif versions.get(version) in shares:
            shares[versions[version]].add((symbol, version))
    for soname, symbols in shares.items():
        _build(folder / soname, soname, symbols)
    return missing


def _build(target: Path, soname: str, symbols: Iterable[tuple[str, str | None]]) -> None:
    source, script = target.with_suffix(".c"), target.with_suffix(".map")
    by_version: dict[str | None, set[str]] = defaultdict(set)
    for symbol, version in symbols:
        by_version[version].add(symbol)
    names = sorted({symbol for group in by_version.values() for symbol in group})
    # Weak, so that a symbol which the C library has after all is taken from there.
    lines = [f'__attribute__((weak)) int stub_{n}(void) __asm__("{name}");' for n, name in enumerate(names)]
    lines += [f"int stub_{n}(void) {{ return 100; }}" for n in range(len(names))]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    blocks = [
        f"{version} {{ global: {' '.join(f'{name};' for name in sorted(group))} }};"
        for version, group in by_version.items()
        if version is not None
    ]
    command = ["gcc", "-shared", "-fPIC", "-w", "-nostdlib", f"-Wl,-soname,{soname}", "-o", str(target), str(source)]
    if blocks:
        script.write_text("\n".join(blocks) + "\n", encoding="utf-8")
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, check=True)


def _needed(path: Path) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", _run("readelf", "-d", str(path)))


def _version_needs(path: Path) -> dict[str, str]:
    """Symbol version -> the library that has to define it."""
    sonames, soname = {}, ""
    for line in _run("readelf", "-V", "-W", str(path)).splitlines():
        file = re.search(r"File: (\S+)", line)
        if file is not None:
            soname = file[1]
        name = re.search(r"Name: (\S+)\s+Flags", line)
        if name is not None and soname:
            sonames[name[1]] = soname
    return sonames


def _symbols(path: Path, which: str) -> list[tuple[str, str | None]]:
    matches = (_SYMBOL_LINE.match(line) for line in _run("nm", "-D", which, str(path)).splitlines())
    return [(match[2], match[3]) for match in matches if match is not None]


def _is_installed(soname: str) -> bool:
    return any((folder / soname).exists() for folder in _SYSTEM)


_SYSTEM = [Path(text) for text in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64")]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
