"""`vision_config` and `audio_config` of a config.json as parameters of the towers beside the text model.

Counted as the modules of vLLM 0.26 and transformers 5.5 are built. Layer norms and biases of the towers are counted
where a tower has them; towers of any other kind raise ConfigError, for a guess may be several GiB off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .config_architectures import load_architectures
from .errors import ConfigError

Config = Mapping[str, Any]

_MOONVIT_SHARDED = 0.5


@dataclass(frozen=True)
class Tower:
    """Parameters of all towers and projectors, and the part of them that tensor parallelism divides.

    `heads` are those of the tower for images, None where every rank holds all of them or the number is not known.
    """

    parameters: int
    sharded: float
    audio: int = 0  # of those parameters, the tower for sound
    heads: int | None = None


def _tower(total: int, sharded: float) -> Tower:
    return Tower(total, round(sharded / total, 2))


def towers(architecture: str, config: Config, text_hidden: int) -> Tower | None:
    """The towers of a model; None where its configuration describes none."""
    written = config.get("vision_config")
    if not isinstance(written, Mapping):
        return None
    kind = _kind_of(architecture, written)
    vision = {**load_architectures().tower_defaults.get(kind, {}), **written}
    tower = _tower_of(kind, architecture, config, vision, text_hidden)
    names = ("num_heads", "num_attention_heads", "vt_num_attention_heads")
    heads = next((_number(written, name) for name in names if name in written), vision.get("num_heads"))
    return replace(tower, heads=heads) if tower.sharded and heads else tower


def _kind_of(architecture: str, vision: Config) -> str:
    own = (kind for begin, kind in load_architectures().towers.items() if architecture.startswith(begin))
    usual = "siglip_vision_model" if architecture.startswith("Gemma3") else ""
    return next(own, str(vision.get("model_type") or usual))


def _tower_of(kind: str, architecture: str, config: Config, vision: Config, text_hidden: int) -> Tower:
    match kind:
        case "qwen3-vl":
            return _qwen3(vision)
        case "qwen2-vl":
            return _qwen2(vision, gated=architecture.startswith("Qwen2_5"))
        case "gemma-4-unified":
            return _gemma4_unified(config, vision, text_hidden)
        case "glm-4v":
            return _glm4v(vision)
        case "kimi":
            return _moonvit(vision, text_hidden)
        case "minimax-m3":
            return _minimax(vision, text_hidden)
        case "siglip_vision_model" | "clip_vision_model":
            return _encoder(architecture, config, vision, text_hidden)
        case "pixtral":
            return _pixtral(config, vision, text_hidden)
        case "gemma4_vision":
            return _gemma4(config, vision, text_hidden)
        case "llama4_vision_model":
            return _llama4(vision, text_hidden)
        case _:
            raise ConfigError(
                f"its vision tower ({kind or 'unnamed'}) is not one whose size this program can compute", unknown=True
            )


def _number(config: Config, *names: str, default: int | None = None) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**6:
            return value
    if default is None:
        raise ConfigError(f"its vision_config has no number under {' or '.join(names)}")
    return default


def _layer(hidden: int, inner: int, *, gated: bool = False, bias: bool = True) -> int:
    """One transformer layer: four projections, two or three matrices, two norms."""
    matrices = (3 if gated else 2) * hidden * inner
    biases = 4 * hidden + inner + hidden + 2 * hidden if bias else 0
    return 4 * hidden * hidden + matrices + biases + 2 * hidden


def _qwen3(vision: Config) -> Tower:
    """Qwen3-VL and Qwen3.5: positions are learned, mergers join a square of patches."""
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    patch = (
        _number(vision, "in_channels", default=3)
        * _number(vision, "temporal_patch_size")
        * (_number(vision, "patch_size") ** 2)
    )
    merged = hidden * _number(vision, "spatial_merge_size") ** 2
    merger = merged * merged + merged + (merged + 1) * _number(vision, "out_hidden_size")
    more = vision.get("deepstack_visual_indexes")
    mergers = 1 + (len(more) if isinstance(more, list) else 0)
    layers = _number(vision, "depth") * _layer(hidden, inner)
    replicated = (patch + 1) * hidden + _number(vision, "num_position_embeddings") * hidden
    total = layers + replicated + mergers * (merger + 2 * merged)
    return _tower(total, total - replicated)


def _qwen2(vision: Config, *, gated: bool) -> Tower:
    """Qwen2-VL, and Qwen2.5-VL with its own width, RMS norms and a third matrix. Positions are rotated."""
    hidden = _number(vision, "hidden_size" if gated else "embed_dim")
    output = _number(vision, "out_hidden_size" if gated else "hidden_size")
    inner = _number(vision, "intermediate_size") if gated else hidden * _number(vision, "mlp_ratio")
    layer = _layer(hidden, inner, gated=gated) + (inner - 2 * hidden if gated else 0)
    patch = 3 * _number(vision, "temporal_patch_size") * _number(vision, "patch_size") ** 2
    merged = hidden * _number(vision, "spatial_merge_size") ** 2
    merger = hidden * (1 if gated else 2) + (merged + 1) * merged + (merged + 1) * output
    sharded = _number(vision, "depth") * layer + merger
    return _tower(sharded + patch * hidden, sharded)


def _glm4v(vision: Config) -> Tower:
    """GLM-4.1V, 4.5V and 4.6V: blocks as wide inside as the text model, and a merger behind a convolution."""
    hidden, output = _number(vision, "hidden_size"), _number(vision, "out_hidden_size")
    merger = output * output + 3 * output * _number(vision, "intermediate_size")
    sharded = _number(vision, "depth") * (4 * hidden + 3 * output) * hidden + merger
    patch = _number(vision, "patch_size")
    positions = (_number(vision, "image_size") // patch) ** 2
    square = _number(vision, "spatial_merge_size") ** 2
    patches = 3 * _number(vision, "temporal_patch_size") * patch**2 + 1
    replicated = hidden * (patches + positions + square * output) + 3 * output
    return _tower(sharded + replicated, sharded)


def _moonvit(vision: Config, text_hidden: int) -> Tower:
    """MoonViT of Kimi-VL and Kimi K2.5. Its projector is on every rank.

    By the code nine tenths of the tower are divided; a log of Kimi-VL on two ranks (15.53 GiB) shows one half.
    """
    hidden, inner = (
        _number(vision, "vt_hidden_size", "hidden_size"),
        _number(vision, "vt_intermediate_size", "intermediate_size"),
    )
    layers = _number(vision, "vt_num_hidden_layers", "num_hidden_layers") * _layer(hidden, inner)
    positions = _number(vision, "init_pos_emb_height") * _number(vision, "init_pos_emb_width")
    patch = 3 * _number(vision, "patch_size") ** 2
    kernel = vision.get("merge_kernel_size")
    if not isinstance(kernel, list) or len(kernel) != 2 or not all(isinstance(side, int) for side in kernel):
        raise ConfigError("its vision_config has no merge_kernel_size")
    merged = hidden * kernel[0] * kernel[1]
    projector = merged * merged + merged + (merged + 1) * text_hidden + 2 * hidden
    replicated = (patch + 1 + positions + 2) * hidden + projector
    return Tower(layers + replicated, _MOONVIT_SHARDED)


def _minimax(vision: Config, text_hidden: int) -> Tower:
    """MiniMax M3: a projector for each patch, and one that joins a square of them. Ranks divide all but the patches.

    With it, the weights of MiniMax-M3 are the published 426.99 billion.
    """
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    merging = vision.get("img_token_compression_config")
    merging = merging if isinstance(merging, Mapping) else {}
    square = _number(merging, "spatial_merge_size", default=2) ** 2
    patch = 3 * _number(merging, "temporal_patch_size", default=2) * _number(vision, "patch_size") ** 2
    projectors = (hidden + text_hidden + 2 + text_hidden * (square + 1) + 2) * text_hidden
    sharded = _number(vision, "num_hidden_layers") * _layer(hidden, inner) + projectors
    return _tower(sharded + (patch + 4) * hidden, sharded)


def _encoder(architecture: str, config: Config, vision: Config, text_hidden: int) -> Tower:
    """SigLIP and CLIP with the projectors of Gemma 3 and LLaVA. Layers above the last that is read are not loaded."""
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    depth = _number(vision, "num_hidden_layers")
    feature_layer = config.get("vision_feature_layer")
    features = 1
    if architecture.startswith("Llava"):
        chosen = feature_layer if isinstance(feature_layer, list) else [-2 if feature_layer is None else feature_layer]
        if not all(isinstance(layer, int) and not isinstance(layer, bool) for layer in chosen) or not chosen:
            raise ConfigError("its vision_feature_layer names no layers")
        features = len(chosen)
        depth = min(depth, max(layer if layer >= 0 else depth + layer + 1 for layer in chosen))
    patch = _number(vision, "patch_size")
    positions = (_number(vision, "image_size") // patch) ** 2
    if vision.get("model_type") == "clip_vision_model":
        positions += 1
    replicated = (3 * patch * patch + 1 + positions) * hidden
    if architecture.startswith("Llava"):
        projector = (features * hidden + 1) * text_hidden + (text_hidden + 1) * text_hidden
        sharded = depth * _layer(hidden, inner) + projector
    else:
        replicated += hidden * text_hidden
        sharded = depth * _layer(hidden, inner)
    return _tower(sharded + replicated, sharded)


def _pixtral(config: Config, vision: Config, text_hidden: int) -> Tower:
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    layers = _number(vision, "num_hidden_layers") * _layer(hidden, inner, gated=True, bias=False)
    merge = _number(config, "spatial_merge_size", default=2)
    merging = hidden * hidden * merge * merge
    projector = hidden * text_hidden + text_hidden * text_hidden
    replicated = 3 * _number(vision, "patch_size") ** 2 * hidden + merging
    return _tower(layers + projector + replicated, layers + projector)


def _gemma4(config: Config, vision: Config, text_hidden: int) -> Tower:
    """Gemma 4's towers are transformers' own modules: whole on every rank."""
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    head_dim = _number(vision, "head_dim")
    heads, kv_heads = _number(vision, "num_attention_heads"), _number(vision, "num_key_value_heads")
    attention = hidden * head_dim * 2 * (heads + kv_heads)
    layers = _number(vision, "num_hidden_layers") * (attention + 3 * hidden * inner + 4 * hidden)
    patches = 3 * _number(vision, "patch_size") ** 2 * hidden
    positions = 2 * _number(vision, "position_embedding_size") * hidden
    total = layers + patches + positions + hidden * text_hidden
    audio = config.get("audio_config")
    sound = _gemma4_audio(audio, text_hidden) if isinstance(audio, Mapping) else 0
    return Tower(total + sound, 0.0, sound)


def _gemma4_unified(config: Config, vision: Config, text_hidden: int) -> Tower:
    """Patches and samples go to the text model through one projection each: no layers see them before."""
    width = _number(vision, "mm_embed_dim")
    patch = 3 * (_number(vision, "patch_size") * _number(vision, "pooling_kernel_size")) ** 2
    total = (patch + 1) * width + 2 * _number(vision, "mm_posemb_size") * width + 2 * patch + 4 * width
    total += width * text_hidden
    audio = config.get("audio_config")
    sound = _number(audio, "audio_embed_dim", default=640) * text_hidden if isinstance(audio, Mapping) else 0
    return Tower(total + sound, 0.0, sound)


def _gemma4_audio(audio: Config, text_hidden: int) -> int:
    """A conformer: two feed-forward parts of four times the width, attention with relative keys, a convolution."""
    hidden = _number(audio, "hidden_size", default=1024)
    layer = (16 + 5 + 3) * hidden * hidden + _number(audio, "conv_kernel_size", default=5) * hidden
    channels = audio.get("subsampling_conv_channels") or [128, 32]
    if (
        not isinstance(channels, list)
        or len(channels) != 2
        or not all(isinstance(channel, int) for channel in channels)
    ):
        raise ConfigError("its audio_config has no two subsampling_conv_channels")
    outputs = _number(audio, "output_proj_dims", default=1536)
    first, second = (int(channel) for channel in channels)
    subsampling = 9 * first * (1 + second) + first // 4 * second * hidden
    layers = _number(audio, "num_hidden_layers", default=12) * layer
    return layers + subsampling + (hidden + 1) * outputs + outputs * text_hidden


def _llama4(vision: Config, text_hidden: int) -> Tower:
    hidden, inner = _number(vision, "hidden_size"), _number(vision, "intermediate_size")
    patch = _number(vision, "patch_size")
    layers = _number(vision, "num_hidden_layers") * _layer(hidden, inner)
    width, output = _number(vision, "projector_input_dim"), _number(vision, "projector_output_dim")
    adapter = inner * width + width * output
    projector = _number(vision, "vision_output_dim") * text_hidden
    positions = ((_number(vision, "image_size") // patch) ** 2 + 1) * hidden
    total = layers + adapter + projector + 3 * patch * patch * hidden + positions
    # Cut evenly over ranks: QKVParallelLinear and RowParallelLinear in vllm/model_executor/models/mllama4.py.
    return Tower(total, 1.0)
