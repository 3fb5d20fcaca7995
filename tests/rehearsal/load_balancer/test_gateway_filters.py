"""The local Envoy takes the filters of Istio's EnvoyFilters, and reads the Secrets that the Gateway's pods mount."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.rehearsal.load_balancer.gateway_filters import STAND_IN_KEY, filters_of, with_mounts
from tests.planning.routing.test_edge import ENVOY_FILTER, GATEWAY, KEYS, revealed
from tests.stacks import graph_of

NAMESPACE = "llm-d-inference-scheduling"


PARAMETERS = ("kubernetes:core/v1:ConfigMap", "gateway-parameters")


def bodies(*kinds: tuple[str, str | None]) -> list[Any]:
    graph = graph_of("gpu", KEYS | {"gateway.limits": {"bodyBytes": 100_000}})
    return [revealed(graph.one(*kind).inputs) for kind in kinds]


def test_the_stacks_filters_are_taken_in_their_order() -> None:
    gateway, envoy_filter = bodies((GATEWAY, None), (ENVOY_FILTER, None))
    filters, manager = filters_of(gateway, [envoy_filter])
    assert [entry["name"] for entry in filters] == ["llm-d.api-keys", "llm-d.body"]
    assert manager == {"request_headers_timeout": "10s", "request_timeout": "60s"}


def test_filters_of_other_gateways_are_left_out() -> None:
    gateway, envoy_filter = bodies((GATEWAY, None), (ENVOY_FILTER, None))
    gateway["metadata"]["name"] = "another"
    assert filters_of(gateway, [envoy_filter]) == ([], {})


def test_mounted_secrets_become_files_and_go_with_their_secret(tmp_path: Path) -> None:
    gateway, envoy_filter, parameters = bodies((GATEWAY, None), (ENVOY_FILTER, None), PARAMETERS)
    parameters["kind"] = "ConfigMap"
    data = {"api-keys": base64.b64encode(b"a key\n").decode()}
    secret: Any = {"kind": "Secret", "metadata": {"name": "inference-api-keys"}, "data": data}
    filters, _ = filters_of(gateway, [envoy_filter])

    def mounted() -> list[Any]:
        return with_mounts(gateway, filters, tmp_path, lambda kind, _, __: secret if kind == "Secret" else parameters)

    file = tmp_path / NAMESPACE / "inference-api-keys" / "api-keys"
    assert f'local FILE = \\"{file}\\"' in json.dumps(mounted())
    assert file.read_text() == "a key\n"
    assert file.stat().st_mode & 0o777 == 0o600
    listed = {"secrets": '- resourceName: "keys"\n  path: "api-keys"\n'}
    text = json.dumps(parse_yaml(parameters["data"]["deployment"]))
    csi = '"csi": {"volumeAttributes": {"secretProviderClass": "inference-api-keys"}}'
    managed = {
        **parameters,
        "data": {"deployment": text.replace('"secret": {"secretName": "inference-api-keys"}', csi)},
    }
    holders = {
        "ConfigMap": managed,
        "SecretProviderClass": {"kind": "SecretProviderClass", "spec": {"parameters": listed}},
    }
    with_mounts(gateway, filters, tmp_path, lambda kind, _, __: holders[kind])
    assert file.read_text() == f"rehearsal {STAND_IN_KEY}\n"
    secret = None
    mounted()
    assert not file.exists()


def test_the_folder_that_tokens_are_counted_in_is_the_filters_own(tmp_path: Path) -> None:
    graph = graph_of("gpu", KEYS | {"gateway.limits": {"tokensPerMinute": 1000, "per": "key"}})
    gateway, envoy_filter, parameters = (
        revealed(graph.one(*kind).inputs) for kind in ((GATEWAY, None), (ENVOY_FILTER, None), PARAMETERS)
    )
    filters, _ = filters_of(gateway, [envoy_filter])
    assert [entry["name"] for entry in filters] == ["llm-d.api-keys", "llm-d.tokens"]
    parameters["kind"] = "ConfigMap"

    def mounted() -> str:
        return json.dumps(
            with_mounts(gateway, filters, tmp_path, lambda kind, _, __: parameters if kind == "ConfigMap" else None)
        )

    folder = tmp_path / NAMESPACE / "tokens"
    assert f'local DIRECTORY, LIMIT, CLIENT = \\"{folder}/\\", 1000' in mounted()
    count = folder / "count"
    count.write_text("...")
    mounted()
    assert count.read_text() == "..."
