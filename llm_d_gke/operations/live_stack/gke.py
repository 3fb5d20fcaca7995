"""A stack on GKE, found by the outputs of its Pulumi stack and the user's own credentials.

Nothing is created: `pulumi stack output` reads the state, `gcloud container clusters get-credentials` writes a
kubeconfig into a temporary folder, and pods are reached through `kubectl port-forward`, which ends with the command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llm_d_gke.kube import ApiError, Kube
from llm_d_gke.operations.live_stack.kubeconfig import connect
from llm_d_gke.operations.live_stack.rehearsed import NotRunningError
from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, LiveStackError, Manifest
from llm_d_gke.planning import StackPlan, plan_config
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackConfig
from llm_d_gke.stackfile.assumptions import ASSUMED_PROJECT, load_assumed

_COMMAND_SECONDS = 120
_FORWARD_SECONDS = 20
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


class ForwardedPods:
    """Pods through the API server, by `kubectl port-forward`: network policies do not apply to it."""

    def __init__(self, kube: Kube, kubeconfig: Path) -> None:
        self._kube, self._kubeconfig = kube, kubeconfig
        self._forwards: dict[tuple[str, str, int], tuple[subprocess.Popen[str], str]] = {}

    def address(self, pod: Manifest, port: int) -> str:
        metadata = pod["metadata"]
        key = (str(metadata["namespace"]), str(metadata["name"]), port)
        if key not in self._forwards:
            self._forwards[key] = self._forward(*key)
        return self._forwards[key][1]

    def _forward(self, namespace: str, name: str, port: int) -> tuple[subprocess.Popen[str], str]:
        command = ["kubectl", "--kubeconfig", str(self._kubeconfig), "--namespace", namespace]
        command += ["port-forward", "--address", "127.0.0.1", f"pod/{name}", f":{port}"]
        try:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        except OSError:
            raise LiveStackError("single pods are reached by kubectl: gcloud components install kubectl") from None
        # A forward that hangs prints nothing: without a limit the first line would be waited for indefinitely.
        limit = threading.Timer(_FORWARD_SECONDS, child.kill)
        limit.start()
        assert child.stdout is not None
        assert child.stderr is not None
        match = _FORWARDING.search(child.stdout.readline())
        limit.cancel()
        if match is None:
            child.kill()
            raise LiveStackError(f"kubectl port-forward to pod {name}: {child.stderr.read().strip() or 'no answer'}")
        return child, f"127.0.0.1:{match[1]}"

    def log(self, pod: Manifest, container: str, *, previous: bool = False) -> str:
        metadata = pod["metadata"]
        try:
            return self._kube.log(metadata["namespace"], metadata["name"], container, previous=previous)
        except ApiError:
            # A container that never ran has no log.
            return ""

    def close(self) -> None:
        for child, _ in self._forwards.values():
            child.terminate()
        for child, _ in self._forwards.values():
            child.wait()


@contextmanager
def gke_stack(stack: str, overrides: Mapping[str, str]) -> Iterator[LiveStack]:
    """Raises LiveStackError where outputs, credentials or the cluster are not available."""
    outputs = read_outputs(stack)
    config = _configuration(stack, overrides, outputs)
    plan = plan_config(stack, config)
    with tempfile.TemporaryDirectory(prefix="llmd-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        _get_credentials(outputs, kubeconfig)
        with connect(kubeconfig) as kube:
            _require_namespace(kube, plan.namespace.name, stack)
            pods = ForwardedPods(kube, kubeconfig)
            try:
                yield LiveStack(
                    name=stack,
                    target="gke",
                    looked_at=f"the stack {stack} on GKE: cluster {outputs['clusterName']} at {kube.server}",
                    config=config,
                    plan=plan,
                    cluster=kube,
                    pods=pods,
                    endpoint=endpoint_of(outputs) or _endpoint_in_fleet(kube, plan),
                )
            finally:
                pods.close()


def _require_namespace(kube: Kube, namespace: str, stack: str) -> None:
    """Raise LiveStackError for a cluster that does not have the stack's namespace, as far as one may see that."""
    try:
        exists = kube.find("v1", "Namespace", namespace) is not None
    except ApiError:
        return
    if not exists:
        raise LiveStackError(
            f"the cluster at {kube.server} has no namespace {namespace}: it is not that of stack {stack}, or its `up`"
            f" did not finish: pulumi up --stack {stack}"
        )


