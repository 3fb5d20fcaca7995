"""The project that stack files belong to: its folder, its namespace, and the defaults in its Pulumi.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PROJECT_FILE = "Pulumi.yaml"
EXAMPLES = "examples"
# Stack files of the project itself beside Pulumi.yaml. A user's own files are in the same folder.
MAIN_STACKS = ("gpu", "tpu")
NAMESPACE = "llm-d"


def full_key(key: object) -> str:
    """A key with its namespace. One without is the project's, as on Pulumi's command line."""
    return text if ":" in (text := str(key)) else f"{NAMESPACE}:{text}"


def project_defaults(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields key and value of every default in a parsed Pulumi.yaml, in the order in which Pulumi applies them.

    A key may declare `default:` or `value:`, or be the value itself where that is a scalar or a list. Source: Pulumi
    3.259, pkg/workspace/config.go (mergeConfig) and sdk/go/common/workspace/project.go (RewriteShorthandConfigValues).
    """
    declared = document.get("config")
    if not isinstance(declared, Mapping):
        return
    for key in sorted(declared):
        declaration = declared[key]
        if isinstance(declaration, str | int | list):
            yield key, declaration
        elif isinstance(declaration, Mapping):
            value = declaration.get("default")
            value = declaration.get("value") if value is None else value
            if value is not None:
                yield key, value


def stack_files(root: Path, stack: str) -> tuple[Path, Path]:
    """Where the file of a stack may be: in the project's folder, or else in its examples."""
    return root / f"Pulumi.{stack}.yaml", root / EXAMPLES / f"Pulumi.{stack}.yaml"


def stack_names(root: Path) -> list[str]:
    """Names of all stacks with a file in the project's folder or in its examples, sorted."""
    return sorted({*_names_in(root), *_names_in(root / EXAMPLES)})


def own_stacks(root: Path) -> list[str]:
    """Names of the stacks with a file in the folder itself, sorted: the environments, without examples."""
    return sorted(_names_in(root))


def project_stacks(root: Path = PROJECT_ROOT) -> list[str]:
    """Names of the stacks that belong to the project, sorted: the main ones and the examples, not a user's own."""
    return sorted([*MAIN_STACKS, *_names_in(root / EXAMPLES)])


def _names_in(folder: Path) -> list[str]:
    return [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in folder.glob("Pulumi.*.yaml")]
