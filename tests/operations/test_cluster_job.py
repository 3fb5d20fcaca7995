"""Jobs beside a stack: their account, and what they reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llm_d_gke.maintenance.scan import pods
from llm_d_gke.maintenance.scan.pods import load_objects, scanned_pods, staging_objects
from policy.llmd_policy.pods import hygiene

Objects = list[dict[str, Any]]


@pytest.mark.parametrize("objects_of", [load_objects, staging_objects])
class TestJob:
    def test_it_has_an_account_of_its_own(self, objects_of: Callable[[], Objects]) -> None:
        objects = objects_of()
        [pod] = scanned_pods("job", objects)
        assert list(hygiene(pod.pod)) == []
        [account] = [body for body in objects if body["kind"] == "ServiceAccount"]
        assert account["metadata"]["name"] == pod.pod.spec["serviceAccountName"]
        assert account["automountServiceAccountToken"] is False

    def test_only_the_clusters_name_servers_are_asked(self, objects_of: Callable[[], Objects]) -> None:
        egress = egress_of(objects_of())
        [names] = [rule for rule in egress if any(port["port"] == 53 for port in rule["ports"])]
        assert {port["port"] for port in names["ports"]} == {53}
        blocks = [peer["ipBlock"]["cidr"] for peer in names["to"] if "ipBlock" in peer]
        assert all(block.endswith("/32") for block in blocks)
        pods = [peer for peer in names["to"] if "ipBlock" not in peer]
        assert all(peer["podSelector"]["matchLabels"]["k8s-app"] in ("kube-dns", "node-local-dns") for peer in pods)
        assert all(rule["to"] and rule["ports"] for rule in egress)


def test_the_job_with_the_hubs_token_reaches_no_private_address() -> None:
    [https] = [rule for rule in egress_of(staging_objects()) if [port["port"] for port in rule["ports"]] == [443]]
    [peer] = https["to"]
    assert {"10.0.0.0/8", "192.168.0.0/16", "169.254.0.0/16"} <= set(peer["ipBlock"]["except"])


@pytest.mark.parametrize("objects_of", [load_objects, staging_objects])
def test_they_are_scanned_whatever_the_stack_files_hold(
    objects_of: Callable[[], Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users change `Pulumi.gpu.yaml`: with several models in it, `make scan` ended with a traceback."""
    monkeypatch.setattr(pods, "load", None)
    assert [body["kind"] for body in objects_of()].count("Job") == 1


def egress_of(objects: Objects) -> Objects:
    [policy] = [body for body in objects if body["kind"] == "NetworkPolicy"]
    return list(policy["spec"]["egress"])
