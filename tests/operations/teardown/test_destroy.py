"""`destroy` ends with nothing left after a kill that lost what was being created, in the rehearsal's Google Cloud."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from rich.console import Console
from rich.prompt import Confirm

from llm_d_gke.cli.exits import NO_CREDENTIALS, RefusedInputError
from llm_d_gke.google_types import ACCOUNT, EXPORT_ANNOTATION, FLEET_FEATURE, NETWORK, ROUTER
from llm_d_gke.operations.google_cloud import NoCredentialsError
from llm_d_gke.operations.leftovers.command import identify
from llm_d_gke.operations.leftovers.match import Identity
from llm_d_gke.operations.live_stack.stack import LiveStackError
from llm_d_gke.operations.pulumi_cli import PulumiError
from llm_d_gke.operations.teardown import command
from llm_d_gke.operations.teardown.command import destroy_all
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from tests.google_api import GoogleApi

PROJECT = "my-project"
PROVIDER = {
    "urn": "urn:provider",
    "type": "pulumi:providers:gcp",
    "id": "1",
    "inputs": {"project": PROJECT, "region": "us-central1"},
}
IDS = {
    NETWORK: f"projects/{PROJECT}/global/networks/llm-d-gpu-network",
    ROUTER: f"projects/{PROJECT}/regions/us-central1/routers/llm-d-gpu-router",
    ACCOUNT: f"projects/{PROJECT}/serviceAccounts/llm-d-gpu-nodes@{PROJECT}.iam.gserviceaccount.com",
}
INPUTS: dict[str, dict[str, Any]] = {
    NETWORK: {"name": "llm-d-gpu-network"},
    ROUTER: {"name": "llm-d-gpu-router", "network": IDS[NETWORK], "region": "us-central1"},
    ACCOUNT: {"accountId": "llm-d-gpu-nodes", "email": f"llm-d-gpu-nodes@{PROJECT}.iam.gserviceaccount.com"},
}


def resource(kind: str, **more: str) -> dict[str, Any]:
    return {"urn": f"urn:{kind}", "type": kind, "inputs": INPUTS[kind], "provider": "urn:provider::1"} | more


class Pulumi:
    """Pulumi's CLI over a state: `destroy` deletes what the state has, unless something else holds it."""

    def __init__(self, store: CloudStore, recorded: Sequence[str], pending: Sequence[str]) -> None:
        self.store, self.commands = store, list[str]()
        operations = [{"type": "creating", "resource": resource(kind)} for kind in pending]
        resources = [PROVIDER, *(resource(kind, id=IDS[kind]) for kind in recorded)]
        self.state: dict[str, Any] = {"resources": resources, "pending_operations": operations}

    def __call__(self, arguments: Sequence[str], *, output: bool = False) -> str:
        assert output is (arguments[0] == "destroy")
        self.commands.append(" ".join(arguments[:2]))
        if arguments[:2] == ["stack", "import"]:
            self.state = json.loads(Path(arguments[-1]).read_text(encoding="utf-8"))["deployment"]
        if arguments[0] == "destroy":
            self._destroy()
        return json.dumps({"version": 3, "deployment": self.state})

    def _destroy(self) -> None:
        for own in reversed(self.state["resources"][1:]):
            with self.store.transaction() as cloud:
                if own["type"] == NETWORK and cloud["resources"].get(ROUTER):
                    raise PulumiError("the network is in use")
                del cloud["resources"][own["type"]][own["id"]]
            self.state["resources"].remove(own)


@pytest.fixture(scope="module")
def identity() -> Identity:
    return identify("gpu", {}, PROJECT)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudStore:
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")
    store = CloudStore(StackPaths("gpu", tmp_path).cloud)
    with store.transaction() as cloud:
        marks: dict[str, Any] = {MARKS: {"urn": "", "run": ""}}
        cloud["resources"] = {kind: {IDS[kind]: INPUTS[kind] | marks} for kind in IDS}
    return store


@pytest.mark.parametrize(
    ("pending", "commands"),
    [
        # The state says what was begun.
        ((ROUTER, ACCOUNT), ["stack export", "stack import", "refresh --yes", "destroy --yes", "stack export"]),
        # The state knows nothing of the router and the account: their names tell, and the router holds the network.
        ((), ["stack export", "destroy --yes", "stack export", "destroy --yes"]),
    ],
)
def test_what_no_state_recorded_goes_with_the_stack(
    store: CloudStore, identity: Identity, pending: Sequence[str], commands: list[str]
) -> None:
    pulumi, output = Pulumi(store, [NETWORK], pending), io.StringIO()
    assert destroy_all(identity, pulumi, GoogleApi(store), Console(file=output, width=300), yes=True, unlock=False) == 0
    assert not any(store.read()["resources"].values())
    assert pulumi.commands == commands
    assert "Nothing of stack gpu is left" in output.getvalue()