def read_outputs(stack: str) -> dict[str, Any]:
    """The outputs of a Pulumi stack. Raises LiveStackError with Pulumi's own words."""
    done = _run(["pulumi", "stack", "output", "--json", "--stack", stack], "https://www.pulumi.com/docs/install")
    if done.returncode != 0:
        raise NotRunningError(stack, f"pulumi does not know it either: {done.stderr.strip()[:400]}")
    try:
        outputs: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        outputs = {}
    missing = [name for name in ("clusterName", "getCredentials") if name not in outputs]
    if missing:
        raise LiveStackError(
            f"stack {stack} has no output {', '.join(missing)}, so its `up` did not finish: pulumi up --stack {stack}"
        )
    return outputs


def endpoint_of(outputs: Mapping[str, Any]) -> Endpoint | None:
    """The address of the load balancer, under the host name of the endpoint, which need not be in DNS yet.

    None in a fleet: Google chooses the addresses, and a member has no Gateway.
    """
    if "gatewayAddress" not in outputs:
        return None
    parts = urlsplit(str(outputs["endpoint"]))
    port = f":{parts.port}" if parts.port else ""
    return Endpoint(url=f"{parts.scheme}://{outputs['gatewayAddress']}{port}", host=parts.hostname or "", trusted=True)


def _endpoint_in_fleet(kube: Kube, plan: StackPlan) -> Endpoint | None:
    """The first address that Google chose for a fleet's Gateway. None in a member's cluster."""
    gateway = kube.find("gateway.networking.k8s.io/v1", "Gateway", plan.gateway.name, plan.namespace.name) or {}
    for address in (gateway.get("status") or {}).get("addresses") or []:
        host = plan.gateway.hostname or str(address["value"])
        return Endpoint(url=f"http://{address['value']}", host=host, trusted=True)
    return None


def credentials_command(outputs: Mapping[str, Any]) -> list[str]:
    """The output `getCredentials` as a command. Raises LiveStackError where it is not gcloud's."""
    words = shlex.split(str(outputs["getCredentials"]))
    if words[:4] != ["gcloud", "container", "clusters", "get-credentials"]:
        raise LiveStackError(f"the output getCredentials is not a command of gcloud: {outputs['getCredentials']}")
    return words


def _get_credentials(outputs: Mapping[str, Any], kubeconfig: Path) -> None:
    command = credentials_command(outputs)
    done = _run(command, "https://cloud.google.com/sdk/docs/install", {"KUBECONFIG": str(kubeconfig)})
    if done.returncode != 0:
        raise LiveStackError(f"no credentials for cluster {outputs['clusterName']}: {done.stderr.strip()[:400]}")


def _configuration(stack: str, overrides: Mapping[str, str], outputs: Mapping[str, Any]) -> StackConfig:
    config = load_assumed(stack, overrides)
    if config.settings()["project"] != ASSUMED_PROJECT:
        return config
    words = credentials_command(outputs)
    project = words[words.index("--project") + 1]
    return load_assumed(stack, {**overrides, f"{NAMESPACE}:project": project})


def _run(
    command: list[str], install: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=PROJECT_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise LiveStackError(f"{command[0]} is not installed: {install}") from None
    except subprocess.TimeoutExpired:
        raise LiveStackError(f"`{shlex.join(command)}` did not end within {_COMMAND_SECONDS} s") from None
