"""Questions about the options of `vllm serve`: their names, and what each of them takes."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from . import engine, fields
from .modules import SERVER_OPTIONS, first_module


def options(_: Mapping[str, Any]) -> Any:
    """Every option of `vllm serve`, and which of them are deprecated; values that an option is limited to."""
    arguments = first_module(*SERVER_OPTIONS)
    for name in ("vllm.utils.argparse_utils", "vllm.utils"):
        with contextlib.suppress(ImportError, AttributeError):
            parser_class = importlib.import_module(name).FlexibleArgumentParser
            break
    parser = arguments.make_arg_parser(parser_class())
    by_spelling: dict[str, Any] = {}
    deprecated: set[Any] = getattr(parser_class, "_deprecated", set())
    # All that the parser takes: since 0.33 an action names its visible spellings alone.
    for spelling, action in parser._option_string_actions.items():
        if spelling.startswith("--"):
            entry: dict[str, Any] = {}
            if (
                action in deprecated
                or getattr(action, "deprecated", False)
                or "deprecated" in (action.help or "").lower()[:60]
            ):
                entry["deprecated"] = True
            if spelling in ("--quantization", "--dtype", "--kv-cache-dtype", "--moe-backend", "--all2all-backend"):
                choices = action.choices or _choices(action)
                entry["values"] = sorted(str(choice) for choice in choices) if choices else []
            entry["takes"] = _value_kind(action)
            entry["words"] = [word for word in _WORDS if action.type is not None and _accepts(action.type, word)]
            if action.choices and len(action.choices) <= _FEW_CHOICES:
                entry["values"] = sorted(str(choice) for choice in action.choices if _is_choice(action, choice))
            by_spelling[spelling] = entry
            if entry["takes"] == "object" and not _accepts(action.type, '{"another": 1}'):
                by_spelling |= _parts(spelling, entry, _configuration("EngineArgs", action.dest))
            elif entry["takes"] == "json" and (handed_to := _configuration("VllmConfig", action.dest)) is not None:
                # The parser takes any JSON, whose keys are handed to this class.
                entry["takes"] = "object"
                by_spelling |= _parts(spelling, entry, handed_to)
            elif spelling == "--limit-mm-per-prompt":
                by_spelling |= _limits(spelling)
    for spelling, (configuration, field) in _fields_of_options().items():
        if spelling in by_spelling:
            _refine(by_spelling[spelling], fields.facts_of(configuration, field))
    for spelling, names in _registered().items():
        if spelling in by_spelling:
            by_spelling[spelling]["values"] = names
    return by_spelling


def _refine(entry: dict[str, Any], facts: Mapping[str, Any]) -> None:
    """Add what the configuration refuses of a value that the parser takes."""
    if entry["takes"] in ("integer", "number"):
        entry["range"] = facts.get("range", "")
    elif entry["takes"] == "text" and facts.get("values"):
        entry.setdefault("values", facts["values"])
    elif entry["takes"] in ("json", "object", "json or text") and facts.get("takes", "").startswith("object"):
        entry["takes"] = facts["takes"]
        entry["words"] = [word for word in entry["words"] if word in ("", "None") and facts.get("words")]


def _parts(name: str, entry: dict[str, Any], configuration: Any) -> dict[str, Any]:
    """Each key of an option's JSON object as an option of its own: `--name.key`. Adds the keys to the entry."""
    if configuration is None:
        return {}
    own = [field for field in dataclasses.fields(configuration) if field.init]
    entry["keys"] = sorted(field.name for field in own)
    entry["needs"] = sorted(field.name for field in own if fields.is_needed(configuration, field.name))
    parts: dict[str, Any] = {}
    for key in entry["keys"]:
        part = parts[f"{name}.{key}"] = fields.facts_of(configuration, key)
        if part.get("takes") == "object" and fields.keys(configuration, key):
            parts |= _parts(f"{name}.{key}", part, fields.inner_class(configuration, key))
    return parts


def _limits(name: str) -> dict[str, Any]:
    """Numbers of images, sounds and videos in a request, or objects of their own classes."""
    module = first_module("vllm.config.multimodal")
    parts: dict[str, Any] = {}
    for modality in ("image", "audio", "video"):
        configuration = getattr(module, f"{modality.capitalize()}DummyOptions", None)
        if configuration is not None:
            part: dict[str, Any] = {"takes": "integer or object", "range": "at least 0"}
            parts |= {f"{name}.{modality}": part} | _parts(f"{name}.{modality}", part, configuration)
    return parts


