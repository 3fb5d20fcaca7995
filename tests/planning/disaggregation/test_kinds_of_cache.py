"""Sliding windows beside NIXL's connector: stored separately since vLLM 0.18, as full attention before."""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.planning import plan_raw
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.engine_conflicts import B200_8 as B200
from tests.stacks import ENCRYPTED, plan_of, values_of

FLAG = "--no-disable-hybrid-kv-cache-manager"


def decode(release: str) -> ModelServerPlan:
    changes = {
        "release": release,
        "models[0].id": "openai/gpt-oss-120b",
        "models[0].tensorParallel": 2,
        "models[0].maxModelLen": 131072,
        "models[0].maxNumBatchedTokens": 2048,
    }
    plan = plan_of("disaggregated-gpu", changes)
    return plan.models[0].servers[0]


def test_an_engine_whose_connector_knows_one_kind_is_not_asked_for_several() -> None:
    """It would end with: Connector NixlConnector does not support HMA but HMA is enabled."""
    assert FLAG in decode("llm-d-0.9").pod.args
    assert FLAG not in decode("llm-d-0.6").pod.args


def test_windows_save_nothing_there() -> None:
    """vllm-project/vllm issue 42024: gpt-oss-120b holds half as many tokens."""
    separate, together = decode("llm-d-0.9").memory, decode("llm-d-0.6").memory
    assert separate is not None
    assert together is not None
    assert 1.6 < separate.max_concurrency / together.max_concurrency < 2.4


LAYOUT = "VLLM_SSM_CONV_STATE_LAYOUT"


def argument(args: Sequence[str], option: str) -> str:
    return args[args.index(option) + 1]


def test_blocks_are_those_of_the_kernels() -> None:
    """vllm-project/vllm issue 42846: NIXL and FlashInfer with blocks larger than its kernels'."""
    b200 = {"location": "us-central1-b", "accelerator": dict(B200)}
    for changes, tokens in (({}, "128"), (b200, "64")):
        server = plan_of("disaggregated-gpu", changes).models[0].servers[0]
        assert argument(server.pod.args, "--block-size") == tokens


def layouts(release: str = "llm-d-0.9", **model: object) -> list[str | None]:
    """The layout of recurrent states that each role's engine has."""
    changes = {"release": release, **{f"models[0].{name}": value for name, value in model.items()}}
    servers = plan_of("disaggregated-gpu", changes).models[0].servers
    return [variable.value for server in servers for variable in server.pod.env if variable.name == LAYOUT]


def test_recurrent_states_are_stored_as_they_are_transferred() -> None:
    """vllm-project/vllm issue 54387: 3-read Mamba conv transfer requires DS conv state layout."""
    assert layouts(id="Qwen/Qwen3.5-35B-A3B") == ["DS", "DS"]
    assert layouts() == []


def test_a_model_whose_memory_is_not_computed_has_states_by_its_class() -> None:
    """Falcon-H1 has Mamba2's, which NIXL transfers (kv_connector/v1/ssm_conv_transfer_utils.py of 0.26.0)."""
    hub_id = "tiiuae/Falcon-H1-7B-Instruct"
    changes = {"models[0].id": hub_id, "models[0].config": "falcon.json"}
    files = {hub_id: ModelFile(config={"architectures": ["FalconH1ForCausalLM"], "model_type": "falcon_h1"})}
    plan = plan_raw("disaggregated-gpu", values_of("disaggregated-gpu", changes), ENCRYPTED, files=files)
    for server in plan.models[0].servers:
        assert [variable.value for variable in server.pod.env if variable.name == LAYOUT] == ["DS"]
        assert FLAG in server.pod.args


def test_a_stack_file_may_say_so_itself() -> None:
    """As vLLM's recipes do."""
    assert layouts(id="Qwen/Qwen3.5-35B-A3B", allowExtraArgs=True, env={LAYOUT: "DS"}) == ["DS", "DS"]
