"""Writes gcloud_flags.yaml again from an installed gcloud: `python -m tests.operations.eject.gcloud_flags`."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("gcloud_flags.yaml")
_COMPLETIONS = "data/cli/gcloud_completions.py"


def installed_tree() -> dict[str, Any] | None:
    """Commands and flags of the installed gcloud, None where there is none."""
    program = shutil.which("gcloud")
    for folder in Path(program).resolve().parents if program else ():
        file = folder / _COMPLETIONS
        if file.is_file():
            spec = importlib.util.spec_from_file_location("gcloud_completions", file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return dict(module.STATIC_COMPLETION_CLI_TREE)
    return None


def flags_of(tree: dict[str, Any], command: str) -> dict[str, Any]:
    """The flags of a command, by name without dashes."""
    for word in command.split():
        tree = tree["commands"][word]
    return {name.removeprefix("--"): kind for name, kind in sorted(tree["flags"].items())}


def main() -> None:
    tree = installed_tree()
    if tree is None:
        raise SystemExit("gcloud is not installed")
    text = TABLE.read_text(encoding="utf-8").splitlines()
    lines = [line for line in text if line.startswith("#")]
    for command in (line.removesuffix(":") for line in text if line[:1].isalpha()):
        lines.append(f"{command}:")
        lines += [f"  {name}: {_kind(kind)}" for name, kind in flags_of(tree, command).items()]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _kind(kind: Any) -> str:
    return "[" + ", ".join(json.dumps(value) for value in kind) + "]" if isinstance(kind, list) else str(kind)


if __name__ == "__main__":
    main()
