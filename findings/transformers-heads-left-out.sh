#!/usr/bin/env bash
# One would guess: a config.json without num_key_value_heads describes a model that has as many key-value heads as
# attention heads, and one without num_attention_heads describes nothing.
# What happens: the configuration class of each model type fills in numbers of its own, independent of those in the file.
# With 16 attention heads, the KV cache of a token is half as large for mistral and twice as large for qwen2 as for llama.
# The published file of google/gemma-3-4b-it names no heads at all and means 8 and 4.
# Version: transformers 5.24.0, without torch; models/*/configuration_*.py.
# Output seen on 2026-11-29 (attention heads, key-value heads, width of a head):
#   llama with 16 heads: 16, 16, 128
#   qwen2 with 16 heads: 16, 32, 128
#   mistral with 16 heads: 16, 8, 128
#   starcoder2 with 16 heads: 16, 2, 128
#   gemma3_text without heads: 8, 4, 256
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0

seen=$(
  TRANSFORMERS_VERBOSITY=error venv/bin/python - 2>/dev/null <<'PYTHON'
import json
from pathlib import Path

from transformers import AutoConfig


def show(kind, heads, says):
    fields = {"model_type": kind, "hidden_size": 2048, "num_hidden_layers": 4} | heads
    Path("model").mkdir(exist_ok=True)
    Path("model/config.json").write_text(json.dumps(fields))
    config = AutoConfig.from_pretrained("model")
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    print(f"{kind} {says}: {config.num_attention_heads}, {config.num_key_value_heads}, {width}")


for kind in ("llama", "qwen2", "mistral", "starcoder2"):
    show(kind, {"num_attention_heads": 16}, "with 16 heads")
show("gemma3_text", {}, "without heads")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   ([a-z0-9_]+ with.*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
