"""Options that `vllm serve` of a version knows."""

from __future__ import annotations

import difflib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import facts_of, load_facts, versions
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.quantities import token_count

# 8k and 1.5m are thousands and millions, 8K and 8M powers of 1024 without decimals (human_readable_int in
# vllm/utils/argparse_utils.py, the same in 0.26.0 and 0.30.0).
WITH_UNIT = re.compile(r"(?<![\w.])(?:[0-9]+(?:\.[0-9]+)?[kmgt]|[0-9]+[KMGT])(?!\w)")
ALL_TO_ALL = "--all2all-backend"
# `-O3`, `-O=3` and `-O 3` (vllm/utils/argparse_utils.py of 0.14.1 to 0.32.0).
OPTIMIZATION, LEVEL, LEVEL_ALONE = "--optimization-level", re.compile(r"^-O=?(?=[0-9]+$)"), "-O"
# The oldest version whose options are among `earlier_options` of engine.yaml.
_READ_SINCE = (0, 7, 3)
# Settings of the arguments that the planner renders from them, for messages.
SETTINGS = {
    "--chat-template": "chatTemplate",
    "--speculative-config": "speculativeDecoding",
    "--max-model-len": "maxModelLen",
    "--gpu-memory-utilization": "gpuMemoryUtilization",
    "--dtype": "dtype",
    "--max-num-seqs": "maxNumSeqs",
    "--max-num-batched-tokens": "maxNumBatchedTokens",
    "--quantization": "quantization",
    "--kv-cache-dtype": "kvCacheDtype",
    "--block-size": "blockSize",
    "--enable-prefix-caching": "prefixCaching",
    "--pipeline-parallel-size": "pipelineParallel",
    "--enable-expert-parallel": "expertParallel",
    ALL_TO_ALL: "allToAll",
    "--max-lora-rank": "adapters[].rank",
    "--max-loras": "adapters",
}


def split_option(text: str) -> tuple[str, str, str]:
    """The name of an argument's option in full, `=` if it is there, and the value behind it."""
    name, separator, value = LEVEL.sub(f"{OPTIMIZATION}=", text).partition("=")
    return OPTIMIZATION if name == LEVEL_ALONE else long_form(name), separator, value


def long_form(name: str) -> str:
    """The name of an option in full, with its part: underscores are another spelling of dashes.

    Of two spellings of a switch that is off, the one that every version has.
    """
    option, dot, part = name.partition(".")
    full = f"{load_engine().short_options.get(option, option)}{dot}{part}".replace("_", "-")
    return _opposites().get(full, full)


@functools.cache
def _opposites() -> Mapping[str, str]:
    """Since 0.33 `--disable-x` is `--no-enable-x` as well, and `--enable-x` is `--no-disable-x`."""
    options = _options_of_all_tables()
    pairs = (("--no-enable-", "--disable-"), ("--no-disable-", "--enable-"))
    opposites = {
        option.replace(begin, other, 1): option
        for begin, other in pairs
        for option in options
        if option.startswith(begin)
    }
    # What has a negation of its own is a switch of its own in some version.
    return {
        name: option
        for name, option in opposites.items()
        if name in options and name.replace("--", "--no-", 1) not in options
    }


def unknown_options(version: str, arguments: Sequence[str]) -> list[tuple[int, str, str | None]]:
    """Position and name of every option that `vllm serve` of this version ends on, with the one that it means.

    Python's parser takes a beginning of an option that only one option has; options of a part (`--a.b`) are taken with
    the part. A version between two tables is judged by what both of them lack, and by what is known to have come or to
    have gone; one before every table by what no version has.
    """
    tables, engine = [facts.options for facts in facts_of(version)], load_engine()
    of_any_version = _options_of_any_version(version) if not tables else ()
    unknown: list[tuple[int, str, str | None]] = []
    for position, name in _options(arguments):
        dropped = engine.dropped_options.get(name)
        is_gone = dropped is not None and engine.has(version, dropped)
        is_late = engine.lacks(version, name.replace("--no-", "--", 1))
        if tables:
            is_had = any(not options or full_option(options, name) is not None for options in tables)
        else:
            is_had = not of_any_version or any(option.startswith(name) for option in of_any_version)
        if is_had and not (is_gone or is_late):
            continue
        candidates = {option for options in (*tables, of_any_version) for option in options} - set(
            engine.dropped_options
        )
        unknown.append((position, name, _nearest(name, candidates)))
    return unknown


def _nearest(name: str, options: Iterable[str]) -> str | None:
    """The option that a misspelled one means. What other versions have is none, however near another one is."""
    if is_of_another_version(name):
        return None
    short = load_engine().short_options.get(name.removeprefix("-"))
    near = difflib.get_close_matches(name, sorted(options), n=1, cutoff=0.75)
    return short or next(iter(near), None)


def is_of_another_version(name: str) -> bool:
    """Whether a version has the option that a version lacks."""
    return name in _options_of_all_tables() or name in load_engine().earlier_options


@functools.cache
def _options_of_all_tables() -> frozenset[str]:
    return frozenset(option for name in versions() for option in load_facts(name).options)


@functools.cache
def _options_of_any_version(version: str) -> tuple[str, ...]:
    """For a version before every table: what it and all others that were read have. Empty where none was read."""
    if version_numbers(version) < _READ_SINCE:
        return ()
    return (*load_engine().earlier_options, *sorted(_options_of_all_tables()))


