"""vLLM's own argument parser as judge. Runs in the engine's environment: `inside.py QUESTIONS ANSWERS`.

QUESTIONS is a JSON list of command lines, each the arguments of `vllm serve` or, where the first one is an option, of
the module vllm.entrypoints.openai.api_server. ANSWERS gets a list of messages for each, an
empty one where vLLM accepts the command line.
It imports nothing of this project.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any


class DeprecationLog(logging.Handler):
    """Collects vLLM's messages about deprecated arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "deprecat" in record.getMessage().lower():
            self.lines.append(record.getMessage().splitlines()[0])


def parser_class() -> Any:
    """vLLM's parser, which has moved between modules."""
    for module in ("vllm.utils.argparse_utils", "vllm.utils"):
        with contextlib.suppress(ImportError, AttributeError):
            return importlib.import_module(module).FlexibleArgumentParser
    raise ImportError("vLLM has no FlexibleArgumentParser where it used to be")


def server_arguments() -> Any:
    """The arguments of the API server's module, which have moved too."""
    for module in ("vllm.entrypoints.openai.cli_args", "vllm.entrypoints.launchers.cli_args"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    raise ImportError("vLLM has no cli_args where they used to be")


def choose_platform() -> None:
    """Parse for processors: the package has no other code, and its version says nothing of the platform here."""
    cpu = importlib.import_module("vllm.platforms.cpu").CpuPlatform()
    importlib.import_module("vllm.platforms")._current_platform = cpu  # type: ignore[attr-defined]


@functools.cache
def serve_parser() -> tuple[Any, Any]:
    """The parser of `vllm` with its command `serve`, and that command. Building it takes half a second."""
    parser = parser_class()()
    commands = parser.add_subparsers(required=False, dest="subparser")
    for command in importlib.import_module("vllm.entrypoints.cli.serve").cmd_init():
        command.subparser_init(commands)
    return parser, command


@functools.cache
def module_parser() -> Any:
    return server_arguments().make_arg_parser(parser_class()())


def check_parser_names(namespace: Any) -> None:
    """Look parsers of tool calls and of reasoning up by name, as the API server does when it starts."""
    names = {"tool_call_parser": "vllm.tool_parsers", "reasoning_parser": "vllm.reasoning"}
    older = {"tool_call_parser": "vllm.entrypoints.openai.tool_parsers", "reasoning_parser": "vllm.reasoning"}
    for argument, package in names.items():
        name = getattr(namespace, argument, None)
        if not name:
            continue
        try:
            module = importlib.import_module(package)
        except ImportError:
            module = importlib.import_module(older[argument])
        manager = module.ToolParserManager if argument == "tool_call_parser" else module.ReasoningParserManager
        look_up = "get_tool_parser" if argument == "tool_call_parser" else "get_reasoning_parser"
        getattr(manager, look_up)(name)


def parse(arguments: Sequence[str]) -> None:
    """Parse and check a command line as vLLM does before it loads anything. Raises what vLLM raises."""
    engine_arguments = importlib.import_module("vllm.engine.arg_utils").AsyncEngineArgs
    if arguments and not arguments[0].startswith("-"):
        parser, command = serve_parser()
        namespace = parser.parse_args(["serve", *arguments])
        command.validate(namespace)
        if getattr(namespace, "model_tag", None) is not None:
            namespace.model = namespace.model_tag
    else:
        namespace = module_parser().parse_args(list(arguments))
        server_arguments().validate_parsed_serve_args(namespace)
    check_parser_names(namespace)
    engine_arguments.from_cli_args(namespace)


def judge(arguments: Sequence[str]) -> list[str]:
    deprecations, errors = DeprecationLog(), io.StringIO()
    logging.getLogger("vllm").addHandler(deprecations)
    try:
        with warnings.catch_warnings(record=True) as raised, contextlib.redirect_stderr(errors):
            warnings.simplefilter("always", DeprecationWarning)
            try:
                parse(arguments)
            except SystemExit:
                error_lines = [line for line in errors.getvalue().splitlines() if "error:" in line]
                return [(error_lines or ["it ended"])[-1][:300]]
            except Exception as error:
                return [f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"]
        warned = [str(warning.message) for warning in raised if "argument" in str(warning.message).lower()]
        return [f"deprecated: {line}" for line in dict.fromkeys([*deprecations.lines, *warned])]
    finally:
        logging.getLogger("vllm").removeHandler(deprecations)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as questions:
        command_lines = json.load(questions)
    choose_platform()
    with open(sys.argv[2], "w", encoding="utf-8") as answers:
        json.dump([judge(arguments) for arguments in command_lines], answers)


if __name__ == "__main__":
    main()
