"""A trace through the real picker, and the parts that stand in for a cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from llm_d_gke.catalog import load
from llm_d_gke.maintenance.conformance.programs import binary
from llm_d_gke.maintenance.routing_trace.__main__ import earlier, groups_of, planned, site_of, traces
from llm_d_gke.maintenance.routing_trace.engines import Engine, PrefixCache
from llm_d_gke.maintenance.routing_trace.extension import CalloutRefusedError
from llm_d_gke.maintenance.routing_trace.kube_api import KubeApi
from llm_d_gke.maintenance.routing_trace.replay import (
    PickerError,
    Result,
    Site,
    free_port,
    running,
    with_oracle,
    with_picker,
    with_service,
)
from llm_d_gke.maintenance.routing_trace.trace import Trace
from llm_d_gke.operations.diagnose.messages import recognize
from llm_d_gke.planning.picker_config.document import DOCUMENTS

SMALL = Site(replicas=3, blocks=40, block_tokens=16, answer_seconds=0.02)


def words(first: str, count: int) -> str:
    return " ".join([first, *["word"] * (count - 1)])


class TestPrefixCache:
    def test_a_prompt_that_returns_is_cached_in_whole_blocks(self) -> None:
        cache = PrefixCache(blocks=10, block_tokens=16)
        assert [cache.take(words("a", 40)), cache.take(words("a", 40))] == [0, 32]

    def test_the_latest_prompts_stay_and_a_prompt_is_dropped_from_its_end(self) -> None:
        cache = PrefixCache(blocks=4, block_tokens=16)
        cache.take(words("a", 48))
        cache.take(words("b", 32))
        assert cache.take(words("b", 32)) == 32
        assert cache.take(words("a", 48)) == 32

    def test_the_oracle_misses_each_group_once(self) -> None:
        trace = Trace(groups=(0, 1, 2, 0, 1, 2), words=60)
        result = with_oracle(trace, SMALL)
        # 64 words of a beginning and a question: three whole blocks are common.
        assert (result.cached, result.requests, result.imbalance) == (3 * 48, (2, 2, 2), 1.0)


def test_a_plain_service_spreads_groups_over_all_caches() -> None:
    """Each of nine groups is prefilled at all three replicas, and they have no room for that."""
    trace = Trace.drawn(groups=9, exponent=0.4, prompts=60, words=160, seed=1)
    service, oracle = with_service(trace, SMALL), with_oracle(trace, SMALL)
    assert sum(service.requests) == 60
    assert service.cached < 0.6 * oracle.cached


def test_engines_report_what_a_picker_scrapes() -> None:
    engine = Engine("127.0.0.11", 0, PrefixCache(100, 16), "m")
    try:
        engine.begin(1, words("a", 160))
        lines = engine.metrics().splitlines()
    finally:
        engine.close()
    assert 'vllm:num_requests_running{model_name="m"} 1' in lines
    assert 'vllm:kv_cache_usage_perc{model_name="m"} 0.1' in lines
    assert 'vllm:cache_config_info{block_size="16",num_gpu_blocks="100"} 1' in lines


def test_the_api_lists_its_pods_and_its_pool() -> None:
    api = KubeApi(["127.0.0.11"], 8000, ["inference.networking.x-k8s.io"])

    def get(path: str) -> Any:
        return httpx.get(api.address + path, trust_env=False).json()

    try:
        [pod] = get("/api/v1/namespaces/trace/pods")["items"]
        [pool] = get("/apis/inference.networking.k8s.io/v1/namespaces/trace/inferencepools")["items"]
        assert get("/apis/inference.networking.x-k8s.io/v1alpha2/inferenceobjectives")["items"] == []
    finally:
        api.stop()
    assert (pod["status"]["podIP"], pool["spec"]["targetPorts"]) == ("127.0.0.11", [{"number": 8000}])
    assert pool["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("release", ["gaie-1.5", "llm-d-0.6", "llm-d-0.9"])
def test_the_earlier_configuration_is_one_that_the_release_reads(release: str) -> None:
    picker = load().pickers[load().releases[release].picker.build]
    DOCUMENTS[picker.document].model_validate_json(json.dumps(earlier(release)))
    assert earlier(release) != planned(release).picker.config


def test_traces_fill_the_share_of_the_caches_that_they_say() -> None:
    site = site_of(planned("gaie-1.5"))
    [trace] = traces(groups_of(site, 0.8), 1)
    needed = (max(trace.groups) + 1) * 89
    assert needed / (site.replicas * site.blocks) == pytest.approx(0.8, abs=0.02)


@pytest.mark.rehearsal
class TestPicker:
    """The picker that every other rehearsal uses; two replays of about three seconds."""

    def replay(self, config: Mapping[str, Any]) -> Result:
        picker = load().releases["gaie-1.5"].picker
        program = binary(picker.image, print)
        assert program is not None
        trace = Trace.drawn(groups=9, exponent=0.4, prompts=60, words=160, seed=1)
        return asyncio.run(with_picker(trace, SMALL, 40.0, program, picker, config))

    def test_a_beginning_returns_to_its_replica(self) -> None:
        """By chance two thirds of the prompts would go elsewhere."""
        result = self.replay(planned("gaie-1.5").picker.config)
        assert (sum(result.requests), result.refused) == (60, 0)
        assert result.cached > 0.7 * with_oracle(Trace.drawn(9, 0.4, 60, 160, 1), SMALL).cached

    def test_a_configuration_that_the_picker_refuses_is_named(self) -> None:
        with pytest.raises(PickerError, match="its log ends with"):
            self.replay({**earlier("gaie-1.5"), "plugins": [{"type": "no-such-plugin"}]})


@pytest.mark.rehearsal
class TestEmptyPool:
    """What a request gets from a pool that was scaled to zero, from a real picker."""

    async def answer(self, config: Mapping[str, Any], *, replica_after: float | None) -> str:
        picker = load().releases["gaie-1.5"].picker
        program = binary(picker.image, print)
        assert program is not None
        port = free_port(["127.0.0.11"])
        async with running([], port, program, picker, config) as (callouts, cluster):
            engine = Engine("127.0.0.11", port, SMALL.cache(), "model")
            if replica_after is not None:
                asyncio.get_running_loop().call_later(replica_after, cluster.add, engine.ip)
            try:
                async with asyncio.timeout(30), callouts.endpoint("model", "Say hello.", "request") as endpoint:
                    return endpoint.replace(str(port), "PORT")
            except CalloutRefusedError as error:
                return str(error)
            finally:
                engine.close()

    def test_it_is_refused_at_once(self) -> None:
        answer = asyncio.run(self.answer(planned("gaie-1.5").picker.config, replica_after=None))
        cause = recognize("endpoint", answer, "the endpoint")
        assert cause is not None
        assert cause.id == "no-replica"

    def test_with_flow_control_it_waits_for_the_replica(self) -> None:
        config = {**planned("gaie-1.5").picker.config, "featureGates": ["flowControl"]}
        assert asyncio.run(self.answer(config, replica_after=1.5)) == "127.0.0.11:PORT"
