"""The table that preview and up show: once, as text that any log can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.operations.report.collect import facts_of
from llm_d_gke.operations.report.command import markdown
from llm_d_gke.operations.report.facts import MemoryFacts, Segment
from llm_d_gke.operations.report.formatting import findings
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.operations.report.page import page
from llm_d_gke.operations.report.terminal import bar, report_text, summary
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.stacks import graph_of, plan_of


def table_text(stack: str, changes: dict[str, Any] | None = None, width: int = 80) -> str:
    plan = plan_of(stack, changes)
    return summary(facts_of(stack, plan, plan.warnings), width)


@pytest.mark.parametrize("stack", ["gpu", "multi-model-tpu"])
def test_the_program_says_it_once(stack: str) -> None:
    texts = [message.text for message in graph_of(stack).messages if message.severity == "info"]
    acknowledged = [text for text in texts if text.startswith("LLMD-")]
    # The engine indents it by four.
    assert [text for text in texts if text not in acknowledged] == [table_text(stack, width=76)]
    assert all("acknowledged:" in text for text in acknowledged)


@pytest.mark.parametrize("stack", ["gpu", "tpu", "multi-model-gpu", "disaggregated-gpu", "mixture-of-experts-wide-gpu"])
def test_it_is_plain_text_that_any_terminal_holds(stack: str) -> None:
    lines = table_text(stack).splitlines()
    assert 10 < len(lines) < 40
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "\x1b" in line or line != line.rstrip()]


def test_it_says_what_pulumi_would_still_ask_for() -> None:
    assert "llm-d:huggingFace.token is not set; a token is assumed" in _text("gpu")
    changed = _text("gpu", {"models[0].id": "Qwen/Qwen3-0.6B"})
    assert "huggingFace" not in changed
    assert "huggingFace" not in _text("gpu", {"models[0].source": "{kind: bucket, bucket: my-models, path: gemma}"})
    assert "llm-d:project is not set" in changed


@pytest.mark.parametrize(
    ("provisioning", "limit"), [("spot", "take back at any time"), ("flex-start", "seven days at most")]
)
def test_it_says_what_the_purchase_option_takes_away(provisioning: str, limit: str) -> None:
    text = _text("gpu", {"accelerator.type": "nvidia-l4", "accelerator.provisioning": provisioning})
    assert f"priced with {provisioning} nodes" in text
    assert limit in text
    assert "priced with" not in _text("gpu")


@pytest.mark.parametrize(
    ("changes", "outage"),
    [
        ({"accelerator.nodes.max": 1}, True),
        ({"accelerator.nodes.max": 2}, False),
        ({"accelerator.nodes.max": 2, "models[0].replicas": 2}, False),
        ({"accelerator.nodes.max": 1, "paused": True}, False),
    ],
    ids=["full pool", "spare node", "two replicas", "paused"],
)
def test_an_only_replica_that_ends_before_the_new_one_starts_is_said(changes: dict[str, Any], outage: bool) -> None:
    """The program logs the verdict, so a preview on GKE and its comment on a pull request have the sentence."""
    output = " ".join(table_text("gpu", changes).split())
    sentence = "a change of the pods of gemma-2b-it-vllm: no request is answered from the end of its only replica"
    assert (sentence in output) is outage


def test_a_stack_without_replicas_promises_no_answer() -> None:
    none = _text("gpu", {"models[0].replicas": "0"})
    assert "First answer" not in none
    assert "other purchase options" not in none
    assert "once it is not paused: 3.71 requests/s" in _text("gpu", {"paused": "true"})


def _text(stack: str, changes: dict[str, str] | None = None) -> str:
    return " ".join(report_text(load_facts(PROJECT_ROOT, stack, changes)).split())


def test_it_holds_memory_capacity_cost_and_findings() -> None:
    text = table_text("gpu")
    memory = plan_of("gpu").models[0].servers[0].memory
    assert memory is not None
    for part in (
        "gpu: single-replica",
        "1 warning",
        "fits",
        f"{memory.margin_gib:+.1f} GiB of {memory.total_gib:.1f}",
        f"{memory.kv_tokens:,} KV tokens",
        "requests/s (±36%)",
    ):
        assert part in text
    for part in (
        "running      $0.88 an hour",
        "idle         $0.88",
        "paused       $0.32",
        "per million  requests $",
        "spot $0.60",
    ):
        assert part in text


def test_it_names_the_method_of_the_speed_and_the_error_it_earned() -> None:
    for stack in ("gpu", "multi-model-gpu"):
        assert (
            " ".join(table_text(stack).split()).count("speed: estimate by the roofline, give or take 9% in half") == 1
        )


def test_the_bar_is_explained_where_there_is_one() -> None:
    assert "KV cache ·" in table_text("gpu")
    assert "KV cache ·" not in table_text("gpu", {"models[0].id": "acme/unknown", "huggingFace": None})


def test_an_unknown_price_is_called_a_least() -> None:
    text = table_text("tpu")
    assert "running      at least $12.21 an hour" in text
    assert "without the unknown price of boot disks" in text


def test_ways_of_buying_without_a_price_are_left_out() -> None:
    for stack in ("gpu", "tpu"):
        assert " unknown" not in table_text(stack).replace("the unknown price", "")


def test_too_much_load_is_said_with_the_capacity() -> None:
    changes = {"models[0].load": {"requestsPerSecond": 30}}
    capacity = plan_of("gpu", changes).models[0].capacity
    assert capacity is not None
    assert capacity.full.requests_per_second < 30
    text = " ".join(table_text("gpu", changes).split())
    assert "30 requests/s of 128 prompt and 128 output tokens exceeds the capacity of about" in text
    assert f"capacity of about {capacity.full.requests_per_second:.2f} requests/s" in text or (
        f"capacity of about {capacity.full.requests_per_second:,.0f} requests/s" in text
    )


@pytest.mark.parametrize(("stack", "rate"), [("gpu", 2), ("gpu", 4), ("disaggregated-gpu", 1)])
def test_a_stated_rate_is_compared_with_the_capacity(stack: str, rate: float) -> None:
    changes = {"models[0].load": {"requestsPerSecond": rate}}
    capacity = plan_of(stack, changes).models[0].capacity
    assert capacity is not None
    above = capacity.full.requests_per_second / rate - 1
    assert above > 0
    assert f"requests/s, {above:.0%} above the load" in table_text(stack, changes)


def test_stated_latencies_bound_the_capacity() -> None:
    load = {"requestsPerSecond": 1, "timePerOutputTokenMs": 36}
    capacity = plan_of("gpu", {"models[0].load": load}).models[0].capacity
    assert capacity is not None
    assert capacity.within_objectives is not None
    bounded, full = capacity.within_objectives, capacity.full
    assert bounded.time_per_output_token <= 0.036 < full.time_per_output_token
    assert bounded.requests_per_second < full.requests_per_second
    text = " ".join(table_text("gpu", {"models[0].load": load}).split())
    assert "requests/s within the stated latencies" in text


def test_requests_in_flight_are_no_stated_rate() -> None:
    objective = {"models[0].load": {"concurrency": 16, "timePerOutputTokenMs": 500}}
    assert "above the load" not in table_text("gpu")
    assert "above the load" not in table_text("gpu", objective)


def test_pools_that_are_too_small_have_no_ceiling() -> None:
    facts = load_facts(PROJECT_ROOT, "gpu", {"llm-d:models[0].replicas": "9", "llm-d:pattern": "prefix-cache"})
    assert "LLMD-POOL-REPLICAS" in {finding.id for finding in facts.findings}
    assert "with every node pool at its largest: too small for the replicas" in summary(facts)
    assert "at most $" not in summary(facts)
    assert "largest: too small for the replicas" in markdown(facts)
    assert "with every node pool at its largest: at most $" in table_text("gpu")


def test_a_choice_without_a_price_has_no_ceiling() -> None:
    """The sum without it is lower than what runs, which says nothing about the size of the pools."""
    changes = {"llm-d:accelerator.computeClass.fallbacks[1].provisioning": "flex-start"}
    facts = load_facts(PROJECT_ROOT, "compute-class-gpu", changes)
    assert "with every node pool at its largest: unknown a month" in summary(facts)
    assert "running      $" in summary(facts)


def test_an_estimate_that_nothing_was_fitted_to_says_so() -> None:
    """Of two stages nothing was measured: each role has its memory, and what limits both is named."""
    text = table_text("disaggregated-gpu")
    assert "requests/s (order of magnitude), first token" in text
    assert "Decode: 2 replicas on 4 x H100 80 GB (A3 High)\n" in text
    assert text.count("which limits both") == 1


def memory(weights: float, engine: float, cache: float, outside: float, total: float | None = None) -> MemoryFacts:
    return MemoryFacts(
        status="fits",
        limit="kv-cache",
        total_gib=total if total is not None else weights + engine + cache + outside,
        error_gib=1,
        margin_gib=1,
        segments=(
            Segment(kind="weights", name="", gib=weights),
            Segment(kind="engine", name="", gib=engine),
            Segment(kind="kv-cache", name="", gib=cache),
            Segment(kind="outside", name="", gib=outside),
        ),
        kv_tokens=1,
        longest=1,
        max_model_len=1,
        max_concurrency=1,
    )


class TestBar:
    @pytest.mark.parametrize(
        "parts", [(5, 2, 5, 2), (0.01, 0.01, 30, 1), (20, 2, 0, 1.5), (1, 1, 1, 1), (13.9, 0.7, 0.2, 0.2)]
    )
    def test_it_is_always_as_wide(self, parts: tuple[float, float, float, float]) -> None:
        for width in (8, 24, 40):
            assert len(bar(memory(*parts), width)) == width

    def test_lengths_are_shares(self) -> None:
        assert bar(memory(6, 3, 2, 1), 12) == "██████▓▓▓▒▒·"

    def test_weights_that_do_not_fit_fill_it(self) -> None:
        assert bar(memory(20, 2, 0, 2, total=16), 24) == "█" * 20 + "▓▓" + "··"


def test_it_says_when_the_first_answer_comes_and_what_it_waits_for() -> None:
    text = " ".join(table_text("gpu").split())
    assert "First answer " in text
    assert "Critical path: enable APIs" in text
    assert "rules of thumb" in text
    assert "First answer" not in table_text("gpu", {"paused": True})


def test_a_setting_of_the_command_line_has_no_line_of_the_file() -> None:
    facts = load_facts(PROJECT_ROOT, "gpu", {"llm-d:models[0].replica": "2"})
    places = {finding.path: finding.place for finding in facts.findings}
    assert places["llm-d:models[0].replica"] == "-c"


def test_every_report_names_the_line_of_a_finding() -> None:
    facts = load_facts(PROJECT_ROOT, "gpu", {})
    [place] = {finding.place for finding in facts.findings}
    assert place is not None
    assert place.startswith("Pulumi.gpu.yaml, line ")
    for text in (report_text(facts), markdown(facts), page(facts)):
        assert " ".join(text.split()).count(place) == len(facts.findings)


def test_a_refused_model_of_the_users_own_is_judged_by_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 2048,
        "head_dim": 128,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "dtype": "bfloat16",
        "tie_word_embeddings": True,
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    model = {
        "id": "my-org/mine",
        "config": str(file),
        "maxModelLen": 2048,
        "dtype": "half",
        "gpuMemoryUtilization": 0.8,
        "source": {"kind": "bucket", "bucket": "my-models", "path": "mine"},
        "adapters": [{"name": "legal", "source": "my-org/legal"}],
    }
    refused = load_facts(PROJECT_ROOT, "gpu", {"llm-d:models": json.dumps([model])})
    assert [finding.id for finding in refused.findings if finding.severity == "error"] == ["LLMD-ADAPTER-SOURCE"]
    assert "memory not judged" not in report_text(refused)
    assert "KV tokens" in report_text(refused)


def test_findings_are_counted_by_kind() -> None:
    facts = load_facts(PROJECT_ROOT, "gpu", {"llm-d:models[0].replica": "2"})
    assert findings(facts.findings) == "1 error, 1 warning and 1 acknowledged"
    assert findings(()) == "no findings"


def test_limits_that_contradict_each_other_are_no_range() -> None:
    facts = load_facts(
        PROJECT_ROOT,
        "autoscaled-gpu",
        {"models[0].autoscaling.minimum": "2", "models[0].autoscaling.maximum": "1"},
    )
    text = report_text(facts)
    assert "LLMD-AUTOSCALING-LIMITS" in text
    assert "2 to 1" not in text
    assert "replicas follow the load" not in text
