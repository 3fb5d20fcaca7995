"""Reads the environment variables out of vLLM's source, without importing it."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from types import SimpleNamespace

# Words for a boolean with their meanings, and the types of variables by the words that mean what they say.
_WORDS = {"0": False, "1": True, "false": False, "true": True}
_BY_WORDS = {
    ("0", "1"): "bool",
    tuple(_WORDS): "switch",
    ("0", "false", "true"): "true|false",
    ("false", "true"): "true|false",
}


def variables(file: Path) -> dict[str, str]:
    """Environment variables with their types: those of `catalog.upstream.Availability`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    declared = next(
        (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"), None
    )
    choices = _choices(tree)
    switches = _switches(tree)
    types: dict[str, str] = {}
    for field in declared.body if declared is not None else ():
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name = field.target.id
            types[name] = choices.get(name) or _type(field.annotation)
            if types[name] == "bool":
                types[name] = switches.get(name, "bool")
    # Some stand in the table of readers alone.
    return {**switches, **types}


def _switches(tree: ast.Module) -> dict[str, str]:
    """Boolean variables that read other words than 0 and 1: the module's own expression for each is evaluated.

    Of vLLM 0.26.0's switches, most end with a ValueError on `true`, and a few read `1` as false.
    """
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    read_by = {
        key.value: reader
        for table in ast.walk(tree)
        if isinstance(table, ast.Dict)
        for key, reader in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(reader, (ast.Lambda, ast.Call))
    }
    switches: dict[str, str] = {}
    for name, reader in read_by.items():
        accepted = [word for word, meaning in _WORDS.items() if _read(name, word, reader, functions) is meaning]
        if (type_ := _BY_WORDS.get(tuple(accepted))) is not None:
            switches[name] = type_
    return switches


def _read(name: str, word: str, reader: ast.expr, functions: list[ast.FunctionDef]) -> object:
    """What the expression makes of the variable's value; None where it fails."""
    environment = {name: word}
    namespace: dict[str, object] = {"os": SimpleNamespace(environ=environment, getenv=environment.get, path=os.path)}
    module = ast.Module([*(_untyped(function) for function in functions), ast.Expr(reader)], type_ignores=[])
    module.body[-1] = ast.Assign([ast.Name("read", ast.Store())], reader)
    try:
        exec(compile(ast.fix_missing_locations(module), name, "exec"), namespace)  # noqa: S102
        return namespace["read"]()  # type: ignore[operator]
    except Exception:
        return None


def _untyped(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function without annotations and decorators, which name what is not imported here."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    function.returns, function.decorator_list = None, []
    return function


def _type(annotation: ast.expr) -> str:
    text = ast.unparse(annotation).replace(" | None", "").removeprefix("Optional[").removesuffix("]")
    if text.startswith("Literal["):
        return "|".join(str(value) for value in ast.literal_eval(f"[{text.removeprefix('Literal[')}]"))
    return "json" if text.startswith("dict[") else text if text in ("bool", "int", "float") else "text"


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
