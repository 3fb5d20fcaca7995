"""Quantization methods by version, compute capability and dtype."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import EngineFacts, MethodFacts, may_have
from llm_d_gke.catalog.schema import Quantization
from llm_d_gke.planning.engine_support.deployment import About, Deployment, Refusal, describe_format, method_names

# Methods that read how the checkpoint was quantized, rather than quantize it while it is loaded. Read in every method's
# get_config_filenames and __init__: the first look for a file beside config.json, the others have nothing to fall to.
_READS_A_FILE = frozenset(
    """awq gptq modelopt moe_wna16 petit_nvfp4 bitblas gptq_bitblas gptq_marlin_24
    hqq ipex deepspeedfp auto-round""".split()  # noqa: SIM905 - one word a method
)
_READS_CONFIG = ("compressed-tensors", "quark", "torchao", "fbgemm_fp8")
# Names for weights that are quantized while they are loaded (vllm/config/quantization.py of 0.26.0 to 0.32.0).
_WHILE_LOADED = """fp8_per_tensor fp8_per_block fp8_per_channel mxfp8 int8_per_channel_weight_only
    nvfp4_per_token""".split()  # noqa: SIM905 - one word a method
_JUDGED = ("awq", "gptq", "compressed-tensors", "fp8", "bitsandbytes", "mxfp4")
# Checkpoints of other methods that a method takes where it is set; every other method takes its own alone
# (override_quantization_method of 0.11.2 to 0.32.0).
_TAKES: Mapping[str, Sequence[str]] = {
    "moe_wna16": ("awq", "gptq"),
    "gptq_bitblas": ("gptq",),
    "gptq_marlin_24": ("gptq",),
    "deepseek_v4_fp8": ("fp8",),
}
# Checkpoints that override what is set, and since when every other has to be named as it is (0.26.0 to 0.32.0).
_OVERRIDES, _NAMED_SINCE = ("modelopt", "auto-round"), (0, 26)
_INC_READS_A_FILE_SINCE = (0, 12)
# Layers of GPTQ are Marlin's since: auto_gptq.py and inc/schemes/inc_wna16_linear.py of 0.26.0 to 0.32.0, not 0.19.1.
# compressed_tensors.py of these versions (_parse_sparsity_config) refuses weights that are sparse besides.
_MARLIN_ALONE, _MARLIN_GROUPS = (0, 26), (None, 32, 64, 128)
_TURING, _AMPERE = 7.5, 8.0  # compute capabilities
_WHOLE_BITS_BEFORE = (0, 26)  # WNA16_SUPPORTED_TYPES_MAP of compressed-tensors


def quantization_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    method, stated = deployment.method, deployment.quantization
    if method is None or not facts.quantization:
        return
    if stated is not None and stated not in facts.quantization:
        # Its configuration class takes no other word, whatever the checkpoint says.
        method = stated
    about: About = "quantization" if method == deployment.quantization else "id"
    # Another name of the method is found in a checkpoint; where nothing is quantized, the name is taken as it is set.
    names = method_names(method) if deployment.model.quantization and method != stated else (method,)
    tables = [facts.quantization[name] for name in names if name in facts.quantization]
    refusal = (
        _method_refusal(deployment, facts, method, tables, about)
        or _checkpoint_refusal(deployment, facts)
        or _card_refusal(deployment, facts, method, tables, about)
    )
    if refusal is not None:
        yield refusal


def _method_refusal(
    deployment: Deployment, facts: EngineFacts, method: str, tables: Sequence[MethodFacts], about: About
) -> Refusal | None:
    """A method that the version lacks, or whose format no kernel of it reads."""
    if not tables:
        return Refusal(
            kind="quantization-unknown",
            about=about,
            reason=f"vLLM {facts.version} has no quantization method {method}",
            source=f"quantization methods of vLLM {facts.version}",
            certain=not may_have(deployment.version, lambda other: method in other.quantization),
        )
    if all(entry.deprecated for entry in tables) and not deployment.deprecated_quantization:
        return Refusal(
            kind="quantization-unknown",
            about=about,
            reason=f"vLLM {facts.version} takes the deprecated quantization method {method} only with "
            "--allow-deprecated-quantization",
            source=f"vllm/config/model.py of vLLM {facts.version}",
        )
    unknown = _unknown_format(deployment.model.quantization, facts)
    if unknown is None:
        return None
    return Refusal(
        kind="quantization-unknown",
        about="id",
        reason=f"vLLM {facts.version} cannot load these {method} weights: {unknown}",
        source="vllm/model_executor/layers/quantization (auto_gptq.py, auto_awq.py, inc, compressed_tensors)",
    )


def _card_refusal(
    deployment: Deployment, facts: EngineFacts, method: str, tables: Sequence[MethodFacts], about: About
) -> Refusal | None:
    """A card that is too old for the kernels, or a data type that they do not compute in."""
    capability = deployment.accelerator.compute_capability or 0.0
    minimum, version = _minimum_capability(deployment, facts)
    if minimum is not None and capability < minimum:
        return Refusal(
            kind="quantization-capability",
            about=about,
            reason=f"{deployment.accelerator.title} has compute capability {capability}; the kernels of vLLM "
            f"{version} for {describe_format(deployment)} need {minimum}",
            source=f"quantization methods of vLLM {version}",
        )
    capable = [entry for entry in tables if entry.minimum_capability is None or entry.minimum_capability <= capability]
    dtype = deployment.effective_dtype
    if not capable or any(not entry.dtypes or dtype in entry.dtypes for entry in capable):
        return None
    dtypes = sorted({name for entry in capable for name in entry.dtypes})
    return Refusal(
        kind="quantization-dtype",
        about="dtype",
        reason=f"vLLM {facts.version} runs {method} weights on {deployment.accelerator.title} in "
        f"{' or '.join(dtypes)} only, and this is {dtype}",
        source=f"quantization methods of vLLM {facts.version}",
    )


def _unknown_format(checkpoint: Quantization | None, facts: EngineFacts) -> str | None:
    """Why no kernel of the version reads a checkpoint's bits, zero points or groups; None where one may."""
    if checkpoint is None:
        return None
    method, bits = checkpoint.method, checkpoint.bits
    alone = facts.number >= _MARLIN_ALONE
    if checkpoint.sparse and alone:
        return "Sparsity support has been removed from compressed-tensors"
    if method == "gptq" and alone and checkpoint.zero_point_bits:
        return "Unsupported quantization config, they are not symmetric (sym: false)"
    if method == "gptq" and alone and checkpoint.group not in _MARLIN_GROUPS:
        return f"Marlin's kernels have no groups of {checkpoint.group} weights"
    if (method == "awq" and bits != 4) or (method in ("gptq", "auto-round", "inc") and alone and bits not in (4, 8)):
        return f"Unsupported quantization config, they have {bits:g} bits"
    if method == "compressed-tensors" and facts.number < _WHOLE_BITS_BEFORE and bits not in (4, 8):
        return f"Unsupported num_bits = {bits:g}"
    if method == "compressed-tensors" and checkpoint.zero_point_bits and bits not in (4, 8):
        return f"Asymmetric quantization not supported for num_bits = {bits:g}"
    return None


