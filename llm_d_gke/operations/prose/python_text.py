"""Extracts from Python source the text that only people read, and the names that it binds."""

from __future__ import annotations

import ast
import io
import tokenize

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def comments_and_names(source: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Docstrings and comments, and the names of functions, classes, parameters and variables, each with its line.

    A docstring has the number of its first line. Attributes are not listed.
    """
    comments, names = [], []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node, clean=False)) is not None:
            comments.append((node.body[0].lineno, text))
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.append((node.lineno, node.name))
            case ast.arg():
                names.append((node.lineno, node.arg))
            case ast.Name(ctx=ast.Store()):
                names.append((node.lineno, node.id))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string))
    return comments, names
