"""Reads the arguments of `vllm serve` and the environment variables out of vLLM's source, without importing it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ARGUMENT_FILES = (
    "engine/arg_utils.py",
    "entrypoints/openai/cli_args.py",
    "entrypoints/cli/serve.py",
    "entrypoints/serve/utils/cli_args.py",
    "entrypoints/launchers/cli_args.py",
    "utils/argparse_utils.py",
)
# Classes whose fields are arguments. Underscores become dashes.
_ARGUMENT_CLASSES = ("FrontendArgs", "BaseFrontendArgs")
_ARGUMENT = re.compile(r"--[a-z][a-z0-9-]*$")


def arguments(package: Path) -> list[str]:
    """Arguments without their dashes."""
    names: set[str] = set()
    for name in _ARGUMENT_FILES:
        file = package / name
        if not file.exists():
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ARGUMENT.match(node.value):
                names.add(node.value.removeprefix("--"))
            if isinstance(node, ast.ClassDef) and node.name in _ARGUMENT_CLASSES:
                names |= {
                    field.target.id.replace("_", "-")
                    for field in node.body
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
                }
    return sorted(names)


def variables(file: Path) -> dict[str, str]:
    """Environment variables with their types: bool, int, float, text, or the values that are taken, joined by bars."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    declared = next(
        (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"), None
    )
    choices = _choices(tree)
    types: dict[str, str] = {}
    for field in declared.body if declared is not None else ():
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name = field.target.id
            types[name] = choices.get(name) or _type(field.annotation)
    return types


def _type(annotation: ast.expr) -> str:
    text = ast.unparse(annotation).replace(" | None", "").removeprefix("Optional[").removesuffix("]")
    if text.startswith("Literal["):
        return "|".join(str(value) for value in ast.literal_eval(f"[{text.removeprefix('Literal[')}]"))
    return text if text in ("bool", "int", "float") else "text"


def _choices(tree: ast.Module) -> dict[str, str]:
    """Values of variables that are read by env_with_choices(name, default, choices)."""
    choices: dict[str, str] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("env_with_choices")):
            continue
        constants = [ast.unparse(argument) for argument in node.args]
        try:
            name, values = ast.literal_eval(constants[0]), ast.literal_eval(constants[2])
        except (IndexError, ValueError, SyntaxError):
            continue
        choices[name] = "|".join(map(str, values))
    return choices
