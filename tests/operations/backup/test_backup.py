"""What is kept of a stack, what is not, and what another region changes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.maintenance.measure.restore import write_restored
from llm_d_gke.operations.backup.command import check_backup
from llm_d_gke.operations.backup.contents import certificate_items, left_behind, pin_items, secret_items, weight_items
from llm_d_gke.operations.backup.state import Item, State, backend_url, file_item, key_item, state_item
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError, load
from tests.stacks import values_of

KMS = "projects/p/locations/us/keyRings/r/cryptoKeys/k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Answer:
    def __init__(self, status_code: int, body: Any) -> None:
        self.status_code, self._body = status_code, body

    def json(self) -> Any:
        return self._body


class Google:
    """Answers by the end of the path; 404 for everything else."""

    def __init__(self, **answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def request(self, method: str, url: str, **_options: Any) -> Answer:
        assert method == "GET", "nothing is changed"
        body = self._answers.get(url.rpartition("/")[2])
        return Answer(404, {}) if body is None else Answer(200, body)


def settings_of(changes: Mapping[str, Any]) -> StackSettings:
    return StackSettings.model_validate(values_of("gpu", dict(changes)))


@pytest.mark.parametrize(
    ("backend", "bucket", "state", "evidence"),
    [
        (None, None, State.ELSEWHERE, "pulumi login"),
        ("file:///home/me/.pulumi", None, State.MISSING, "only on this machine"),
        ("https://api.pulumi.com", None, State.SAFE, "Pulumi Cloud"),
        ("s3://states", None, State.ELSEWHERE, "no bucket of Google"),
        ("gs://states/llm-d", {"location": "US", "versioning": {"enabled": True}}, State.SAFE, "more than one region"),
        ("gs://states", {"location": "US", "locationType": "multi-region"}, State.MISSING, "no earlier versions"),
        ("gs://other", {"location": "US"}, State.MISSING, "no such bucket"),
        (
            "gs://states",
            {"location": "EUROPE-WEST4", "locationType": "region", "versioning": {"enabled": True}},
            State.SAFE,
            "lost with it",
        ),
    ],
)
def test_the_state(backend: str | None, bucket: Mapping[str, Any] | None, state: State, evidence: str) -> None:
    item = state_item(backend, Google(states=bucket) if bucket else Google())
    assert item.state is state
    assert evidence in item.evidence


def test_a_state_in_a_bucket_is_not_established_without_credentials() -> None:
    assert state_item("gs://states", None).state is State.ELSEWHERE


def test_the_backend_is_the_variable_s_or_the_last_login_s(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"current": "gs://states"}', encoding="utf-8")
    assert backend_url({"PULUMI_HOME": str(tmp_path)}) == "gs://states"
    assert backend_url({"PULUMI_HOME": str(tmp_path), "PULUMI_BACKEND_URL": "file://x"}) == "file://x"
    assert backend_url({"PULUMI_HOME": str(tmp_path / "none")}) is None


@pytest.mark.parametrize(
    ("document", "answer", "state"),
    [
        ({"secretsprovider": f"gcpkms://{KMS}"}, {"primary": {"state": "ENABLED"}}, State.SAFE),
        ({"secretsprovider": f"gcpkms://{KMS}"}, {"primary": {"state": "DESTROY_SCHEDULED"}}, State.MISSING),
        ({"secretsprovider": f"gcpkms://{KMS}"}, None, State.MISSING),
        ({"encryptionsalt": "v1:x"}, None, State.MISSING),
        ({}, None, State.MISSING),
    ],
)
def test_the_key(
    document: Mapping[str, Any], answer: Mapping[str, Any] | None, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    item = key_item("gpu", document, "gs://states", Google(k=answer) if answer else Google())
    assert item.state is state
    # Commands are printed on one line, behind the state.
    assert not item.action.startswith("pulumi ") or len(item.action) <= 66


def test_a_passphrase_that_is_here_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    assert key_item("gpu", {"encryptionsalt": "v1:x"}, "gs://states", None).state is State.SAFE


def test_the_stack_file_is_kept_when_it_is_pushed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path / "work", check=True, capture_output=True)  # noqa: S607

    (tmp_path / "work").mkdir()
    file = tmp_path / "work" / "Pulumi.gpu.yaml"
    file.write_text("config: {}\n", encoding="utf-8")
    git("init", "--quiet", "--initial-branch=main")
    git("init", "--quiet", "--bare", str(tmp_path / "server"))
    git("remote", "add", "origin", str(tmp_path / "server"))
    assert file_item(tmp_path / "work", "gpu").evidence == "not in Git"
    git("add", "--all")
    git("commit", "--message=first")
    assert file_item(tmp_path / "work", "gpu").evidence == "no remote branch has this commit"
    git("push", "--set-upstream", "origin", "main")
    assert file_item(tmp_path / "work", "gpu").state is State.SAFE
    file.write_text("config: {a: b}\n", encoding="utf-8")
    assert file_item(tmp_path / "work", "gpu").evidence == "changed since the last commit"


@pytest.mark.parametrize(
    ("source", "state", "evidence"),
    [
        # The engine gets the catalog's commit.
        ({"kind": "hugging-face"}, State.SAFE, "commit"),
        ({"kind": "hugging-face", "revision": "v1"}, State.MISSING, "at v1"),
        ({"kind": "hugging-face", "revision": COMMIT}, State.SAFE, "commit"),
        ({"kind": "volume-claim", "claim": "weights", "path": "g"}, State.MISSING, "one zone"),
        ({"kind": "image", "path": "/g"}, State.SAFE, "that image"),
        ({"kind": "image", "path": "/g", "reference": "ghcr.io/me/weights:1"}, State.MISSING, "by tag"),
        ({"kind": "image", "path": "/g", "reference": f"ghcr.io/me/w@sha256:{'0' * 64}"}, State.SAFE, "digest"),
        ({"kind": "bucket", "bucket": "weights", "path": "g"}, State.SAFE, "us-central1: lost with it"),
        ({"kind": "bucket", "bucket": "nowhere", "path": "g"}, State.MISSING, "no such bucket"),
    ],
)
def test_weights(source: Mapping[str, Any], state: State, evidence: str) -> None:
    google = Google(weights={"location": "US-CENTRAL1", "locationType": "region"})
    [item] = weight_items(settings_of({"models[0].source": source}), google)
    assert item.state is state
    assert evidence in item.evidence


def test_weights_of_a_model_that_the_catalog_lacks_follow_the_main_branch() -> None:
    [item] = weight_items(settings_of({"models[0].id": "my-organization/my-model"}), None)
    assert item.state is State.MISSING
    assert "its main branch" in item.evidence


def test_secrets_are_those_in_the_file_and_those_that_are_expected() -> None:
    settings = settings_of({"huggingFace": {"existingSecret": "hub"}})
    states = {item.what: item.state for item in secret_items(settings, {"llm-d:registry.password": ""}, None)}
    assert states == {
        "secret llm-d:registry.password": State.SAFE,
        "Secret hub (llm-d:huggingFace.existingSecret)": State.ELSEWHERE,
    }


def test_images_without_a_lock_are_missing() -> None:
    [images, *_] = pin_items(settings_of({}))
    assert images.state is (State.SAFE if images.evidence == "by digest" else State.MISSING)
    [pinned] = [
        item for item in pin_items(settings_of({"models[0].image": "vllm/vllm-openai:v0.19.1"})) if "gemma" in item.what
    ]
    assert pinned.state is State.MISSING


def test_a_preshared_certificate_has_to_be_created_again() -> None:
    tls = {"kind": "pre-shared", "certificates": ["site"]}
    [item] = certificate_items(settings_of({"gateway.tls": tls}))
    assert isinstance(item, Item)
    assert item.place == "site"


class TestAnotherRegion:
    def test_another_zone_of_the_region_leaves_nothing_behind(self) -> None:
        assert list(left_behind(settings_of({}), "us-central1-b", None)) == []

    def test_what_is_regional_is_named(self) -> None:
        key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
        settings = settings_of(
            {
                "models[0].source": {"kind": "bucket", "bucket": "weights", "path": "g"},
                "cluster.encryption": {"secretsKey": key},
                "gateway.tls": {"kind": "pre-shared", "certificates": ["site"]},
            }
        )
        google = Google(weights={"location": "US-CENTRAL1", "locationType": "region"})
        text = "\n".join(left_behind(settings, "europe-west4-b", google))
        for part in (f"= {key} is in us-central1", "bucket weights is in us-central1", "certificate", "address"):
            assert part in text

    def test_a_bucket_of_several_regions_stays(self) -> None:
        settings = settings_of({"models[0].source": {"kind": "bucket", "bucket": "weights", "path": "g"}})
        google = Google(weights={"location": "US", "locationType": "multi-region"})
        assert "bucket" not in "\n".join(left_behind(settings, "us-east4-a", google))


def test_a_region_without_the_accelerator_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_backup("gpu", {}, "europe-north1-a") == 2
    assert "llm-d:location = europe-north1-a (--location)" in " ".join(capsys.readouterr().out.split())


def test_a_stack_that_does_not_exist_is_said_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StackFileError, match="does not exist"):
        check_backup("nobodys", {}, None)
    assert capsys.readouterr().out == ""


def test_a_cost_with_an_unknown_part_is_a_lower_bound(capsys: pytest.CaptureFixture[str]) -> None:
    check_backup("tpu", {}, "us-east5-b")
    assert "- running costs at least $" in capsys.readouterr().out


def test_every_sentence_about_another_region_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    check_backup("gpu", {}, "europe-west4-b")
    _, _, moved = capsys.readouterr().out.partition("In europe-west4-b instead of us-central1-a:")
    assert "- running costs" in moved
    assert "  make preview STACK=gpu ARGS='-c llm-d:location=europe-west4-b'" in moved.splitlines()
    assert [line for line in moved.splitlines() if len(line) > 80] == []


def test_a_restored_stack_differs_in_its_location_only(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: llm-d\nruntime: python\n", encoding="utf-8")
    old = tmp_path / "Pulumi.chat.yaml"
    old.write_text((PROJECT_ROOT / "Pulumi.gpu.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    name, file = write_restored(tmp_path, "chat", "europe-west4-b")
    before, after = (load(tmp_path, stack).settings() for stack in ("chat", name))
    assert after == {**before, "location": "europe-west4-b"}
    with pytest.raises(StackFileError, match="exists"):
        write_restored(tmp_path, "chat", "europe-west4-b")
    assert file.read_text(encoding="utf-8").count("\n") == 3
