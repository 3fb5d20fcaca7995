"""Storage of a checkpoint's weights: `quantization_config` of a config.json, or hf_quant_config.json beside it.

A method names a default (`bits` with scales), lists of modules that stay as they are, and sometimes groups or single
modules that are stored otherwise. All three are matched against the model's modules, part by part and layer by layer:
`Quantization.parts` is what comes of it. What matches nothing that is known is refused, not taken for the default.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .checkpoint_matrices import CheckpointMatrices
from .checkpoint_traits import traits_of
from .errors import ConfigError
from .schema import Part, Quantization

Config = Mapping[str, Any]

_PLAIN_BITS = 16.0
_LAYER_PARTS: tuple[Part, ...] = ("attention", "linear", "mlp", "shared", "latent", "experts")

# modelopt's algorithms: bits, weights to a scale, bits of a scale.
_MODELOPT: Mapping[str, tuple[float, int | None, int]] = {
    "FP8": (8, None, 16),
    "FP8_PER_CHANNEL_PER_TOKEN": (8, None, 16),
    "FP8_PB_WO": (8, 128 * 128, 32),
    "MXFP8": (8, 32, 8),
    "NVFP4": (4, 16, 8),
    "W4A16_NVFP4": (4, 16, 8),
    "NVFP4_AWQ": (4, 16, 8),
    "MXFP4": (4, 32, 8),
    "W4A16_AWQ": (4, 128, 16),
    "INT4_AWQ": (4, 128, 16),
}


@dataclass(frozen=True)
class _Scheme:
    """Storage format of a matrix."""

    bits: float
    group: int | None = None
    scale_bits: int = 16
    zero_point_bits: int = 0

    @property
    def stored(self) -> float:
        return self.bits + ((self.scale_bits + self.zero_point_bits) / self.group if self.group else 0.0)


@dataclass(frozen=True)
class _QuantizationPlan:
    """A method as the checkpoint describes it: a default, exceptions that win over it, and names that stay plain."""

    method: str
    default: _Scheme | None
    ignored: Sequence[str] = ()
    exceptions: Sequence[tuple[str, _Scheme]] = ()
    kv_cache: bool = False
    experts_only: bool = False
    integers: bool = False
    sparse: bool = False
    loose: bool = field(default=True)  # a name without dots matches any component of a module's name


def quantization_of(config: object, modules: CheckpointMatrices | None = None) -> Quantization | None:
    """None where nothing is quantized. Raises ConfigError for a method whose size this program cannot compute.

    Without `modules` the names that a checkpoint leaves out are not looked at.
    """
    if not isinstance(config, Mapping) or not config:
        return None
    plan = _quantization_plan(config)
    if plan.default is None and not plan.exceptions:
        return None
    parts = {} if modules is None or plan.experts_only else _bits_by_part(plan, modules)
    default = plan.default or plan.exceptions[0][1]
    return Quantization(
        method=plan.method,
        bits=default.bits,
        group=default.group,
        scale_bits=default.scale_bits,
        zero_point_bits=default.zero_point_bits,
        experts_only=plan.experts_only,
        kv_cache=plan.kv_cache,
        integers=plan.integers,
        sparse=plan.sparse,
        traits=traits_of(config),
        parts=parts,
    )


def from_modelopt_file(document: object) -> Config:
    """hf_quant_config.json as a `quantization_config`. Raises ConfigError if it names no method."""
    inner = document.get("quantization") if isinstance(document, Mapping) else None
    if not isinstance(inner, Mapping) or not inner.get("quant_algo"):
        raise ConfigError("its hf_quant_config.json does not say how its weights are quantized")
    return {"quant_method": "modelopt", **inner}


def _quantization_plan(config: Config) -> _QuantizationPlan:
    method = str(config.get("quant_method") or ("modelopt" if "quant_algo" in config else "")).lower()
    match method:
        case "fp8" if config.get("moe_quant_algo"):
            raise ConfigError("its experts are quantized differently from its other weights, by a method of its own")
        case "fp8":
            blocks = config.get("weight_block_size")
            scheme = _Scheme(8)
            if isinstance(blocks, list) and len(blocks) == 2:
                scheme = _Scheme(8, _integer(blocks[0]) * _integer(blocks[1]), 32)
            return _QuantizationPlan("fp8", scheme, _names(config, "modules_to_not_convert", "ignored_layers"))
        case "fbgemm_fp8":
            return _QuantizationPlan(method, _Scheme(8), _names(config, "modules_to_not_convert"))
        case "awq" | "gptq" | "auto-round" | "inc":
            return _group_wise(method, config)
        case "mxfp4":
            return _QuantizationPlan(method, _Scheme(4, 32, 8), experts_only=True)
        case "modelopt" | "modelopt_fp4" | "modelopt_mixed" | "modelopt_mxfp8":
            return _modelopt_plan(config)
        case "compressed-tensors":
            return _compressed_tensors_plan(config)
        case "bitsandbytes" if config.get("load_in_8bit"):
            return _QuantizationPlan(method, _Scheme(8), _names(config, "llm_int8_skip_modules"))
        case "bitsandbytes":
            return _QuantizationPlan(method, _Scheme(4, 64, 16), _names(config, "llm_int8_skip_modules"))
        case _:
            raise ConfigError(f"quantization {method or '(unnamed)'} is not one whose size this program can compute")


def _group_wise(method: str, config: Config) -> _QuantizationPlan:
    """AWQ, GPTQ and AutoRound: integers with a scale, and often a zero point, for each group of weights."""
    bits = _integer(config.get("bits", 4))
    zeros = bool(config.get("zero_point")) if method == "awq" else not config.get("sym", True)
    group = config.get("group_size", 128)
    scheme = _Scheme(bits, _integer(group) if group not in (-1, None) else None, 16, bits if zeros else 0)
    ignored = list(_names(config, "modules_to_not_convert"))
    exceptions: list[tuple[str, _Scheme]] = []
    own = config.get("dynamic") or config.get("extra_config")
    if isinstance(own, Mapping):
        for name, change in own.items():
            # GPTQModel marks what it leaves out with "-:" before a pattern, what it changes with "+:".
            sign, _, pattern = str(name).partition(":") if str(name)[:2] in ("-:", "+:") else ("", "", str(name))
            target = f"re:{pattern}" if sign else pattern
            if sign == "-":
                ignored.append(target)
            elif isinstance(change, Mapping):
                changed = _integer(change.get("bits", bits))
                if changed >= _PLAIN_BITS:
                    ignored.append(target)
                else:
                    exceptions.append((target, _Scheme(changed, scheme.group, 16, changed if zeros else 0)))
    if config.get("lm_head"):
        exceptions.append(("lm_head", scheme))
    return _QuantizationPlan(method, scheme, tuple(ignored), tuple(exceptions))


def _modelopt_plan(config: Config) -> _QuantizationPlan:
    algorithm = str(config.get("quant_algo") or "").upper()
    ignored = _names(config, "ignore", "exclude_modules")
    cache = config.get("kv_cache_scheme") or config.get("kv_cache_quant_algo")
    if algorithm == "MIXED_PRECISION":
        layers = config.get("quantized_layers")
        if not isinstance(layers, Mapping) or not layers:
            raise ConfigError("its mixed precision names no quantized_layers")
        exceptions = tuple(
            (str(name), _algorithm(layer.get("quant_algo"), layer.get("group_size")))
            for name, layer in layers.items()
            if isinstance(layer, Mapping)
        )
        return _QuantizationPlan("modelopt", None, ignored, exceptions, kv_cache=bool(cache))
    return _QuantizationPlan("modelopt", _algorithm(algorithm, config.get("group_size")), ignored, kv_cache=bool(cache))


def _algorithm(name: object, group: object) -> _Scheme:
    scheme = _MODELOPT.get(str(name).upper())
    if scheme is None:
        raise ConfigError(f"quantization {name} of modelopt is not one whose size this program can compute")
    bits, default_group, scale_bits = scheme
    if default_group is None:
        return _Scheme(bits)
    return _Scheme(
        bits, _integer(group) if isinstance(group, int) and group > 0 and bits == 4 else default_group, scale_bits
    )


def _compressed_tensors_plan(config: Config) -> _QuantizationPlan:
    """compressed-tensors: groups of targets, each with its weights; `ignore` wins over them."""
    groups, sparsity = config.get("config_groups"), config.get("sparsity_config")
    schemes: list[tuple[Sequence[str], _Scheme]] = []
    integers = False
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(weights, Mapping):
            continue
        targets = group.get("targets")
        names = tuple(map(str, targets)) if isinstance(targets, list) and targets else ("Linear",)
        schemes.append((names, _scheme_of(weights)))
        integers = integers or all(_is_int8(group.get(name)) for name in ("weights", "input_activations"))
    if not schemes:
        raise ConfigError("its compressed-tensors configuration has no group of weights")
    default = next((scheme for names, scheme in schemes if "Linear" in names), None)
    exceptions = tuple((name, scheme) for names, scheme in schemes for name in names if name != "Linear")
    return _QuantizationPlan(
        "compressed-tensors",
        default,
        _names(config, "ignore"),
        exceptions,
        kv_cache=config.get("kv_cache_scheme") is not None,
        integers=integers,
        sparse=isinstance(sparsity, Mapping) and bool(sparsity.get("targets")),
        loose=False,
    )


def _is_int8(numbers: object) -> bool:
    return isinstance(numbers, Mapping) and numbers.get("type") == "int" and numbers.get("num_bits") == 8


def _scheme_of(weights: Config) -> _Scheme:
    bits = _integer(weights.get("num_bits", 8))
    size = weights.get("group_size")
    group = _integer(size) if size not in (None, -1) else None
    block = weights.get("block_structure")
    if group is None and isinstance(block, list) and len(block) == 2:
        return _Scheme(bits, _integer(block[0]) * _integer(block[1]), 32)
    floating = weights.get("type") == "float"
    # NVFP4 and MXFP4 keep their scales in 8 bits, integer formats in 16.
    scale_bits = 8 if floating and bits == 4 else 16
    zeros = bits if not floating and weights.get("symmetric") is False else 0
    return _Scheme(bits, group, scale_bits, zeros)


def _bits_by_part(plan: _QuantizationPlan, modules: CheckpointMatrices) -> dict[Part, float]:
    """Bits of each part, averaged over its matrices, where they are not the method's default."""
    ignored = _Names(plan.ignored, plan.loose)
    exceptions = [(_Names((name,), plan.loose), scheme) for name, scheme in plan.exceptions if not _is_exact(name)]
    exact = {name: scheme for name, scheme in plan.exceptions if _is_exact(name)}
    result: dict[Part, float] = {}
    is_named = False
    for part in (*_LAYER_PARTS, "lm_head"):
        # lm_head stays plain unless it is named: engines load it so whatever the default is.
        default = plan.default.stored if plan.default is not None and part != "lm_head" else _PLAIN_BITS
        total = stored = 0.0
        for names, size in modules.of(part):
            bits = default
            scheme = next(
                (exact[prefix] for name in names for prefix in _enclosing_modules(name) if prefix in exact), None
            )
            if scheme is None:
                scheme = next((scheme for matcher, scheme in exceptions if matcher.match(names)), None)
            if ignored.match(names):
                bits = _PLAIN_BITS
            elif scheme is not None:
                bits = scheme.stored
                is_named = True
            total += size
            stored += size * bits
        if total and (abs(stored / total - default) > 1e-9 or (plan.default is None and part != "lm_head")):
            result[part] = stored / total
    if plan.exceptions and not is_named:
        raise ConfigError("what its quantization names fits none of the model's modules")
    return result