def _fields_of_options() -> dict[str, tuple[Any, str]]:
    """The class and the field that the engine hands the value of an option to, read in the code that adds options."""
    arguments = importlib.import_module("vllm.engine.arg_utils")
    tree = ast.parse(textwrap.dedent(inspect.getsource(arguments.EngineArgs.add_cli_args)))
    classes = {
        node.targets[0].id: node.value.args[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "get_kwargs"
        and isinstance(node.value.args[0], ast.Name)
    }
    by_option: dict[str, tuple[Any, str]] = {}
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument"):
            continue
        for node in ast.walk(call):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Name)
                and node.value.id in classes
                and isinstance(node.slice, ast.Constant)
            ):
                configuration = getattr(arguments, classes[node.value.id])
                by_option |= dict.fromkeys(_spellings(call), (configuration, str(node.slice.value)))
    return by_option


def _registered() -> dict[str, list[str]]:
    """Words of options that the engine looks up in a registry of its own when it starts."""
    names: dict[str, list[str]] = {}
    model = importlib.import_module("vllm.config.model")
    for option, (module, table, others) in _REGISTRIES.items():
        with contextlib.suppress(ImportError, AttributeError):
            registry: Any = importlib.import_module(module)
            for attribute in table.split("."):
                registry = getattr(registry, attribute)
            resolved = (word for word in others if word == "auto" or word in typing.get_args(model.TokenizerMode))
            names[option] = sorted({*registry, *resolved})
    # No parser at all is one of the words.
    names |= {f"{option}.reasoning_parser": [*engine.parsers({})["reasoning"], ""] for option in _OF_REASONING}
    platform = importlib.import_module("vllm.platforms").current_platform
    with contextlib.suppress(AttributeError, TypeError):
        names["--mm-encoder-attn-backend"] = sorted(entry.name for entry in platform.get_supported_vit_attn_backends())
    return names


_OF_REASONING = ("--reasoning-config", "--structured-outputs-config")
# Module, table, and words that it resolves before it looks there, if the version has them (0.32.0 has no "slow").
_REGISTRIES = {
    "--kv-cache-dtype": ("vllm.config.cache", "KV_CACHE_DTYPES", ()),
    "--speculative-config.kv_cache_dtype": ("vllm.config.cache", "KV_CACHE_DTYPES", ()),
    "--config-format": ("vllm.transformers_utils.config", "_CONFIG_FORMAT_TO_CONFIG_PARSER", ("auto",)),
    "--load-format": ("vllm.model_executor.model_loader", "_LOAD_FORMAT_TO_MODEL_LOADER", ()),
    "--tokenizer-mode": ("vllm.tokenizers.registry", "TokenizerRegistry.tokenizers", ("auto", "slow")),
}


def _spellings(call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        if isinstance(argument, ast.Constant) and str(argument.value).startswith("--"):
            yield str(argument.value)


# Longer lists are those of models, quantization and parsers, which have tables of their own.
_FEW_CHOICES = 40
# What some options take in place of their kind of value: no value, and a number with a unit.
_WORDS = ("", "None", "auto", "inf", "8k")


def _is_choice(action: Any, choice: Any) -> bool:
    """Whether the parser finds a choice again after its conversion, which makes None of the word None."""
    try:
        return (choice if action.type is None else action.type(str(choice))) in action.choices
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False


def _value_kind(action: Any) -> str:
    """The value type of an option, found by trying its converter.

    Nothing, perhaps a word, several words or integers, a whole number, a number, JSON, a JSON object, text, or JSON or
    text.
    """
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        return "nothing"
    if action.nargs in ("*", "+"):
        integers = action.type is not None and _accepts(action.type, "1") and not _accepts(action.type, "word")
        return ("several" if action.nargs == "*" else "one or more") + (" integers" if integers else "")
    if action.nargs == "?":
        return "perhaps"
    if action.type is None or _accepts(action.type, "word"):
        return "text" if action.type is None or _accepts(action.type, "{word}") else "json or text"
    if _accepts(action.type, "{}"):
        return "json" if _accepts(action.type, "8") else "object"
    if _accepts(action.type, "1"):
        return "number" if _accepts(action.type, "0.5") else "integer"
    return "text"


def _configuration(holder: str, field: str) -> Any:
    """The class of an option's JSON object, by the annotation in a class of the engine; None where it has none.

    Some annotations name classes that only type checkers import, so the class is looked up among those of vllm.config.
    """
    arguments = getattr(importlib.import_module("vllm.engine.arg_utils"), holder)
    annotation = next((str(entry.type) for entry in dataclasses.fields(arguments) if entry.name == field), "")
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("vllm.config")]
    for name in re.findall(r"\w+", annotation):
        for module in modules:
            configuration = getattr(module, name, None)
            if dataclasses.is_dataclass(configuration):
                return configuration
    return None


def _accepts(convert: Any, text: str) -> bool:
    try:
        convert(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return False
    return True


def _choices(action: Any) -> list[str]:
    """Values that the metavar or help of an option lists, if its type checks them."""
    metavar = action.metavar
    return [str(part) for part in metavar] if isinstance(metavar, list | tuple) else []