def _options(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    for position, text in enumerate(arguments):
        name = text.partition("=")[0].replace("_", "-")
        # A dash alone begins short options (-tp): with several words it is a long one, misspelled.
        if re.match(r"--[A-Za-z]", name) or re.fullmatch(r"-[a-z]{2,}(-[a-z0-9]+)+", name):
            yield position, name.partition(".")[0]
        elif re.fullmatch(r"-[A-Za-z]+", name) and not _is_short(name):
            yield position, name


def _is_short(name: str) -> bool:
    """Whether Python's parser takes a name for a short option: itself, its only continuation, or it with a value.

    `-O` and `-h` are the parser's own.
    """
    options = (*load_engine().short_options, "-O", "-h")
    return name in options or name[:2] in options or sum(option.startswith(name) for option in options) == 1


def full_option(options: Sequence[str], name: str) -> str | None:
    """The option that the parser takes a name for: itself, or the only one that begins so."""
    if name in options:
        return name
    longer = [option for option in options if option.startswith(name)]
    return longer[0] if len(longer) == 1 and name.startswith("--") else None


def abbreviations(version: str, arguments: Sequence[str]) -> list[tuple[int, str, str]]:
    """Position and name of every option that the parser completes, with the full name that all tables agree on."""
    tables = facts_of(version)
    completed = []
    for position, name in _options(arguments):
        full = {full_option(facts.options, name) for facts in tables}
        if len(full) == 1 and (only := full.pop()) not in (None, name):
            completed.append((position, name, only))
    return completed


def replaced_objects(arguments: Sequence[str]) -> list[tuple[int, str]]:
    """Position and name of every option that is given whole and, elsewhere, by parts: only its parts count.

    vLLM's parser appends the parts as one object behind all other arguments, where it replaces the whole one
    (vllm/utils/argparse_utils.py, 0.11.2 to 0.30.0).
    """
    names = [(position, text.partition("=")[0].replace("_", "-")) for position, text in enumerate(arguments)]
    parts = {name.partition(".")[0] for _, name in names if name.startswith("-") and "." in name}
    return [(position, name) for position, name in names if name in parts]


def option_value(arguments: Sequence[str], *names: str) -> str | None:
    """The last value of an option among extra arguments, `--name value` or `--name=value`."""
    value = None
    for position, text in enumerate(arguments):
        name, separator, inline_value = split_option(text)
        if name in names:
            value = inline_value if separator else arguments[position + 1] if position + 1 < len(arguments) else None
    return value


def is_on(arguments: Sequence[str], option: str) -> bool | None:
    """A switch among extra arguments; None where it is not there. The last one counts."""
    value = None
    for argument in arguments:
        name = long_form(argument)
        if name == option:
            value = True
        elif name == option.replace("--", "--no-", 1):
            value = False
    return value


def argument_of(arguments: Sequence[str], path: Sequence[str | int]) -> tuple[int, str] | None:
    """Position and text of the further argument that has the effect of a model's setting, the last of several."""
    last = None
    for position, text in enumerate(arguments):
        name, separator, _ = text.partition("=")
        if (SETTINGS.get(long_form(name)),) == tuple(path):
            following = arguments[position + 1 : position + 2] if not separator else ()
            last = position, " ".join((text, *(word for word in following if not word.startswith("-"))))
    return last


def option_words(arguments: Sequence[str], option: str) -> list[str]:
    """The words behind an option that takes several, the last time it is given."""
    words: list[str] = []
    for position, text in enumerate(arguments):
        name, separator, inline_value = split_option(text)
        if name == option:
            following = itertools.takewhile(lambda word: not word.startswith("-"), arguments[position + 1 :])
            words = [inline_value] if separator else list(following)
    return words


def object_value(arguments: Sequence[str], name: str) -> dict[str, object] | None:
    """An option that takes a JSON object, with the keys that are given alone (`--name.key value`).

    None without the option, and for a value that is no object.
    """
    whole = option_value(arguments, name)
    parts = {
        text.partition("=")[0].removeprefix(f"{name}.").replace("-", "_"): text
        for text in arguments
        if long_form(text.partition("=")[0]).startswith(f"{name}.")
    }
    if whole is None and not parts:
        return None
    try:
        value = json.loads(with_plain_numbers(whole or "{}"))
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    for key in parts:
        written = nested_value(arguments, name, key)
        try:
            value[key] = json.loads(written or "")
        except ValueError:
            value[key] = written
    return value


def nested_value(arguments: Sequence[str], name: str, key: str) -> str | None:
    """A key of an option that takes a JSON object, `--name.key value` or `--name '{"key": "value"}'`.

    A key of an object inside of it is `outer.key`. `--name.key+ value` adds to a list. Lists and objects are JSON.
    """
    spelled = f"{name}.{key}".replace("_", "-")
    value = option_value(arguments, spelled)
    if value is not None:
        return value
    added = option_value(arguments, f"{spelled}+")
    if added is not None:
        return json.dumps(added.split(","))
    outer, inside, last = key.rpartition(".")
    text = nested_value(arguments, name, outer) if inside else option_value(arguments, name)
    try:
        whole = json.loads(with_plain_numbers(text or "{}"))
    except ValueError:
        return None
    inner = whole.get(last) if isinstance(whole, dict) else None
    if isinstance(inner, list | dict):
        return json.dumps(inner)
    return None if inner is None else str(inner)


def with_plain_numbers(text: str) -> str:
    """JSON whose numbers with units stand as plain ones, which vLLM takes since 0.20 (`{"cpu_bytes_to_use": 80m}`).

    Units outside strings are read as in whole values (_expand_json_human_readable_numbers, engine/arg_utils.py of
    0.20.2 to 0.32.0).
    """
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    parts[::2] = [re.sub(WITH_UNIT, lambda match: str(token_count(match[0])), part) for part in parts[::2]]
    return "".join(parts)


def named_backend(arguments: Sequence[str]) -> str | None:
    """The attention back end that options choose."""
    return option_value(arguments, "--attention-backend") or nested_value(arguments, "--attention-config", "backend")
