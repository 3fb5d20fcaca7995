"""Checks of a model's own config.json before anything is computed from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.config_architectures import load_architectures
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of, is_later, load_facts, versions
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.image_names import tagged_version
from llm_d_gke.planning.serving.config_values import wrong_values
from llm_d_gke.planning.setting_errors.values import flow
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import ModelSettings

# Files that lie beside config.json in repositories, by a key that only they have: what they are, and what to do.
_OTHER_FILES = (
    ("peft_type", "the configuration of a LoRA adapter", "list the adapter in models[].adapters of its base model"),
    ("_class_name", "the configuration of a diffusion model, which vLLM does not serve", "use a language model"),
    ("tokenizer_class", "a tokenizer's configuration", "give the path of config.json"),
    ("temperature", "a generation configuration", "give the path of config.json"),
    ("top_p", "a generation configuration", "give the path of config.json"),
    ("quant_algo", "a description of quantization", "give the path of config.json"),
    ("n_layers", "Mistral's params.json", "give the path of config.json of the same repository"),
    ("weight_map", "an index of weight files", "give the path of config.json"),
)
_TEXT = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
# Where transformers and its models are those of the version, and no plugin adds a class.
_PUBLISHED = re.compile(r"(docker\.io/)?vllm/vllm-openai:[^/]*")


def check_model_config(
    config: Mapping[str, Any], findings: Findings, path: tuple[str | int, ...], value: str, version: str | None
) -> bool:
    """Returns whether a file describes a language model as vLLM of the version reads it. If not, an error says why."""
    names = config.get("architectures")
    if not names and not config.get("model_type"):
        other_file = next((row for row in _OTHER_FILES if row[0] in config), None)
        findings.error(
            "LLMD-CONFIG-OTHER",
            *path,
            value=value,
            rule=f"this is {other_file[1]}" if other_file else "the file names neither architectures nor a model_type",
            fix=other_file[2] if other_file else "give the path of the model's config.json, as its repository has it",
        )
        return False
    for key, is_right, expected in (
        ("architectures", _is_name_list, 'a list of names, such as ["LlamaForCausalLM"]'),
        ("quantization_config", lambda part: isinstance(part, Mapping), "a group, such as {quant_method: fp8}"),
        ("rope_scaling", lambda part: isinstance(part, Mapping), "a group, such as {rope_type: yarn, factor: 4}"),
    ):
        part = config.get(key)
        if part is not None and part != [] and not is_right(part):
            report_wrong_value(findings, path, value, f"{key} is {flow(part)[:60]}, and must be {expected}")
            return False
    reason = next(wrong_values(config, version), None)
    if reason is not None:
        report_wrong_value(findings, path, value, reason)
    return reason is None


def _is_name_list(part: object) -> bool:
    return isinstance(part, list) and all(isinstance(name, str) for name in part)


def report_wrong_value(findings: Findings, path: tuple[str | int, ...], value: str, reason: str) -> None:
    findings.error("LLMD-CONFIG-VALUE", *path, value=value, reason=reason)


def check_architecture(
    config: Mapping[str, Any],
    model: ModelSettings,
    settings: StackSettings,
    catalog: Catalog,
    findings: Findings,
    path: tuple[str | int, ...],
) -> bool:
    """A finding where the release's vLLM has no implementation of a configuration's architecture, or none for TPUs.

    vLLM takes the first of several that it has. Returns whether there is a finding.
    """
    names = config.get("architectures") or []
    version = engine_version(model, settings, catalog)
    if not names or version is None:
        return False
    tables = facts_of(version)
    name = next((name for name in names if any(_runs(name, facts.architectures) for facts in tables)), names[0])
    if not tables or any(_runs(name, facts.architectures) for facts in tables):
        missing = (
            _missing_on_tpu(name, config) if catalog.accelerators[settings.accelerator.type].kind == "tpu" else None
        )
        if missing is not None:
            rule = f"the TPU back end of vLLM {version} has no {missing} layers, which {name} seems to have"
            findings.warning(
                "LLMD-CONFIG-ENGINE", *path, value=name, rule=rule, fix="use a GPU, or try one start first"
            )
        return missing is not None
    architectures = sorted({other for facts in tables for other in facts.architectures})
    later = next((other for other in versions() if name in load_facts(other).architectures), None)
    by_stem = {_architecture_stem(other): other for other in architectures}
    close = by_stem.get(nearest(_architecture_stem(name), by_stem, 0.85) or "")
    if not name.endswith(_TEXT):
        rule = f"{name} is no architecture that generates text, and routes and probes are planned for such models"
        fix = "use a model whose architecture ends with ForCausalLM or ForConditionalGeneration"
    elif later is not None:
        rule = f"vLLM {version} has no implementation of {name}, which vLLM {later} has"
        fix = "use a release with a newer engine: make catalog KIND=releases"
    else:
        rule = (
            f"the registry of vLLM {version} has no {name}: vLLM exits unless the transformers library in its image has"
            " that model"
        )
        fix = "look it up in vLLM's list of supported models"
        # A class that transformers has is no misspelling.
        if close and not any(facts.configurations and name in facts.configurations.transformers for facts in tables):
            fix = f"did you mean {close}?"
        if is_later(version):
            rule = f"whether vLLM {version} has {name} is not known: {tables[-1].cited}, the newest listed, has not"
            fix = "try one replica first"
        elif _is_nowhere(name, config, model, tables):
            rule = f"neither the registry of vLLM {version} nor transformers has {name}: vLLM exits"
            findings.error("LLMD-CONFIG-ENGINE", *path, value=name, rule=rule, fix=fix)
            return True
    findings.warning("LLMD-CONFIG-ENGINE", *path, value=name, rule=rule, fix=fix)
    return True


def _runs(name: str, architectures: Sequence[str]) -> bool:
    """Whether a registry has a class, or one of the same model with another ending (`_normalize_arch` of vLLM)."""
    stem = _architecture_stem(name)
    return name in architectures or (
        name.endswith(_TEXT) and any(f"{stem}{ending}" in architectures for ending in _TEXT)
    )


def _is_nowhere(name: str, config: Mapping[str, Any], model: ModelSettings, tables: Sequence[EngineFacts]) -> bool:
    """Whether no code has a class: neither vLLM, nor the transformers of its own image, nor the checkpoint."""
    if config.get("auto_map") or any("--hf-overrides" in text for text in model.extra_args):
        return False
    published = model.image is None or _PUBLISHED.fullmatch(model.image) is not None
    return published and all(
        facts.configurations is not None and name not in facts.configurations.transformers for facts in tables
    )


def _missing_on_tpu(name: str, config: Mapping[str, Any]) -> str | None:
    """A kind of layers without an implementation on TPU, by the names in a configuration that is not computed."""
    if name in load_architectures().biases:
        return None
    words = (name.lower(), *(key for key in config if not key.endswith("dtype")))
    return next(
        (kind.title() for kind in load_engine().tpu_missing_layers if any(kind in word for word in words)), None
    )


def _architecture_stem(name: str) -> str:
    """An architecture without the end that most have in common."""
    return re.sub(r"(For[A-Z]\w+|LMHeadModel)$", "", name)


def engine_version(model: ModelSettings, settings: StackSettings, catalog: Catalog) -> str | None:
    """The version of vLLM: of the image's tag where it has one, else of the release. None: not known."""
    if model.image is not None:
        return tagged_version(model.image)
    release = catalog.releases.get(settings.release)
    if release is None:
        return None
    accelerator = catalog.accelerators.get(settings.accelerator.type)
    image = release.engine.image_for(accelerator, disaggregated=False) if accelerator is not None else None
    return None if image is None else image.version
