"""One model of a stack and the site that serves it: what its checks and its servers follow from, looked up once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, TypeVar

from llm_d_gke.catalog.config_outline import Outline
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import OtherModels, family_of
from llm_d_gke.catalog.engine_tables import facts_of
from llm_d_gke.catalog.schema import Accelerator, Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.deployment import Deployment
from llm_d_gke.planning.engine_support.options import argument_of, named_backend, nested_value, option_value
from llm_d_gke.planning.engine_support.speculation import speculation_of
from llm_d_gke.planning.findings import setting_value
from llm_d_gke.planning.image_names import tagged_version
from llm_d_gke.planning.parallelism.layout import Parallelism, parallelism_of
from llm_d_gke.planning.rules import RULES
from llm_d_gke.settings.engine import SpeculativeDecoding
from llm_d_gke.settings.models import ModelSettings

# Read by 0.11.2 and in reports of 0.12, where the option came; 0.17.1 does not read it any more.
BACKEND_VARIABLE, _BACKEND_VARIABLE_BEFORE = "VLLM_ATTENTION_BACKEND", "0.14"
EXPERT_BACKEND = "--moe-backend"

_Figure = TypeVar("_Figure")


@dataclass(frozen=True)
class ServedModel:
    """One model of a stack, served by the accelerators of `ctx`.

    `index` is its position among the stack file's `models`. `model` is its catalog entry, None where there is none.
    """

    ctx: PlanContext
    index: int
    settings: ModelSettings
    model: Model | None

    @property
    def accelerator(self) -> Accelerator:
        return self.ctx.accelerator

    @cached_property
    def parallelism(self) -> Parallelism:
        """The layout of one replica."""
        return parallelism_of(self.ctx, self.settings)

    @cached_property
    def speculation(self) -> SpeculativeDecoding | None:
        """Speculative decoding, by its setting or by options of `extraArgs`."""
        return self.settings.speculative_decoding or speculation_of(self.settings.extra_args)

    @cached_property
    def attention_backend(self) -> str | None:
        """The back end that the stack file names, in capitals, as vLLM reads it."""
        named = named_backend(self.settings.extra_args)
        if named is None and not self.has(_BACKEND_VARIABLE_BEFORE):
            named = self.settings.env.get(BACKEND_VARIABLE)
        return (named or "").upper() or None

    @cached_property
    def version(self) -> str:
        """vLLM's version: of the image's tag where it has one like v0.19.1, else of the release."""
        return tagged_version(self.settings.image or "") or self.ctx.engine_image.version

    @cached_property
    def other_kind(self) -> OtherModels | None:
        """Of an id of a model without weights to download, or which answers no chat requests."""
        if self.settings.source.kind != "hugging-face" or self.settings.config is not None:
            return None
        return family_of(load_engine().other_models, self.settings.id)

    @property
    def outline(self) -> Outline | None:
        """Of the stack's own config.json, whether its memory is computed or not."""
        return self.ctx.catalog.outlines.get(self.settings.id)

    @cached_property
    def architecture(self) -> str:
        """Of the catalog, or of a config.json whose memory is not computed; empty where neither is known."""
        if self.model is not None:
            return self.model.architecture
        return self.outline.architecture if self.outline is not None else ""

    @property
    def recurrent(self) -> bool:
        """Whether layers keep recurrent states; by vLLM's own classes where the memory is not computed."""
        if self.model is not None:
            return self.model.recurrent
        return any(self.architecture in facts.recurrent_architectures for facts in facts_of(self.version))

    @property
    def quantization(self) -> str | None:
        """The method that the setting or an argument names."""
        return self.settings.quantization or option_value(self.settings.extra_args, "--quantization", "-q")

    @property
    def kv_cache_dtype(self) -> str | None:
        """The numeric type of the KV cache that the setting or an argument names."""
        return self.settings.kv_cache_dtype or option_value(self.settings.extra_args, "--kv-cache-dtype")

    def deployment(self, model: Model) -> Deployment:
        """One replica as vLLM runs it. Arguments that duplicate a setting are refused elsewhere."""
        settings, parallelism = self.settings, self.parallelism
        further = settings.extra_args
        return Deployment(
            model=model,
            accelerator=self.accelerator,
            version=self.version,
            dtype=settings.dtype or option_value(further, "--dtype"),
            quantization=self.quantization,
            deprecated_quantization="--allow-deprecated-quantization" in further,
            kv_cache_dtype=self.kv_cache_dtype,
            attention_backend=self.attention_backend,
            tensor_parallel=parallelism.tensor,
            data_parallel=parallelism.data,
            expert_parallel=parallelism.expert or "--enable-expert-parallel" in further,
            all_to_all=parallelism.all_to_all,
            expert_backend=option_value(further, EXPERT_BACKEND),
            adapters=bool(settings.adapters),
            pipeline_parallel=settings.pipeline_parallel,
            speculative_method=self.speculation.method if self.speculation is not None else None,
            environment=settings.env,
            sharding={
                key: text
                for key in ("enable_dp_attention", "attn_dp_size")
                if (text := nested_value(further, "--additional-config", f"sharding.sharding_strategy.{key}"))
            },
            all_files_known=settings.config is None and settings.source.kind == "hugging-face",
            sized=self.model is not None,
        )

    @property
    def outlined_deployment(self) -> Deployment | None:
        """One replica of a model whose config.json is not computed, with what is known of it."""
        if self.model is not None or self.outline is None:
            return None
        # Of a model whose sizes are not known only these are read.
        facts: dict[str, Any] = {
            "id": self.settings.id,
            "architecture": self.outline.architecture,
            "quantization": self.outline.quantization,
        }
        return self.deployment(Model.model_construct(**facts))

    @cached_property
    def figures(self) -> dict[Callable[[ServedModel], Any], Any]:
        """What functions marked with `once` have computed."""
        return {}

    def has(self, since: str) -> bool:
        """Whether the engine's version is this one or a later one."""
        return load_engine().has(self.version, since)

    def with_settings(self, **changes: object) -> ServedModel:
        """The same model with other values of some settings, by their Python names."""
        return replace(self, settings=self.settings.model_copy(update=changes))

    def error(self, rule_id: str, /, *path: str | int, **texts: Any) -> None:
        """Report an error at a setting of the model, as `PlanContext.error` does; `path` is below `models[index]`."""
        self.add_finding(rule_id, *path, certain=True, **texts)

    def warning(self, rule_id: str, /, *path: str | int, **texts: Any) -> None:
        """Report a warning at a setting of the model."""
        self.add_finding(rule_id, *path, certain=False, **texts)

    def add_finding(self, rule_id: str, /, *path: str | int, certain: bool, **texts: Any) -> None:
        """Report an error where it is certain that the model cannot be served, else a warning.

        Texts may also name the model and the engine's version. Where `extraArgs` gives the engine the argument of the
        setting, the finding is about that argument.
        """
        texts = self.facts | texts
        if "value" not in texts:
            texts["value"] = self._value_at(*path)
        if path[:1] == ("speculativeDecoding",) and self.settings.speculative_decoding is None:
            path = ("extraArgs",)
        argument = argument_of(self.settings.extra_args, path)
        if argument is not None:
            position, text = argument
            hint = RULES[rule_id].texts(texts.get("case", "")).hint
            fix = texts.get("fix") or hint.format(**texts)
            texts["fix"] = f"{fix}, in place of {text} in extraArgs" if str(path[0]) in fix else fix
            path, texts["value"] = ("extraArgs", position), text
        self.ctx.add_finding(rule_id, "models", self.index, *path, certain=certain, **texts)

    @property
    def facts(self) -> dict[str, Any]:
        """What the text of a rule about a model may name, without being given it."""
        model = self.model.id if self.model is not None else self.settings.id
        return {**self.ctx.facts, "model": model, "version": self.version}

    def _value_at(self, *path: str | int) -> object:
        """The value that has effect at a setting of the model."""
        if path == ("tensorParallel",):
            return self.parallelism.tensor
        if path[0] == "speculativeDecoding" and self.speculation is not None:
            return setting_value(self.speculation, *(path[1:] or ("method",)))
        return setting_value(self.settings, *path)


def served_model(ctx: PlanContext, index: int) -> ServedModel:
    """The model at this position of the stack file, on the accelerators of `ctx`."""
    settings = ctx.settings.models[index]
    model = ctx.catalog.find_model(settings.id)
    served = ServedModel(ctx, index, settings, model)
    if model is None or model.stated_context is None or not load_engine().states_yarn(served.version):
        return served
    return ServedModel(ctx, index, settings, model.model_copy(update={"context": model.stated_context}))


def once(compute: Callable[[ServedModel], _Figure]) -> Callable[[ServedModel], _Figure]:
    """Let a function of one served model compute for the first of several checks that need its figure."""

    @wraps(compute)
    def figure_of(served: ServedModel) -> _Figure:
        if compute not in served.figures:
            served.figures[compute] = compute(served)
        figure: _Figure = served.figures[compute]
        return figure

    return figure_of
