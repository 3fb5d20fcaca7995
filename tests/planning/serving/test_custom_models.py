"""A model that the catalog lacks: from its config.json to a verdict, by way of the disk or of the Hub."""

from __future__ import annotations

import json
import shutil
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from llm_d_gke.stackfile.model_files import ModelFile, model_files
from tests.stacks import ENCRYPTED, plan_of, values_of

CONFIGS = Path(__file__).parents[2] / "catalog" / "configs"
GEMMA = CONFIGS / "google--gemma-2b-it.json"
COMMIT = "a" * 40
ERRORS = (EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError)


def plan_own(root: Path, config: str, **model: Any) -> StackPlan:
    values = values_of("gpu", {"models[0]": {"id": "somebody/own", "maxModelLen": 2048, "config": config, **model}})
    return plan_raw("gpu", values, ENCRYPTED, files=model_files(values, root))


class TestDisk:
    @pytest.mark.parametrize("entry", ["own/config.json", "own"], ids=["file", "folder"])
    def test_it_is_judged_as_the_known_model_of_the_same_shape(self, tmp_path: Path, entry: str) -> None:
        (tmp_path / "own").mkdir()
        shutil.copy(GEMMA, tmp_path / "own" / "config.json")
        own = plan_own(tmp_path, entry).models[0].servers[0]
        catalog_plan = plan_of("gpu", {"models[0]": {"id": "google/gemma-2b-it", "maxModelLen": 2048}})
        assert own.memory is not None
        assert own.memory == catalog_plan.models[0].servers[0].memory

    def test_the_index_says_what_is_downloaded(self, tmp_path: Path) -> None:
        shutil.copy(GEMMA, tmp_path / "config.json")
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 5012344832}}))
        file = model_files({"models": [{"id": "somebody/own", "config": "."}]}, tmp_path)["somebody/own"]
        assert file.weights_bytes == 5012344832
        assert plan_own(tmp_path, ".").warnings[-1].path.startswith("llm-d:gateway.")

    def test_quantized_by_a_file_apart_is_counted(self, tmp_path: Path) -> None:
        shutil.copy(GEMMA, tmp_path / "config.json")
        plain = plan_own(tmp_path, "config.json").models[0].servers[0].memory
        quantization_file = {
            "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"]}
        }
        (tmp_path / "hf_quant_config.json").write_text(json.dumps(quantization_file))
        memory = plan_own(tmp_path, "config.json").models[0].servers[0].memory
        assert plain is not None
        assert memory is not None
        # All but the embedding in 8 bits.
        assert memory.parts.weights == pytest.approx((plain.parts.weights - 0.98) / 2 + 0.98, rel=0.02)

    def test_a_file_apart_that_says_nothing_is_not_taken_for_whole(self, tmp_path: Path) -> None:
        shutil.copy(GEMMA, tmp_path / "config.json")
        (tmp_path / "hf_quant_config.json").write_text("{}")
        plan = plan_own(tmp_path, "config.json")
        assert plan.models[0].servers[0].memory is None
        assert any("hf_quant_config.json" in finding.rule for finding in plan.warnings)

    @pytest.mark.parametrize("content", ["", "[]", "{", "\x00", '{"architectures": "x"}'], ids=repr)
    def test_nonsense_is_a_finding(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "config.json").write_text(content)
        with suppress(RefusedError):
            assert plan_own(tmp_path, "config.json").models[0].servers[0].memory is None

    def test_what_is_no_model_is_left_to_the_settings(self) -> None:
        for models in (None, "x", [7], [{"id": 1, "config": "x"}], [{"id": "a"}]):
            assert model_files({"models": models}) == {}


class TestHub:
    """A test double replaces the library; its network access is not under test."""

    def library(self, monkeypatch: pytest.MonkeyPatch, folder: Path, wrong: Exception | None = None) -> list[Any]:
        calls: list[Any] = []

        def hf_hub_download(model: str, name: str, *, revision: str | None, etag_timeout: float) -> str:
            calls.append((model, name, revision))
            if wrong is not None:
                raise wrong
            if name != "config.json":
                raise EntryNotFoundError(name)
            return str(folder / name)

        hub = types.ModuleType("huggingface_hub")
        errors = types.ModuleType("huggingface_hub.errors")
        hub.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
        vars(errors).update({error.__name__: error for error in ERRORS})
        monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
        monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
        return calls

    def test_its_commit_is_pinned_in_the_engines_arguments(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "snapshots" / COMMIT
        folder.mkdir(parents=True)
        shutil.copy(GEMMA, folder / "config.json")
        calls = self.library(monkeypatch, folder)
        args = plan_own(tmp_path, "hub").models[0].servers[0].pod.args
        assert calls[0] == ("somebody/own", "config.json", None)
        assert args[args.index("--revision") + 1] == COMMIT

    def test_a_hub_out_of_reach_is_a_finding(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.library(monkeypatch, tmp_path, ConnectionError("no route to host"))
        with pytest.raises(RefusedError) as refused:
            plan_own(tmp_path, "hub")
        [finding] = [f for f in refused.value.findings if f.path == "llm-d:models[0].config"]
        assert "the Hub did not give it: no route to host" in finding.rule

    @pytest.mark.parametrize(
        ("kind", "problem"),
        [
            (LocalEntryNotFoundError, "was not reached"),
            (EntryNotFoundError, "has no config.json"),
            (RepositoryNotFoundError, "no such public repository"),
            (GatedRepoError, "accepted the model's license"),
        ],
    )
    def test_the_hubs_refusals_are_explained(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Exception], problem: str
    ) -> None:
        # Made without the response that the library gives them.
        self.library(monkeypatch, tmp_path, kind.__new__(kind))
        file = model_files({"models": [{"id": "somebody/own", "config": "hub"}]})["somebody/own"]
        assert problem in str(file.problem)

    def test_of_weights_in_a_bucket_the_file_beside_them_is_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        self.library(monkeypatch, tmp_path, EntryNotFoundError("404 Client Error"))
        source = {"kind": "bucket", "bucket": "own-models", "path": "own/1"}
        with pytest.raises(RefusedError) as refused:
            plan_own(tmp_path, "hub", source=source)
        [finding] = [finding for finding in refused.value.findings if finding.id == "LLMD-CONFIG-UNREADABLE"]
        assert "gs://own-models/own/1/config.json" in finding.fix

    def test_the_library_may_be_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
        file = model_files({"models": [{"id": "somebody/own", "config": "hub"}]})["somebody/own"]
        assert "requirements-preflight.txt" in str(file.problem)


SMALL = st.integers(0, 4) | st.sampled_from([7, 64, 100, 4096, 10**6, 10**9])


@pytest.mark.timeout(120)
@settings(max_examples=60)
@given(st.sampled_from(sorted(CONFIGS.glob("*.json"))), st.data())
def test_a_model_of_any_figures_has_a_plan_or_findings(path: Path, data: st.DataObject) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    inner = config.get("text_config", config)
    numbers = sorted(key for key, value in inner.items() if type(value) is int)
    for name in data.draw(st.lists(st.sampled_from(numbers), max_size=3)):
        inner[name] = data.draw(SMALL)
    values = values_of("gpu", {"models[0]": {"id": "somebody/own", "config": "x"}})
    with suppress(RefusedError):
        plan_raw("gpu", values, ENCRYPTED, files={"somebody/own": ModelFile(config=config)})