def _checkpoint_refusal(deployment: Deployment, facts: EngineFacts) -> Refusal | None:
    """A method that is set and is not the checkpoint's (vllm/config/model.py, model_loader/weight_utils.py)."""
    method, checkpoint = deployment.quantization, deployment.model.quantization
    if method is None:
        return None
    family = method_names(method)[0]
    reads_a_file = not {method, family}.isdisjoint(_READS_A_FILE)
    if family == "inc":
        reads_a_file |= facts.number >= _INC_READS_A_FILE_SINCE
    if checkpoint is None and (reads_a_file or family in _READS_CONFIG):
        return Refusal(
            kind="quantization-checkpoint",
            about="quantization",
            reason=f"vLLM looks in the checkpoint for how {method} quantized it, and the weights of "
            f"{deployment.model.id} are not quantized",
            source=f"model_loader/weight_utils.py of vLLM {facts.version}",
            certain=deployment.all_files_known or family in _READS_CONFIG,
        )
    if (
        checkpoint is not None
        and (checkpoint.method in _JUDGED or (facts.number >= _NAMED_SINCE and checkpoint.method not in _OVERRIDES))
        and family != "humming"
        and checkpoint.method not in (method, family, *_TAKES.get(family, ()))
        # gpt-oss's method is taken whatever is set.
        and not (checkpoint.method == "mxfp4" and family in _WHILE_LOADED)
    ):
        return Refusal(
            kind="quantization-checkpoint",
            about="quantization",
            reason=f"the weights of {deployment.model.id} are quantized by {checkpoint.method}, and vLLM takes no"
            " other method",
            source=f"vllm/config/model.py of vLLM {facts.version}",
        )
    return None


def _minimum_capability(deployment: Deployment, facts: EngineFacts) -> tuple[float | None, str]:
    """The least compute capability of any kernel for these weights, and whose that is. None: not known."""
    method, checkpoint = deployment.method or "", deployment.model.quantization
    if method == "compressed-tensors" and checkpoint is not None and facts.compressed_tensors:
        # Eight bits are integers where the checkpoint says so, otherwise fp8: with activations in fp8 where the card
        # has them, else weights only.
        formats: Sequence[str]
        eight_bits = ("W8A8Int8",) if checkpoint.integers else ("W8A8Fp8", "W8A16Fp8")
        four_bits = ("W4A16Fp4", "W4A4Fp4") if checkpoint.is_nvfp4 else ("WNA16",)
        formats = eight_bits if checkpoint.bits == 8 else four_bits if checkpoint.bits == 4 else ()
        table: Mapping[str, float | None] = facts.compressed_tensors
    else:
        formats = method_names(method)
        table = {name: entry.minimum_capability for name, entry in facts.quantization.items()}
    needs = [_of_version(name, table[name], deployment.version) for name in formats if name in table]
    read = any(name in load_engine().turing for name in formats)
    return min((number for number in needs if number is not None), default=None), (
        deployment.version if read else facts.version
    )


def _of_version(name: str, minimum: float | None, version: str) -> float | None:
    """The minimum of a method or format in a version between tables, where the version that changed it was read."""
    engine = load_engine()
    since = engine.turing.get(name)
    if since is None or minimum not in (_TURING, _AMPERE):
        return minimum
    return _TURING if engine.has(version, since) else _AMPERE
