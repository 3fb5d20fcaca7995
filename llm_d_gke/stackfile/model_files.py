"""Reads config.json of the models that a stack file configures itself, from disk or from the Hugging Face Hub, and
their chat templates.

Planning gets the contents and reads no file.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from llm_d_gke.stackfile.project import PROJECT_ROOT

HUB = "hub"
_CONFIG, _INDEX, _QUANTIZATION = "config.json", "model.safetensors.index.json", "hf_quant_config.json"
_LARGEST = 50_000_000
# What etcd takes in one object, less what the object has around it.
_LARGEST_TEMPLATE = 1_000_000
_GENERATION = re.compile(r"{%-?\s*(?:end)?generation\s*-?%}")
_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model's configuration as read. `weights_bytes` are from the index of its files, `revision` is the Hub's commit.

    `quantization` is hf_quant_config.json, which some repositories have beside config.json. `problem` is the reason if
    `config` is empty. `chat_template` is the text of the template, `chat_template_problem` the reason if there is
    none.
    """

    config: Mapping[str, Any]
    weights_bytes: int | None = None
    revision: str | None = None
    quantization: Mapping[str, Any] | None = None
    problem: str | None = None
    chat_template: str | None = None
    chat_template_problem: str | None = None


def model_files(values: Mapping[str, Any], root: Path = PROJECT_ROOT) -> dict[str, ModelFile]:
    """Configurations and templates of the models that name one, by id.

    Never raises: what is wrong becomes a `problem`.
    """
    models = values.get("models")
    files = {}
    for model in models if isinstance(models, list | tuple) else ():
        if not isinstance(model, dict) or not isinstance(model.get("id"), str):
            continue
        # Paths of a program are refused, and what is wrong in their files is reported with that.
        if isinstance(model.get("config"), str | PurePath):
            source = model.get("source")
            revision = source.get("revision") if isinstance(source, dict) else None
            if model["config"] == HUB:
                files[model["id"]] = _from_hub(model["id"], revision if isinstance(revision, str) else None)
            else:
                files[model["id"]] = _from_disk(root, str(model["config"]))
        if isinstance(model.get("chatTemplate"), str | PurePath):
            file = files.get(model["id"], ModelFile(config={}))
            files[model["id"]] = _with_template(file, root, str(model["chatTemplate"]))
    return files


def _with_template(file: ModelFile, root: Path, path_text: str) -> ModelFile:
    try:
        path = root / path_text
        if path.stat().st_size > _LARGEST_TEMPLATE:
            return replace(file, chat_template_problem="it has more than 1 MiB, the most that a ConfigMap holds")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return replace(file, chat_template_problem="it is not a text in UTF-8")
    except FileNotFoundError:
        return replace(file, chat_template_problem="there is no such file")
    except (OSError, ValueError) as error:
        return replace(file, chat_template_problem=f"cannot be read: {_first_line(error)}")
    if not text.strip():
        return replace(file, chat_template_problem="it is empty")
    if (problem := _template_problem(text)) is not None:
        return replace(file, chat_template_problem=problem)
    return replace(file, chat_template=text)


def _template_problem(text: str) -> str | None:
    """Why no conversation could be rendered by a template. None where nothing speaks against it."""
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        # transformers gives templates break, continue and a block around the model's own words.
        parsed = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(_GENERATION.sub("", text))  # noqa: S701
    except TemplateSyntaxError as error:
        return f"it is no template of Jinja: an error in line {error.lineno}: {error.message}"
    if "messages" not in meta.find_undeclared_variables(parsed):
        return "it does not use messages, so that each prompt would be the same, whatever the client sends"
    return None


def _from_disk(root: Path, path_text: str) -> ModelFile:
    try:
        path = root / path_text
        path = path / _CONFIG if path.is_dir() else path
        config = _json(path)
        index, separate = path.with_name(_INDEX), path.with_name(_QUANTIZATION)
        return ModelFile(
            config=config,
            weights_bytes=_total(_json(index)) if index.is_file() else None,
            quantization=_json(separate) if separate.is_file() else None,
        )
    except json.JSONDecodeError as error:
        return _problem(f"the file is not JSON: an error in line {error.lineno}, column {error.colno}")
    except FileNotFoundError:
        folder = f"the folder holds no {_CONFIG}" if (root / path_text).is_dir() else "there is no such file"
        return _problem(folder)
    except (OSError, ValueError) as error:
        return _problem(f"cannot be read: {_first_line(error)}")


def _from_hub(model_id: str, revision: str | None) -> ModelFile:
    """The Hub's file, or the copy that its library keeps of it when the Hub cannot be reached."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ImportError:
        return _problem("the library huggingface_hub is missing: pip install -r requirements-preflight.txt")

    # Its warnings about each new try would stand above the report.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)

    def fetched(name: str) -> Path:
        return Path(hf_hub_download(model_id, name, revision=revision, etag_timeout=_SECONDS))

    try:
        path = fetched(_CONFIG)
        config = _json(path)
    except GatedRepoError:
        return _problem("the Hub gives it only to accounts that accepted the model's license: set HF_TOKEN")
    except RepositoryNotFoundError:
        return _problem("the Hub has no such public repository; for a private one set HF_TOKEN")
    except EntryNotFoundError as error:
        return _problem(
            f"huggingface.co was not reached from here ({_first_line(error.__cause__ or error)})"
            if isinstance(error, LocalEntryNotFoundError)
            else "its repository on the Hub has no config.json"
        )
    except Exception as error:
        return _problem(f"the Hub did not give it: {_first_line(error)}")
    total = separate = None
    # A model of one file has no index, and most have no quantization apart.
    with suppress(EntryNotFoundError, OSError, ValueError):
        total = _total(_json(fetched(_INDEX)))
    with suppress(EntryNotFoundError, OSError, ValueError):
        separate = _json(fetched(_QUANTIZATION))
    # The library keeps files below .../snapshots/<commit>/.
    commit = path.parent.name
    revision = commit if len(commit) == 40 else None
    return ModelFile(config=config, weights_bytes=total, revision=revision, quantization=separate)


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is larger than any configuration")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not a JSON object")  # noqa: TRY004 - one kind of error for the caller
    return content


def _total(index: Mapping[str, Any]) -> int | None:
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return total if isinstance(total, int) and total > 0 else None


def _problem(text: str) -> ModelFile:
    return ModelFile(config={}, problem=text)


def _first_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return re.sub(r"\[Errno -?[0-9]+\] ", "", text.partition("\n")[0])[:200]
