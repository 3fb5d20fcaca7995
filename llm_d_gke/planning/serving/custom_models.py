"""Models that the stack file defines: config.json and chat template are added to the catalog for this plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llm_d_gke.catalog import Catalog, Model, weights_gib
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.config_outline import Outline, outline_of
from llm_d_gke.catalog.config_quantization import from_modelopt_file
from llm_d_gke.catalog.errors import ConfigError
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.serving.config_checks import (
    check_architecture,
    check_model_config,
    engine_version,
    report_wrong_value,
)
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.stackfile.model_files import HUB, ModelFile

# The computed weights of known models agree with their files within this; beyond, the formulas describe something else.
_AGREES = 0.06


def with_own_models(
    catalog: Catalog, settings: StackSettings, files: Mapping[str, ModelFile], findings: Findings
) -> Catalog:
    """The catalog with the models and templates of `files`, and findings about those that say too little."""
    own: dict[str, Model] = {}
    outlines: dict[str, Outline] = {}
    templates: dict[str, str] = {}
    for index, model in enumerate(settings.models):
        if model.chat_template is not None:
            _take_template(templates, files.get(model.id), model.chat_template, findings, index)
        if model.config is None:
            continue
        file = files.get(model.id)
        path = ("models", index, "config")
        if file is None or file.problem is not None:
            findings.error(
                "LLMD-CONFIG-UNREADABLE",
                *path,
                value=model.config,
                rule=_why_unread(model.config, file),
                fix=_how_to_read(model),
            )
            continue
        version = engine_version(model, settings, catalog)
        if not check_model_config(file.config, findings, path, model.config, version):
            continue
        outlines[model.id] = outline_of(file.config)
        is_unknown = check_architecture(file.config, model, settings, catalog, findings, path)
        parsed = _parsed(model.id, file, findings, path, model.config, is_reported=is_unknown)
        if parsed is not None:
            catalog_model = catalog.find_model(model.id)
            # Facts established by tests, which no configuration contains.
            derived = (
                {"gated": catalog_model.gated, "tpu_tested": catalog_model.tpu_tested}
                if catalog_model is not None
                else {}
            )
            own[model.id] = parsed.model_copy(update=derived)
    if not outlines and not templates:
        return catalog
    models = {**catalog.models, **own}
    return replace(catalog, models=models, outlines=outlines, chat_templates=templates)


def copy_of_config(model: ModelSettings) -> str:
    """How to get the config.json that lies beside weights in a bucket, as a fix. Empty for other sources."""
    source = model.source
    if source.kind != "bucket":
        return ""
    file = f"gs://{source.bucket}/{source.path.strip('/')}/config.json"
    return f"copy the file that lies beside the weights (gcloud storage cp {file} .) and set config: config.json"


def _why_unread(config: str, file: ModelFile | None) -> str:
    if "://" in config:
        return "config is the path of a file or folder, or the word hub; addresses are not read"
    return file.problem if file is not None and file.problem else "the file was not read"


def _how_to_read(model: ModelSettings) -> str:
    config = model.config or ""
    copied = copy_of_config(model)
    if config == HUB and copied:
        return f"{copied}, or remove config: its memory is then not checked"
    if config == HUB:
        return "give the path of a copy of its config.json, or remove config: its memory is then not checked"
    if "://" in config:
        return f"use {HUB} for a repository of the Hub, or download the file and give its path"
    return "correct the path or the file, or remove config: the model's memory is then not checked"


def _take_template(
    templates: dict[str, str], file: ModelFile | None, path: str, findings: Findings, index: int
) -> None:
    if file is not None and file.chat_template is not None:
        templates[path] = file.chat_template
        return
    findings.error(
        "LLMD-CHAT-TEMPLATE",
        f"models[{index}].chatTemplate",
        value=path,
        rule="this is the text of a template, and chatTemplate is the path of a file"
        if "{" in path
        else (file.chat_template_problem if file is not None else None) or "the file was not read",
        fix="write the text into a file such as templates/chat.jinja, and give its path"
        if "{" in path
        else "correct the path, which is relative to the project folder, or remove chatTemplate to use the model's own",
    )


def _parsed(
    model_id: str,
    file: ModelFile,
    findings: Findings,
    path: tuple[str | int, ...],
    config_path: str,
    *,
    is_reported: bool,
) -> Model | None:
    size = file.weights_bytes / 2**30 if file.weights_bytes is not None else None
    try:
        separate = from_modelopt_file(file.quantization) if file.quantization is not None else None
        model = parse(model_id, file.config, revision=file.revision, size_gib=size, quantization=separate)
    except ConfigError as error:
        if error.wrong:
            report_wrong_value(findings, path, config_path, str(error))
            return None
        if is_reported and error.unknown:
            return None
        findings.warning("LLMD-CONFIG-ARCHITECTURE", *path, value=config_path, error=error, model_id=model_id)
        return None
    if size is not None and abs(weights_gib(model) - size) > _AGREES * size:
        findings.warning("LLMD-CONFIG-WEIGHTS", *path, value=config_path, size=size, weights_gib=weights_gib(model))
    return model