def test_what_the_state_still_has_is_not_removed_behind_pulumi(
    store: CloudStore, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protected network: destroy fails, and so does the command."""

    def refuse(_: Pulumi) -> None:
        raise PulumiError("protected")

    monkeypatch.setattr(Pulumi, "_destroy", refuse)
    pulumi = Pulumi(store, [NETWORK], [])
    assert destroy_all(identity, pulumi, GoogleApi(store), Console(file=io.StringIO()), yes=True, unlock=False) == 1
    assert set(store.read()["resources"]) == {NETWORK}


def test_a_member_of_a_fleet_leaves_it_first_unless_the_user_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {"namespace": "llm-d", "name": "chat", "annotations": {EXPORT_ANNOTATION: "True"}}
    pool = {"type": "kubernetes:inference.networking.k8s.io/v1:InferencePool", "inputs": {"metadata": metadata}}
    done: list[object] = []

    def destroyed(*_: object, **__: object) -> int:
        done.append("destroyed")
        return 0

    monkeypatch.setattr(command, "open_session", lambda: (None, PROJECT))
    monkeypatch.setattr(command, "identify", lambda *_: None)
    monkeypatch.setattr(command, "run_pulumi", lambda *_, **__: json.dumps({"deployment": {"resources": [pool]}}))
    monkeypatch.setattr(command, "_prepare", lambda _stack, _changes, pools, *_: done.append(pools))
    monkeypatch.setattr(command, "destroy_all", destroyed)
    monkeypatch.setattr(Confirm, "ask", lambda *_, **__: False)
    assert command.destroy("east", {}, None, yes=False, unlock=False) == 1
    assert done == []
    assert command.destroy("east", {}, None, yes=True, unlock=False) == 0
    assert done == [[("llm-d", "chat")], "destroyed"]


def test_a_member_that_is_not_reached_is_destroyed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> NoReturn:
        raise LiveStackError("no credentials for cluster east")

    monkeypatch.setattr(command, "gke_stack", unreachable)
    output = io.StringIO()
    command._prepare("east", {}, [("llm-d", "chat")], [], Console(file=output, width=300))
    assert "requests are lost: no credentials for cluster east" in output.getvalue()


def memberships(*stacks: str, status: int = 200, reason: str = "") -> Any:
    """An HTTP session that answers with the fleet's memberships, of which one is of no stack."""
    labeled = [{"labels": {"llm-d-stack": stack}} for stack in stacks]
    error = {"message": "no", "details": [{"reason": reason}]}
    body = {"resources": [{"name": "other"}, *labeled]} if status == 200 else {"error": error}
    return SimpleNamespace(request=lambda *_, **__: SimpleNamespace(status_code=status, json=lambda: body))


@pytest.mark.parametrize(
    ("session", "refused"),
    [
        (memberships("gpu", "east"), "make destroy STACK=east"),
        (memberships("gpu"), None),
        (memberships(status=403, reason="SERVICE_DISABLED"), None),
        (memberships(status=403), r"could not be listed \(403: no\)"),
    ],
)
def test_the_gateway_of_a_fleet_stays_while_other_clusters_are_in_it(
    session: Any, refused: str | None, monkeypatch: pytest.MonkeyPatch, identity: Identity
) -> None:
    config = json.dumps({"deployment": {"resources": [{"type": FLEET_FEATURE}]}})
    monkeypatch.setattr(command, "open_session", lambda: (session, PROJECT))
    monkeypatch.setattr(command, "identify", lambda *_: identity)
    monkeypatch.setattr(command, "run_pulumi", lambda *_, **__: config)
    monkeypatch.setattr(command, "destroy_all", lambda *_, **__: 0)
    if refused is not None:
        with pytest.raises(RefusedInputError, match=refused):
            command.destroy("gpu", {}, None, yes=True, unlock=False)
    assert command.destroy("gpu", {}, None, yes=True, unlock=False, despite_members=refused is not None) == 0


def test_a_stack_that_is_only_rehearsed_leads_to_the_command_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise NoCredentialsError("No Google credentials here")

    monkeypatch.setattr(command, "is_rehearsed", lambda _stack: True)
    monkeypatch.setattr(command, "open_session", refuse)
    assert command.destroy("gpu", {}, None, yes=True, unlock=False) == NO_CREDENTIALS
    assert "make down STACK=gpu ends it here" in " ".join(capsys.readouterr().out.split())