def _is_exact(name: str) -> bool:
    """Whether a name matches exactly one module. Those are looked up, because a checkpoint may list thousands."""
    return not name.startswith("re:") and "*" not in name and "." in name


@lru_cache(maxsize=2**16)
def _enclosing_modules(name: str) -> tuple[str, ...]:
    """A module's name and the modules it lies in."""
    pieces = name.split(".")
    return tuple(".".join(pieces[:end]) for end in range(len(pieces), 0, -1))


class _Names:
    """Names of modules as engines match them: exact, by prefix, with wildcards, or `re:` and a pattern."""

    def __init__(self, names: Sequence[str], loose: bool) -> None:
        plain = [name for name in names if not name.startswith("re:")]
        # A name with only a trailing star is a prefix, which is the common case.
        self._prefixes = {name.rstrip("*").rstrip(".") for name in plain if "*" not in name.rstrip("*.")}
        self._components = {name for name in self._prefixes if "." not in name} if loose else set()
        self._globs = [re.compile(fnmatch.translate(name)) for name in plain if "*" in name.rstrip("*.")]
        try:
            self._globs += [re.compile(name[3:]) for name in names if name.startswith("re:")]
        except re.error as error:
            raise ConfigError(f"its quantization has a pattern that is none: {error}") from None

    def match(self, names: Sequence[str]) -> bool:
        return any(self._matches(name) for name in names)

    def _matches(self, name: str) -> bool:
        if self._prefixes and not self._prefixes.isdisjoint(_enclosing_modules(name)):
            return True
        if self._components and not self._components.isdisjoint(name.split(".")):
            return True
        return any(pattern.match(name) for pattern in self._globs)


def _names(config: Config, *fields: str) -> tuple[str, ...]:
    for name in fields:
        value = config.get(name)
        if isinstance(value, list):
            return tuple(map(str, value))
    return ()


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 65536:
        raise ConfigError(f"its quantization has {value!r} where a number of bits or weights belongs")
    return value
