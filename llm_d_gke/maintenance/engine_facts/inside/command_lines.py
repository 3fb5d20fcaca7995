"""Whether the engine takes command lines: its parser, the server's checks and `create_engine_config`, in forks."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from .modules import SERVER_OPTIONS, first_module
from .stand_in import CARD, AbsentModules, install_operators

_IMAGES = ("torchvision", "cv2")
_SECONDS, _LONGEST, _AT_ONCE, _ACCEPTED = 300, 500, 3, "accepted"
# Configurations that are read before the first fork: a fork that imports nothing takes a tenth of the time.
_READ_FIRST = 12
# Further modules that configuring a model imports, loaded once for all forks.
_PRELOADED = ("vllm.model_executor.layers.quantization", "vllm.tokenizers", "vllm.v1.executor", "vllm.compilation")
# Marks that reasoning and tool parsers search in a tokenizer.
_MARKS = """<think> </think> [THINK] [/THINK] <|channel> <channel|> <|begin_of_thought|> ◁think▷ ◁/think▷ <tool_call>
    </tool_call> <|tool_call> [TOOL_CALLS] <|channel|> <|message|> <|start|> <|end|> <seed:think> </seed:think>
    <mm:think> </mm:think> <|START_THINKING|> <|END_THINKING|>""".split()  # noqa: SIM905 - a word each


def configurations(question: Mapping[str, Any]) -> Any:
    """Default configurations of the engine's transformers, as config.json, by model type.

    Of those whose class, by the tables of `mappings`, is one of the engine's; the first table that has one decides.
    """
    auto = importlib.import_module("transformers.models.auto")
    names = importlib.import_module("transformers.models.auto.modeling_auto")
    supported = importlib.import_module("vllm.model_executor.models.registry").ModelRegistry.get_supported_archs()
    answers: dict[str, Any] = {}
    for mapping in question["mappings"]:
        for model_type, classes in getattr(names, mapping, {}).items():
            architecture = classes if isinstance(classes, str) else classes[0]
            if model_type in answers or architecture not in supported:
                continue
            with contextlib.suppress(Exception):
                # Through JSON, without the keys that only say how it was made.
                answers[model_type] = json.loads(
                    auto.CONFIG_MAPPING[model_type](architectures=[architecture]).to_json_string()
                )
    return answers


def command_lines(question: Mapping[str, Any]) -> Any:
    """For each case None where it is taken, or the error. `models` are configurations by name in the command lines."""
    _install_further_parts()
    judge = _judge()
    with tempfile.TemporaryDirectory(prefix="engine-lines-") as name:
        folder = Path(name)
        paths = {name: _model(folder, name, config) for name, config in question["models"].items()}
        # What is imported late is imported here for all forks.
        for path in sorted(paths.values())[:: max(1, len(paths) // _READ_FIRST)]:
            with contextlib.suppress(Exception, SystemExit):
                judge([path])
        gc.freeze()
        cases = [(_local(case["arguments"], paths), case["variables"]) for case in question["cases"]]
        for number, (words, variables) in enumerate(cases):
            if number >= _AT_ONCE:
                os.wait()
            if os.fork() == 0:
                _answer(judge, words, variables, folder / str(number))
        for _ in cases[-_AT_ONCE:]:
            os.wait()
        answers = [folder / str(number) for number, _ in enumerate(cases)]
        texts = [answer.read_text(encoding="utf-8") if answer.exists() else "unanswered" for answer in answers]
    return [None if text == _ACCEPTED else text for text in texts]


def _local(arguments: list[str], paths: Mapping[str, str]) -> list[str]:
    """Arguments with folders in place of repositories; names in requests stay."""
    for name, path in paths.items():
        arguments = [
            text if before == "--served-model-name" else text.replace(name, path)
            for before, text in zip(["", *arguments], arguments, strict=False)
        ]
    return arguments


def _judge() -> Callable[..., None]:
    arguments = first_module(*SERVER_OPTIONS)
    server = arguments
    if not hasattr(server, "validate_api_server_args"):
        server = first_module("vllm.entrypoints.launchers.launcher", "vllm.entrypoints.openai.api_server")
    parser_class = importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser
    engine = importlib.import_module("vllm.engine.arg_utils").AsyncEngineArgs
    usage = importlib.import_module("vllm.usage.usage_lib").UsageContext.OPENAI_API_SERVER
    registry = importlib.import_module("vllm.model_executor.models.registry")
    readers = importlib.import_module("vllm.envs").environment_variables
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # A process of its own would look for the real card.
    registry.__dict__["_run_in_subprocess"] = lambda function: function()
    parser = arguments.make_arg_parser(parser_class())

    def judge(words: list[str], variables: Iterable[str] = ()) -> None:
        for name in variables:
            # As the engine reads it later.
            readers.get(name, str)()
        args = parser.parse_args(words)
        args.model = args.model_tag or args.model
        arguments.validate_parsed_serve_args(args)
        server.validate_api_server_args(args)
        engine.from_cli_args(args).create_engine_config(usage_context=usage)

    return judge


def _install_further_parts() -> None:
    """Classes of models name operators of the CUDA build and the image library, and configuring calls none of them."""
    sys.meta_path.append(AbsentModules(_IMAGES))
    library = importlib.import_module("torch.library")
    register = library.register_fake

    def register_known(*arguments: Any, **options: Any) -> Any:
        def decorate(function: Any) -> Any:
            with contextlib.suppress(RuntimeError):
                register(*arguments, **options)(function)
            return function

        return decorate

    library.__dict__["register_fake"] = register_known
    install_operators(lambda name: not name.startswith("__"))
    # Up to 0.19 the devices of a node are counted past the platform.
    parallel = importlib.import_module("vllm.config.parallel")
    if hasattr(parallel, "cuda_device_count_stateless"):
        parallel.__dict__["cuda_device_count_stateless"] = lambda: CARD["devices"]


def _answer(judge: Callable[..., None], words: list[str], variables: Mapping[str, str], answer: Path) -> NoReturn:
    """In the fork: write what the engine says, and end."""
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        signal.alarm(_SECONDS)
        os.environ.update(variables)
        try:
            judge(words, variables)
            text = _ACCEPTED
        except SystemExit:
            sys.stderr.flush()
            output.seek(0)
            text = f"error:{output.read().decode(errors='replace').rpartition('error:')[2]}"
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        answer.write_text(" ".join(text.split())[:_LONGEST], encoding="utf-8")
        os._exit(0)


def _model(folder: Path, name: str, config: Mapping[str, Any]) -> str:
    """A folder with config.json and a small tokenizer that has the marks of parsers."""
    path = folder / name.replace("/", "--")
    path.mkdir()
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    vocabulary = {word: number for number, word in enumerate((*special.values(), *_MARKS))}
    tokenizers = importlib.import_module("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    tokenizer.add_special_tokens(list(vocabulary))
    tokenizer.save(str(path / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    for file, document in (("config.json", config), ("tokenizer_config.json", described)):
        (path / file).write_text(json.dumps(document), encoding="utf-8")
    return str(path)
