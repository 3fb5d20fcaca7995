"""`stage`: a Job that copies a model from the Hub to the stack's bucket, with the token there and nowhere else."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke import catalog
from llm_d_gke.operations.stage.command import write_stage
from llm_d_gke.operations.stage.copy_weights import copy, files_to_copy
from tests.components.test_pod_security import broken

BUCKET = {
    "models[0].source.kind": "bucket",
    "models[0].source.bucket": "acme-models",
    "models[0].source.path": "gemma/2b",
}


@pytest.fixture
def written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    out = tmp_path / "a new folder" / "stage.yaml"
    assert write_stage("gpu", BUCKET, out) == 0
    documents = yaml.safe_load_all(out.read_text(encoding="utf-8"))
    return {body["kind"]: body for body in documents}, capsys.readouterr().out


def test_without_a_project_commands_have_a_word_to_replace(written: tuple[dict[str, Any], str]) -> None:
    assert "project-not-set" not in written[1]
    assert "--project PROJECT " in written[1]
    assert "serviceAccount:PROJECT.svc.id.goog[" in written[1]


def test_comments_fit_a_terminal_and_are_none_of_the_commands(written: tuple[dict[str, Any], str]) -> None:
    comments = [line for line in written[1].splitlines() if line.startswith("# ")]
    assert len(comments) > 5
    assert max(map(len, comments)) <= 80
    assert "Set llm-d:project" in " ".join(line.removeprefix("# ") for line in comments)


class TestManifest:
    def test_the_pod_runs_on_the_cpu_pool_and_is_restricted(self, written: tuple[dict[str, Any], str]) -> None:
        pod = written[0]["Job"]["spec"]["template"]
        assert pod["spec"]["nodeSelector"]["cloud.google.com/gke-nodepool"].endswith("-cpu")
        assert "nvidia.com/gpu" not in json.dumps(pod)
        pod["spec"]["containers"][0]["ports"] = []
        assert broken({"metadata": {"labels": {}}, "spec": pod["spec"]}) == set()

    def test_it_copies_the_model_to_the_folder_that_servers_read(self, written: tuple[dict[str, Any], str]) -> None:
        [container] = written[0]["Job"]["spec"]["template"]["spec"]["containers"]
        assert container["args"][0] == "google/gemma-2b-it"
        assert container["args"][2] == "/bucket/gemma/2b"
        assert "copy_weights.py" in written[0]["ConfigMap"]["data"]

    def test_it_copies_the_commit_of_the_catalog(self, written: tuple[dict[str, Any], str]) -> None:
        [container] = written[0]["Job"]["spec"]["template"]["spec"]["containers"]
        assert container["args"][1] == catalog.load().models["google/gemma-2b-it"].revision

    def test_only_this_pod_has_the_token_and_no_manifest_holds_it(self, written: tuple[dict[str, Any], str]) -> None:
        objects, printed = written
        volumes = objects["Job"]["spec"]["template"]["spec"]["volumes"]
        [token] = [volume["secret"] for volume in volumes if volume["name"] == "token"]
        assert token["secretName"] == "gemma-2b-it-stage-token"
        assert f"create secret generic {token['secretName']}" in printed
        assert f"delete secret {token['secretName']}" in printed
        assert "Secret" not in objects

    def test_its_identity_writes_to_this_bucket_and_loses_that_again(self, written: tuple[dict[str, Any], str]) -> None:
        printed = written[1]
        for verb in ("add", "remove"):
            assert f"buckets {verb}-iam-policy-binding gs://acme-models --member 'serviceAccount:" in printed
        assert "/gemma-2b-it-stage]' --role roles/storage.objectUser" in printed

    def test_nothing_reaches_the_pod(self, written: tuple[dict[str, Any], str]) -> None:
        policy = written[0]["NetworkPolicy"]["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in policy

    def test_a_stack_without_a_bucket_gets_the_setting(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert write_stage("gpu", {}, tmp_path / "stage.yaml") == 2
        assert "kind: bucket" in capsys.readouterr().err
        assert not (tmp_path / "stage.yaml").exists()


class TestCopy:
    NAMES = (
        "README.md",
        "config.json",
        "model.safetensors.index.json",
        "model-1.safetensors",
        "pytorch_model.bin",
        "original/consolidated.00.pth",
    )

    def test_other_formats_stay_behind_and_the_index_comes_last(self) -> None:
        assert files_to_copy(self.NAMES) == [
            "README.md",
            "config.json",
            "model-1.safetensors",
            "model.safetensors.index.json",
        ]
        assert "pytorch_model.bin" in files_to_copy(["config.json", "pytorch_model.bin"])

    def test_a_second_run_copies_what_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fetched: list[str] = []

        def download(repository: str, name: str, *, revision: str, local_dir: Path) -> str:
            fetched.append(f"{repository} {name} {revision}")
            path = Path(local_dir) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            return str(path)

        files = [types.SimpleNamespace(rfilename=name, size=len(name)) for name in ("config.json", "a.safetensors")]
        info = types.SimpleNamespace(sha="c0ffee", siblings=files)
        api = types.SimpleNamespace(model_info=lambda *_, **__: info)
        library = types.SimpleNamespace(HfApi=lambda: api, hf_hub_download=download)
        monkeypatch.setitem(sys.modules, "huggingface_hub", library)
        target, scratch = tmp_path / "bucket" / "folder", tmp_path / "scratch"
        assert copy("acme/chat", "", target, scratch) == 0
        assert (target / "a.safetensors").read_text() == "a.safetensors"
        assert [path for path in scratch.rglob("*") if path.is_file()] == []
        (target / "config.json").write_text("cut")
        fetched.clear()
        copy("acme/chat", "", target, scratch)
        assert fetched == ["acme/chat config.json c0ffee"]
