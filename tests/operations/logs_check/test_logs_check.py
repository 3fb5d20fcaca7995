"""Logged starts are judged one by one: figures, calls, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_d_gke import catalog
from llm_d_gke.operations.logs_check.judgment import Judgment, judge_rows
from llm_d_gke.operations.logs_check.reader import read_log
from llm_d_gke.operations.logs_check.summary import summarize
from tests.command_line import llmd

CONFIGS = Path(__file__).parents[2] / "catalog" / "configs"

LLAMA: dict[str, Any] = {
    "id": "A16",
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "accelerator": "nvidia-h100-80gb",
    "version": "0.19.0",
    "gpuMemoryUtilization": 0.95,
    "maxModelLen": 8192,
    "maxNumBatchedTokens": 8192,
    "maxNumSeqs": 1024,
    "blockSize": 16,
    "prefixCaching": False,
    "weightsGib": 14.99,
    "activationGib": 1.89,
    "availableGib": 58.11,
    "kvTokens": 476_000,
    "kvBlocks": 29_750,
    "concurrency": 58.11,
    "ran": True,
}


def judged(**changes: Any) -> Judgment:
    row = {name: value for name, value in {**LLAMA, **changes}.items() if value is not ...}
    [judgment] = judge_rows([row], CONFIGS)
    return judgment


def test_a_logged_start_is_judged_with_the_error_of_each_figure() -> None:
    judgment = judged()
    assert (judgment.call, judgment.right, judgment.wrong) == ("fits", True, None)
    assert set(judgment.errors) == {
        "weightsGib",
        "activationGib",
        "availableGib",
        "kvTokens",
        "kvBlocks",
        "concurrency",
    }
    assert max(map(abs, judgment.errors.values())) < 0.005
    assert judgment.tokens_given_memory == pytest.approx(0, abs=0.0005)


@pytest.mark.parametrize("name", [name for name in LLAMA if name not in ("model", "accelerator", "version")])
def test_any_field_may_be_missing(name: str) -> None:
    assert judged(**{name: ...}).call in ("fits", "marginal", "refused")


def test_calls_that_were_wrong_are_named_by_their_kind() -> None:
    assert judged(ran=False).wrong == "wrong fits"
    assert (
        judged(model="Qwen/Qwen3-32B", maxModelLen=40_960, gpuMemoryUtilization=0.8, ran=True).wrong == "wrong refused"
    )
    assert judged(ran=...).right is None


def test_a_share_that_is_not_free_at_the_start_is_refused() -> None:
    """75.2 GiB of 79.2: vLLM ends before it loads the model."""
    judgment = judged(freeGib=75.0, ran=False)
    assert (judgment.call, judgment.right) == ("refused", True)
    assert judgment.reason == "the share is 75.23 GiB, and 75.00 GiB are free at the start"
    assert judged(freeGib=75.3).reason is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "somebody/unheard-of"}, "the catalog has no model somebody/unheard-of"),
        ({"config": "nowhere.json"}, "there is no file 'nowhere.json'"),
        (
            {"config": {"architectures": ["MambaForCausalLM"], "model_type": "mamba"}},
            "architecture MambaForCausalLM is not one",
        ),
        (
            {"config": {"architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4"}},
            "the memory of DeepseekV4ForCausalLM cannot be",
        ),
        ({"accelerator": "nvidia-rtx-4090"}, "the catalog has no accelerator nvidia-rtx-4090"),
        ({"accelerator": "tpu-v6e", "model": "Qwen/Qwen3.5-27B"}, "how this version of the TPU back end"),
        ({"version": ...}, "names no version"),
        ({"quantization": "gguf"}, "quantized by gguf"),
        ({"maxModelLen": "long"}, "maxModelLen is 'long', where a number belongs"),
        ({"tensorParallel": 1.5}, "tensorParallel is 1.5, where a whole number belongs"),
        ({"maxNumSeqs": -3}, "where a positive number belongs"),
        ({"version": "newest"}, "version is newest, which is no release of vLLM"),
        ({"version": "0.1.dev16260+g388fd5153"}, "a build between releases does not say after which"),
        ({"dtype": "int8"}, "dtype is int8, which is none of"),
        ({"kvCacheDtype": "ultraquant_4bit"}, "how much a token takes then is not known"),
        ({"gpuMemoryUtilization": 90}, "vLLM takes a share of at most 1"),
        ({"config": "x" * 5000}, "there is no file 'xxx"),
        ({"maxNumSeqs": "many " * 50}, "where a number belongs"),
        ({"eager": "perhaps"}, "eager is 'perhaps', where true or false belongs"),
        ({"accelerator": {"name": "tpu-v4", "memory_gib": 31.2}}, "memory alone does not describe a TPU"),
        ({"accelerator": {"memory_gib": 44.4, "capability": 89}}, "capability is 89.0, which is no compute capability"),
        ({"accelerator": {"memory_gib": 44.4, "interconnect": "fast"}}, "neither nvlink nor pcie"),
    ],
    ids=str,
)
def test_what_is_not_known_says_why(changes: dict[str, Any], reason: str) -> None:
    judgment = judged(**changes)
    assert judgment.call == "not known"
    assert judgment.not_known is not None
    assert reason in judgment.not_known


def test_a_bad_row_never_hides_the_others() -> None:
    rows: list[object] = ["text", None, {}, {"id": 7, "model": ["x"]}, LLAMA]
    assert [judgment.call for judgment in judge_rows(rows, CONFIGS)] == ["not known"] * 4 + ["fits"]


_FIELDS: dict[str, list[Any]] = {
    "id": ["A1", 7, None],
    "model": [*sorted(catalog.load().models), "somebody/unheard-of"],
    "config": [
        "Qwen--Qwen2.5-3B-Instruct.json",
        "deepseek-ai--DeepSeek-V3.json",
        "nowhere.json",
        {"architectures": []},
    ],
    "accelerator": [
        *sorted(catalog.load().accelerators),
        {"name": "L40S", "memory_gib": 44.4, "capability": 8.9},
        "4090",
    ],
    "memory_gib": [14.56, 79.2],
    "capability": [7.5, 8.6, 9.0, 12.0],
    "version": ["0.9.2", "0.11.0", "0.19.1", "v0.20.0", "0.26.0", "0.32.0", "0.20.1rc1.dev16+g7a1eb8ac2", "nightly"],
    "tensorParallel": [1, 3, 8],
    "pipelineParallel": [1, 4, 500],
    "dataParallel": [1, 8],
    "expertParallel": [True, False, 8, 1, "true"],
    "dtype": ["auto", "half", "float32", "torch.bfloat16", "BF16", "fp16", "float", "int8"],
    "quantization": [None, "fp8", "awq", "bitsandbytes", "modelopt", "compressed-tensors", "None", "gguf", "FP8"],
    "kvCacheDtype": ["auto", "fp8", "bfloat16", "fp8_e4m3", "fp8_e5m2", "nvfp4", "torch.float16"],
    "gpuMemoryUtilization": [0.1, 0.9, 0.99],
    "maxModelLen": [16, 8192, 10**7, "auto", -1],
    "maxNumBatchedTokens": [1, 8192],
    "maxNumSeqs": [1, 1024],
    "blockSize": [16, 256],
    "eager": [True, False, "false"],
    "asyncScheduling": [True, False, "no"],
    "modelRunner": [1, "V2"],
    "textOnly": [True, False, 1],
    "video": [True, False, "no"],
    "wholeTower": [True, False],
    "imagePixels": [1, 262144],
    "prefixCaching": [True, False, "no"],
    "speculativeTokens": [0, 3],
    "weightsGib": [1.0, "3.2/4.1", [1, 2]],
    "activationGib": [0.5],
    "availableGib": [0.1, 20.0, -3.0],
    "kvTokens": [1000, "476,000"],
    "kvBlocks": [100],
    "concurrency": [3.2],
    "ran": [True, False, "yes", "false"],
    "reason": ["out of memory"],
}
_ANYTHING: Any = [None, "", -1, 0, 1.5, "x", [], {}, "12", 10**12, float("nan"), float("inf"), "1/2", [1, 2]]


@settings(max_examples=300)
@given(st.fixed_dictionaries({}, optional={name: st.sampled_from([*ok, *_ANYTHING]) for name, ok in _FIELDS.items()}))
def test_no_combination_of_fields_is_without_an_answer(row: dict[str, Any]) -> None:
    """Each field may be missing or wrong: the row gets a call, or the reason why it has none."""
    [judgment] = judge_rows([row], CONFIGS)
    assert (judgment.call == "not known") == (judgment.not_known is not None)
    assert judgment.not_known is None or "cannot be computed" not in judgment.not_known
    assert json.loads(json.dumps(judgment.as_json()))["call"] == judgment.call
    assert summarize([judgment])["all"]["rows"] == 1


def test_a_model_of_its_own_is_read_beside_the_rows() -> None:
    from_config = judged(model="my/model", config="Qwen--Qwen2.5-3B-Instruct.json")
    assert from_config.prediction == judged(model="Qwen/Qwen2.5-3B-Instruct").prediction


def test_another_card_is_described_by_memory_and_capability() -> None:
    by_memory = judged(accelerator={"name": "L40S", "memory_gib": 44.39, "capability": 8.9}, gpuMemoryUtilization=0.9)
    assert by_memory.prediction["requestedGib"] == pytest.approx(44.39 * 0.9, abs=0.001)
    assert (
        judged(accelerator=..., memory_gib=44.39, capability=8.9, gpuMemoryUtilization=0.9).prediction
        == by_memory.prediction
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"dtype": "torch.bfloat16"}, {"dtype": "bfloat16"}),
        ({"dtype": "float"}, {"dtype": "float32"}),
        ({"dtype": "FP16"}, {"dtype": "half"}),
        ({"eager": "False"}, {"eager": False}),
        ({"expertParallel": 1}, {"expertParallel": False}),
        ({"maxModelLen": "8,192"}, {"maxModelLen": 8192}),
        ({"maxModelLen": "8K", "maxNumBatchedTokens": "2k"}, {"maxModelLen": 8192, "maxNumBatchedTokens": 2000}),
        ({"maxModelLen": "Auto"}, {"maxModelLen": -1}),
        ({"maxNumSeqs": "auto", "blockSize": "null", "prefixCaching": "None"}, {}),
        ({"availableGib": "53.1 GiB"}, {"availableGib": 53.1}),
        ({"version": "v0.19.0"}, {"version": "0.19.0"}),
        ({"quantization": "None"}, {"quantization": ...}),
        ({"kvCacheDtype": "fp8_e5m2"}, {"kvCacheDtype": "fp8"}),
        ({"accelerator": {"name": "nvidia-h100-80gb"}}, {"accelerator": "nvidia-h100-80gb"}),
    ],
    ids=str,
)
def test_spellings_mean_the_same(written: dict[str, Any], expected: dict[str, Any]) -> None:
    assert judged(**written).prediction == judged(**expected).prediction
    assert judged(**written).call in ("fits", "marginal", "refused")


def test_cards_without_bfloat16_take_what_vllm_takes_there() -> None:
    """float16, and float32 for model types that refuse it: twice the weights."""
    card = {"accelerator": {"name": "V100", "memory_gib": 31.73, "capability": 7.0}, "model": "google/gemma-2-2b-it"}
    bare = {**card, "dtype": ..., "version": "0.26.0"}
    assert judged(**bare).prediction["weightsGib"] == judged(**{**bare, "dtype": "float32"}).prediction["weightsGib"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "google/gemma-3-4b-it", "dtype": "half", "version": "0.26.0"}, "refuses float16"),
        ({"tensorParallel": 3}, "cannot be cut into 3 equal parts"),
        ({"model": "openai/gpt-oss-20b", "accelerator": {"memory_gib": 14.56, "capability": 7.5}}, "mxfp4"),
        (
            {"model": "google/gemma-4-26B-A4B-it", "accelerator": "nvidia-tesla-t4", "version": "0.26.0"},
            "shared memory",
        ),
    ],
    ids=str,
)
def test_what_the_engine_does_not_run_is_refused_whatever_the_memory(changes: dict[str, Any], reason: str) -> None:
    judgment = judged(**changes, ran=False)
    assert (judgment.call, judgment.limit, judgment.right) == ("refused", "engine", True)
    assert reason in str(judgment.reason).lower()


def test_a_length_that_is_left_to_the_engine_is_the_longest_that_fits() -> None:
    small = {"model": "Qwen/Qwen3-14B", "accelerator": {"memory_gib": 31.36, "capability": 8.9}, "version": "0.26.0"}
    assert judged(**small, maxModelLen=40_960, gpuMemoryUtilization=0.95).call == "refused"
    fitted = judged(**small, maxModelLen="auto", gpuMemoryUtilization=0.95)
    assert fitted.prediction["neededGib"] <= fitted.prediction["availableGib"]


def test_of_several_ranks_the_heaviest_counts() -> None:
    assert judged(weightsGib="3.28/4.26", pipelineParallel=4).errors["weightsGib"] == pytest.approx(0, abs=0.005)
    assert judged(weightsGib=[3.28, 4.26], pipelineParallel=4).errors["weightsGib"] == pytest.approx(0, abs=0.005)


def test_the_summary_counts_by_group() -> None:
    rows = [LLAMA, {**LLAMA, "id": "A17", "ran": False}, {**LLAMA, "id": "E1", "model": "unheard-of"}]
    summary = summarize(judge_rows(rows, CONFIGS))
    assert list(summary) == ["A", "E", "all"]
    assert (summary["A"]["rows"], summary["A"]["wrongFits"], summary["E"]["notKnown"]) == (2, 1, 1)
    assert summary["A"]["weights"]["rows"] == 2
    assert summary["E"]["weights"] is None


def test_the_command_writes_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.json", tmp_path / "result.json"
    rows.write_text(json.dumps([LLAMA, {**LLAMA, "id": "AF", "ran": False}]), encoding="utf-8")
    assert llmd("logs-check", str(rows), "--out", str(out)) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert [row["call"] for row in result["rows"]] == ["fits", "fits"]
    assert result["summary"]["all"]["wrongFits"] == 1
    assert "AF: wrong fits" in capsys.readouterr().out


def test_half_a_character_in_a_name_does_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.json", tmp_path / "result.json"
    rows.write_text(json.dumps([{**LLAMA, "id": "A\ud800", "ran": False}, {"group": "\ud800"}]), encoding="utf-8")
    assert llmd("logs-check", str(rows), "--out", str(out)) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["rows"][0]["wrong"] == "wrong fits"
    assert "A\\ud800: wrong fits" in capsys.readouterr().out


def test_a_build_between_releases_may_have_a_model_that_the_release_before_lacks() -> None:
    changes = {"model": "google/gemma-4-31B-it", "accelerator": "nvidia-h200-141gb", "maxModelLen": 8192}
    assert judged(**changes, version="0.17.1").call == "refused"
    assert judged(**changes, version="0.17.2rc1.dev133+g9279c59a0").call == "fits"


@pytest.mark.parametrize(
    ("content", "words"),
    [("[{,", "is not JSON: an error in line 1, column 3"), ("{}", "holds no list"), ("3", "holds no list")],
)
def test_a_file_without_rows_is_said(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(content, encoding="utf-8")
    assert llmd("logs-check", str(rows)) == 2
    assert f"rows.json {words}" in " ".join(capsys.readouterr().err.split())


LOG = """\
(APIServer pid=1) INFO 11-21 10:00:01 [api_server.py:1200] vLLM API server version 0.19.0
(APIServer pid=1) INFO 11-21 10:00:01 [utils.py:233] non-default args: {'port': 8000, \
'model': 'meta-llama/Llama-3.1-8B-Instruct', 'max_model_len': 8192, 'gpu_memory_utilization': 0.95, \
'enable_prefix_caching': False}
(EngineCore pid=9) INFO 11-21 10:00:09 [core.py:97] Initializing a V1 LLM engine (v0.19.0) with config: \
model='meta-llama/Llama-3.1-8B-Instruct', speculative_config=None, dtype=torch.bfloat16, max_seq_len=8192, \
tensor_parallel_size=1, pipeline_parallel_size=1, quantization=None, enforce_eager=False, kv_cache_dtype=auto
(EngineCore pid=9) INFO 11-21 10:01:09 [gpu_model_runner.py:4216] Model loading took 14.99 GiB memory and 12.3 seconds
(EngineCore pid=9) INFO 11-21 10:02:09 [gpu_worker.py:436] Available KV cache memory: 58.11 GiB
(EngineCore pid=9) INFO 11-21 10:02:09 [kv_cache_utils.py:1307] GPU KV cache size: 476,000 tokens
(EngineCore pid=9) INFO 11-21 10:02:09 [kv_cache_utils.py:1312] Maximum concurrency for 8,192 tokens per request: 58.11x
(APIServer pid=1) INFO:     Application startup complete.
"""


def test_a_log_is_read_as_a_row() -> None:
    assert read_log(LOG) == {
        "version": "0.19.0",
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "maxModelLen": 8192,
        "dtype": "bfloat16",
        "tensorParallel": 1,
        "pipelineParallel": 1,
        "eager": False,
        "gpuMemoryUtilization": 0.95,
        "prefixCaching": False,
        "weightsGib": 14.99,
        "availableGib": 58.11,
        "kvTokens": 476_000,
        "concurrency": 58.11,
        "ran": True,
    }


def test_a_failed_start_says_why() -> None:
    failed = LOG.replace(
        "(APIServer pid=1) INFO:     Application startup complete.",
        "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed",
    )
    row = read_log(failed)
    assert row["ran"] is False
    assert row["reason"].startswith("To serve at least one request")


def test_the_ranks_of_a_log_are_taken_by_what_decides() -> None:
    text = "Model loading took 3.28 GiB\nModel loading took 4.26 GiB\nAvailable KV cache memory: 69.8 GiB\n" * 2
    text += "Available KV cache memory: 68.89 GiB\n"
    assert read_log(text) == {"weightsGib": 4.26, "availableGib": 68.89}


def test_any_text_is_read_without_a_crash() -> None:
    assert read_log("non-default args: {'model': object()}\nModel loading took x GiB") == {}


@pytest.mark.parametrize(
    ("limits", "read"),
    [
        ({"video": 0}, {"video": False}),
        ({"image": 4, "video": 0}, {"video": False}),
        ({"image": 0, "video": 0}, {"textOnly": True}),
        ({"image": 0}, {"textOnly": True}),
        ({"image": 1}, {}),
    ],
)
def test_limits_of_media_are_read(limits: dict[str, int], read: dict[str, bool]) -> None:
    assert read_log(f"non-default args: {{'limit_mm_per_prompt': {limits}}}") == read


def test_what_a_tower_takes_is_read() -> None:
    arguments = "{'mm_encoder_tp_mode': 'data', 'mm_processor_kwargs': {'max_pixels': 262144}}"
    assert read_log(f"non-default args: {arguments}") == {"wholeTower": True, "imagePixels": 262144}


def test_a_log_names_its_model_runner() -> None:
    """By a line of its own, or by the file that logs; before 0.22 there was one alone."""
    version = "Initializing a V1 LLM engine (v{}) with config: seed=0\n"
    first = "INFO [gpu_model_runner.py:5037] Starting to load model x..."
    assert read_log(version.format("0.26.0") + first)["modelRunner"] == 1
    assert read_log(version.format("0.26.0") + "INFO [gpu_worker.py:378] Using V2 Model Runner")["modelRunner"] == 2
    assert "modelRunner" not in read_log(version.format("0.19.0") + first)


# Lines of the V0 engine, written by hand after logs of 0.8.5.
V0 = """\
INFO 03-27 11:28:50 api_server.py:1043] vLLM API server version 0.8.5
INFO 03-27 11:28:50 api_server.py:1044] args: Namespace(subparser='serve', model_tag='Qwen/Qwen3-32B', host=None, \
allowed_origins=['*'], model='Qwen/Qwen3-32B', dtype='auto', max_model_len=32768, tensor_parallel_size=8, \
gpu_memory_utilization=0.98, enforce_eager=True, max_num_seqs=None, dispatch_function=<function ServeSubcommand.cmd>)
INFO 03-27 11:28:59 llm_engine.py:240] Initializing a V0 LLM engine (v0.8.5) with config: model='Qwen/Qwen3-32B', \
dtype=torch.bfloat16, max_seq_len=32768, tensor_parallel_size=8, quantization=None, kv_cache_dtype=auto
(VllmWorkerProcess pid=2) INFO 03-27 11:29:01 model_runner.py:1146] Model loading took 7.64 GB and 5.1 seconds
INFO worker.py:267] the current vLLM instance can use total_gpu_memory (44.53GiB) x gpu_memory_utilization (0.98) = \
43.64GiB
INFO worker.py:267] model weights take 7.64GiB; non_torch_memory takes 0.28GiB; PyTorch activation peak memory takes \
1.52GiB; the rest of the memory reserved for KV Cache is 34.20GiB.
INFO executor_base.py:112] # cuda blocks: 70041, # CPU blocks: 2048
INFO llm_engine.py:437] init engine (profile, create kv cache, warmup model) took 20.99 seconds
"""


def test_a_log_of_the_first_engine_is_read() -> None:
    assert read_log(V0) == {
        "version": "0.8.5",
        "model": "Qwen/Qwen3-32B",
        "dtype": "bfloat16",
        "maxModelLen": 32768,
        "tensorParallel": 8,
        "gpuMemoryUtilization": 0.98,
        "eager": True,
        "memory_gib": 44.53,
        "weightsGib": 7.64,
        "activationGib": 1.52,
        "availableGib": 34.2,
        "kvBlocks": 70041,
        "ran": True,
    }


def test_colors_containers_objects_and_a_cut_line_do_no_harm() -> None:
    text = (
        "vllm-1  | \x1b[1;36m(APIServer pid=1)\x1b[0;0m INFO 08-07 21:32:22 [api_utils.py:339]  █  version 0.27.1\n"
        "vllm-1  | \x1b[1;36m(APIServer pid=1)\x1b[0;0m INFO [api_utils.py:273] non-default args: {'model_tag': 'a/b', "
        "'tensor_parallel_size': 2, 'attention_config': AttentionConfig(backend=None, x={}), 'kv_cache_dtype': 'fp8', "
        "'speculative_config': {'method': 'mtp', 'num_speculative_tokens': 3}, 'enable_expert_par\n"
        "^[[0;36m(EngineCore pid=9)^[[0;0m INFO [gpu_worker.py:789] Free memory on device (94.05/95.01 GiB) on startup."
        " Desired GPU memory utilization is (0.9, 85.51 GiB). Actual usage is 56.89 GiB for consumed memory (weights + "
        "non-torch), 0.76 GiB for peak activation, and 0.32 GiB for CUDAGraph memory.\n"
        "(EngineCore pid=9) INFO [kv_cache_utils.py:1869] GPU KV cache size: 621,392 tokens, Maximum concurrency for "
        "32,768 tokens per request: 18.96x\n"
    )
    assert read_log(text) == {
        "version": "0.27.1",
        "model": "a/b",
        "tensorParallel": 2,
        "kvCacheDtype": "fp8",
        "speculativeTokens": 3,
        "memory_gib": 95.01,
        "freeGib": 94.05,
        "gpuMemoryUtilization": 0.9,
        "activationGib": 0.76,
        "kvTokens": 621_392,
        "concurrency": 18.96,
    }


def _cloud_logging(lines: list[str]) -> str:
    """As `gcloud logging read --format=json` writes it: the newest first."""
    entries = [
        {"insertId": f"x{number}", "textPayload": line, "timestamp": f"2026-11-21T10:00:{number:02d}.5Z"}
        for number, line in enumerate(lines)
    ]
    return json.dumps(entries[::-1], indent=2)


@pytest.mark.parametrize(
    "wrap",
    [
        _cloud_logging,
        lambda lines: "\n".join(
            json.dumps({"jsonPayload": {"message": line}, "timestamp": f"2026-11-21T10:00:{99 - number}Z"})
            for number, line in reversed(list(enumerate(lines[::-1])))
        ),
        lambda lines: "\n".join(f"[pod/vllm-0/main] {line}" for line in lines),
        lambda lines: "\n".join(
            f"[pod/vllm-0/main] {json.dumps({'message': line, 'level': 'INFO'})}" for line in lines
        ),
        lambda lines: "\n".join(json.dumps({"log": f"{line}\n", "stream": "stderr"}) for line in lines),
        lambda lines: "\n".join(f"2026-11-21T10:00:00.123456789Z stdout F {line}" for line in lines),
        lambda lines: "\n".join(f"Nov 21 10:00:00 node-1 vllm[722]: {line}" for line in lines),
        lambda lines: "\n".join(f"(Worker_DP0_TP1_EP1 pid=7) {line}\r" for line in lines),
    ],
    ids=["gcloud", "newest first", "kubectl", "kubectl and JSON", "docker", "containerd", "journal", "ranks"],
)
def test_a_log_is_taken_out_of_what_it_was_collected_in(wrap: Callable[[list[str]], str]) -> None:
    assert read_log(wrap(LOG.splitlines())) == read_log(LOG)


def test_of_several_starts_the_last_counts() -> None:
    """A container that crashes and comes back writes one log."""
    failed = LOG.replace("memory: 58.11 GiB", "memory: -2.5 GiB").replace("Application startup complete", "x")
    failed += "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`\n"
    assert read_log(failed + LOG) == read_log(LOG)
    assert read_log(LOG + failed)["ran"] is False
    assert read_log(LOG + failed)["availableGib"] == -2.5


@pytest.mark.parametrize(
    ("lines", "sequences"),
    [
        ("Profiling CUDA graph memory: PIECEWISE=35 (largest=256), FULL=19 (largest=128)", 128),
        ("Profiling CUDA graph memory: PIECEWISE=51 (largest=512), FULL=35 (largest=256)", 256),
        ("Profiling CUDA graph memory: PIECEWISE=51 (largest=512), FULL=51 (largest=512)", None),
        ("Profiling CUDA graph memory: PIECEWISE=5 (largest=16), FULL=4 (largest=8)", 8),
        ("Capturing CUDA graphs (decode, FULL): 100%|####| 35/35 [00:01<00:00, 27it/s]", 256),
        ("Capturing CUDA graphs (decode, FULL): 100%|####| 51/51 [00:01<00:00, 27it/s]", None),
        ("Loading drafter model...\nProfiling CUDA graph memory: PIECEWISE=5 (largest=16)", None),
    ],
)
def test_sequences_are_read_from_captured_graphs(lines: str, sequences: int | None) -> None:
    assert read_log(lines).get("maxNumSeqs") == sequences


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("configs/E=128,N=192,device_name=NVIDIA_H100_80GB_HBM3.json", {"accelerator": "nvidia-h100-80gb"}),
        ("|   0  NVIDIA A100-SXM4-40GB          On  | 0000", {"accelerator": "nvidia-tesla-a100"}),
        ("|   0  NVIDIA L4    On | 1  Tesla T4   Off |", {}),
        ("|   0  NVIDIA L40S   On |", {}),
        ("|   0  NVIDIA H200 NVL   On |", {}),
        ("INFO Init kv-cache TFRT TPU v6 lite", {"accelerator": "tpu-v6e"}),
        ("Init model | hbm=[(1.86, 15.75)]GiB", {"accelerator": "tpu-v5e", "weightsGib": 1.86}),
        ("WARNING Device capability 8.9 not supported, communicator is not available", {"capability": 8.9}),
    ],
)
def test_the_machine_is_read_where_the_log_names_it(line: str, fields: dict[str, Any]) -> None:
    assert read_log(line) == fields


@pytest.mark.parametrize(
    ("config", "draft", "more"),
    [
        ({"method": "draft_model", "model": "Qwen/Qwen3-0.6B"}, "Qwen/Qwen3-0.6B", 1.12),
        ({"method": "ngram"}, "ngram", 0.0),
        ({"method": "eagle3", "model": "somebody/head"}, None, 0.74),
    ],
)
def test_what_guesses_is_read_and_counted(config: dict[str, Any], draft: str | None, more: float) -> None:
    arguments = {"model": "Qwen/Qwen3-8B", "speculative_config": {**config, "num_speculative_tokens": 3}}
    row = read_log(f"INFO non-default args: {arguments}")
    assert (row["speculativeTokens"], row.get("draftModel")) == (3, draft)
    start = {**row, "version": "0.26.0", "accelerator": "nvidia-h100-80gb"}
    plain, guessing = judge_rows([{**start, "speculativeTokens": None}, start], Path())
    assert guessing.prediction["weightsGib"] - plain.prediction["weightsGib"] == pytest.approx(more, abs=0.02)


def test_slots_for_adapters_take_memory() -> None:
    row = read_log("INFO non-default args: {'model': 'Qwen/Qwen3-8B', 'enable_lora': True, 'max_lora_rank': 64}")
    assert (row["maxLoras"], row["maxLoraRank"]) == (1, 64)
    start = {**row, "version": "0.26.0", "accelerator": "nvidia-l4"}
    plain, adapters = judge_rows([{**start, "maxLoras": None}, start], Path())
    assert adapters.prediction["weightsGib"] - plain.prediction["weightsGib"] > 0.2


def test_a_log_of_a_tpu_is_read_by_device() -> None:
    text = (
        "INFO [utils.py:233] non-default args: {'model': 'Qwen/Qwen3-32B', 'tensor_parallel_size': 4}\n"
        "INFO [tpu_runner.py:300] Init model | hbm=[(15.4, 31.25), (15.4, 31.25), (15.4, 31.25), (15.4, 31.25)]Gb\n"
        "INFO [tpu_worker.py:210] Memory statistics | total_hbm_limit_gb=125.0GiB | total_hbm_limit_cap_gb=115.0GiB | "
        "total_hbm_used_gb=61.6GiB | total_hbm_avail_gb=53.4GiB\n"
        "INFO [kv_cache_manager.py:200] Init kv-cache | num_blocks=[3417, 3417] | hbm=[(28, 31)]\n"
    )
    row = read_log(text)
    assert (row["weightsGib"], row["availableGib"], row["kvBlocks"]) == (15.4, 13.35, 3417)


def test_blocks_that_were_given_measure_no_memory() -> None:
    """A public start on Neuron: 132,096 tokens of a longest request of 1024, in 128 blocks that its arguments give."""
    text = (
        "INFO [utils.py:233] non-default args: {'model': 'google/gemma-4-12B-it', 'num_gpu_blocks_override': 128}\n"
        "INFO [kv_cache_utils.py:1307] GPU KV cache size: 132,096 tokens\n"
        "INFO [kv_cache_utils.py:1312] Maximum concurrency for 1,024 tokens per request: 129.00x\n"
    )
    assert read_log(text) == {"model": "google/gemma-4-12B-it"}


def test_a_guest_of_windows_is_a_group_of_its_own() -> None:
    text = "WARNING [interface.py:221] Using 'pin_memory=False' as WSL is detected. This may slow down the performance."
    assert read_log(text) == {"group": "under WSL"}


def test_a_build_between_releases_has_the_version_that_it_states() -> None:
    text = "Initializing a V1 LLM engine (v{}) with config: dtype=torch.half"
    assert read_log(text.format("0.26.1rc1.dev256+gf5bb701fa"))["version"] == "0.26.1rc1.dev256+gf5bb701fa"
    assert "version" not in read_log(text.format("0.0.0+frontier.g01"))
    assert read_log("Initializing a V1 LLM engine (v0.1.dev16260+g388fd5153) with config: dtype=torch.half") == {
        "dtype": "half"
    }


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*LOG.splitlines(), *V0.splitlines()]), max_size=12), st.integers(0, 400))
def test_parts_of_logs_are_read_and_judged(lines: list[str], cut: int) -> None:
    """Any lines, in any order, and the last one cut off."""
    text = "\n".join(lines)
    row = read_log(text[: max(0, len(text) - cut)])
    [judgment] = judge_rows([{**row, "accelerator": "nvidia-h100-80gb"}], CONFIGS)
    assert judgment.not_known is None or "cannot be computed" not in judgment.not_known


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_log_is_read_in_the_encoding_of_its_shell(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "start.log"
    log.write_text(LOG, encoding=encoding)
    assert llmd("logs-read", str(log)) == 0
    assert json.loads(capsys.readouterr().out) == [{"id": "start", **read_log(LOG)}]


def test_a_file_that_is_no_log_makes_no_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "nginx.log"
    other.write_text("GET / 200\n", encoding="utf-8")
    assert llmd("logs-read", str(other), "--add", "accelerator=nvidia-l4", "--out", str(tmp_path / "row.json")) == 2
    assert "none of the lines that vLLM writes" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "row.json").exists()


def test_a_read_log_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, out = tmp_path / "llama.log", tmp_path / "row.json"
    log.write_text(LOG, encoding="utf-8")
    assert llmd("logs-read", str(log), "--add", "accelerator=nvidia-h100-80gb", "--out", str(out)) == 0
    [row] = json.loads(out.read_text(encoding="utf-8"))
    assert row["id"] == "llama"
    assert llmd("logs-check", str(out)) == 0
    assert "| GPU | 1 | 0 | 1 |" in capsys.readouterr().out


def test_the_batch_is_what_the_engine_takes_not_the_default_of_its_class() -> None:
    """As 0.11.2 to 0.17.1 print it, twice; a log with the first line alone says what that says."""
    lines = [
        f"INFO [scheduler.py:216] Chunked prefill is enabled with max_num_batched_tokens={n}." for n in (2048, 8192)
    ]
    assert read_log("\n".join(lines))["maxNumBatchedTokens"] == 8192
    assert read_log(lines[0])["maxNumBatchedTokens"] == 2048


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "INFO [gpu_worker.py:436] CUDA graph memory profiling is enabled (default since v0.21.0). The current "
            "--gpu-memory-utilization=0.9000 is equivalent to --gpu-memory-utilization=0.8840 without",
            {"gpuMemoryUtilization": 0.9},
        ),
        (
            "INFO [gpu_worker.py:481] In v0.19, CUDA graph memory profiling will be enabled by default. To maintain "
            "the same effective KV cache size, increase --gpu-memory-utilization from 0.8500 to 0.8660.",
            {"gpuMemoryUtilization": 0.85},
        ),
        (
            "INFO [gpu_worker.py:691] Free memory on device (93.7/94.97 GiB) on startup. Desired GPU memory "
            "utilization is (0.95, 90.22 GiB). Actual usage is 38.1 GiB for weight, 1.5 GiB for peak activation. "
            "Current kv cache memory in use is 53321543680 bytes.",
            {"gpuMemoryUtilization": 0.95, "weightsGib": 38.1, "availableGib": 49.66},
        ),
        (
            "Initializing a V1 LLM engine with config: speculative_config=SpeculativeConfig(method='mtp', "
            "model='m', num_spec_tokens=3), decode_context_parallel_size=4, data_parallel_size=1",
            {"speculativeTokens": 3, "contextParallel": 4},
        ),
        (
            "INFO 09-04 01:02:57 [topk_topp_sampler.py:50] Using FlashInfer for top-p & top-k sampling.",
            {"flashinferSampler": True},
        ),
        (
            "WARNING 09-03 04:38:28 [topk_topp_sampler.py:61] FlashInfer is not available. Falling back to the "
            "PyTorch-native implementation of top-p & top-k sampling.",
            {"flashinferSampler": None},
        ),
    ],
)
def test_further_lines_say_shares_caches_and_ranks(line: str, fields: dict[str, Any]) -> None:
    row = read_log(line)
    assert {name: row.get(name) for name in fields} == fields
