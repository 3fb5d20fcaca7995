"""Every serving back end gives a model names and inputs that fit together."""

from __future__ import annotations

from typing import get_args

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.context import Role
from llm_d_gke.planning.serving.backends import BACKENDS, ServingBackend
from llm_d_gke.settings.stack import Deployment

ROLES: tuple[Role, ...] = get_args(Role)
RELEASES = load().releases.values()
LONGEST_NAME = 63


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> ServingBackend:
    return BACKENDS[request.param]


def test_every_deployment_has_a_back_end() -> None:
    assert set(BACKENDS) == set(get_args(Deployment))


@pytest.mark.parametrize("multi_node", [False, True])
def test_decode_and_prefill_share_no_object(backend: ServingBackend, multi_node: bool) -> None:
    decode, prefill = (backend.server_names("key", role, multi_node=multi_node) for role in ("decode", "prefill"))
    assert decode.workload != prefill.workload
    assert decode.service_account != prefill.service_account
    assert decode.claim_template != prefill.claim_template


@pytest.mark.parametrize("role", ROLES)
def test_two_models_share_no_object(backend: ServingBackend, role: Role) -> None:
    first, second = (backend.server_names(key, role, multi_node=False) for key in ("first", "second"))
    assert first.workload != second.workload
    assert first.service_account != second.service_account
    pools = [backend.pool(key, {}) for key in ("first", "second")]
    assert len({pool.name for pool in pools}) == len({pool.picker_service for pool in pools}) == 2
    assert pools[0].selector != pools[1].selector


def test_the_longest_key_gives_names_that_kubernetes_accepts(backend: ServingBackend) -> None:
    key = "k" * 40
    for role in ROLES:
        names = backend.server_names(key, role, multi_node=True)
        assert max(map(len, (names.workload, names.service_account, names.direct_service))) <= LONGEST_NAME
    pool = backend.pool(key, {})
    assert max(len(pool.name), len(pool.picker_service)) <= LONGEST_NAME


def test_an_update_never_stands_still(backend: ServingBackend) -> None:
    """With neither a surge nor an unavailable replica a Deployment would replace nothing."""
    for spare in (False, True):
        for multi_node in (False, True):
            rollout = backend.rollout(spare=spare, multi_node=multi_node)
            assert rollout.max_surge + rollout.max_unavailable > 0
            assert spare or rollout.max_surge == 0


def test_kserve_never_leaves_a_command_to_its_presets() -> None:
    kserve = BACKENDS["kserve"]
    for release in RELEASES:
        assert kserve.engine_command(release.engine.command, release) != ()
        assert kserve.picker("key", release).command == release.picker.command != ()


def test_labels_that_kserve_sets_are_left_to_it() -> None:
    labels = {"app.kubernetes.io/name": "vllm", "llm-d.ai/role": "decode", "llm-d.ai/model": "key"}
    assert BACKENDS["kserve"].pod_labels(labels) == {"llm-d.ai/model": "key"}
    assert BACKENDS["direct"].pod_labels(labels) == labels
