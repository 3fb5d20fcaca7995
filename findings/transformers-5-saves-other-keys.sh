#!/usr/bin/env bash
# One would guess: a config.json that transformers reads and saves again, as tools that quantize or fine-tune do, keeps
# the keys that it had, or a reader of an older version says that it does not know the new ones.
# What happens: 5.x saves rope_theta and rope_scaling as rope_parameters, and torch_dtype as dtype. 4.x reads the result
# without a message about them and turns positions by a base of 10000 without scaling, which is another model. Whatever
# else looks for the old keys finds none either.
# Versions: transformers 5.24.0 and 4.57.6, without torch; modeling_rope_utils.py and configuration_utils.py.
# Output seen on 2026-11-29:
#   published: rope_theta 500000.0, scaling by llama3, torch_dtype bfloat16
#   saved by 5.24.0: no rope_theta, no rope_scaling, no torch_dtype; rope_parameters, dtype
#   read by 5.24.0: rope_theta 500000.0, scaling by llama3
#   read by 4.57.6: rope_theta 10000.0, scaling by None
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 5.24.0 4.57.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "transformers==$version"
done
mkdir published
cat >published/config.json <<'JSON'
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "num_attention_heads": 32,
 "num_hidden_layers": 32, "max_position_embeddings": 131072, "torch_dtype": "bfloat16", "rope_theta": 500000.0,
 "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
 "original_max_position_embeddings": 8192}}
JSON
export TRANSFORMERS_VERBOSITY=warning

seen=$(
  5.24.0/bin/python - 2>/dev/null <<'PYTHON'
import json
from pathlib import Path

from transformers import AutoConfig

old = json.loads(Path("published/config.json").read_text())
scaling = old["rope_scaling"]["rope_type"]
print(f"published: rope_theta {old['rope_theta']}, scaling by {scaling}, torch_dtype {old['torch_dtype']}")
config = AutoConfig.from_pretrained("published")
config.save_pretrained("saved")
new = json.loads(Path("saved/config.json").read_text())
gone = [f"no {key}" for key in ("rope_theta", "rope_scaling", "torch_dtype") if key not in new]
print(f"saved by 5.24.0: {', '.join(gone)}; {', '.join(key for key in ('rope_parameters', 'dtype') if key in new)}")
rope = AutoConfig.from_pretrained("saved").rope_parameters
print(f"read by 5.24.0: rope_theta {rope['rope_theta']}, scaling by {rope['rope_type']}")
PYTHON
  # Messages are kept: 4.x has none.
  4.57.6/bin/python - 2>messages <<'PYTHON'
from transformers import AutoConfig

config = AutoConfig.from_pretrained("saved")
print(f"read by 4.57.6: rope_theta {config.rope_theta}, scaling by {config.rope_scaling}")
PYTHON
)
echo "$seen"
grep -i rope messages && { echo "this is not what was seen before"; exit 1; }
expected=$(sed -nE 's/^#   ((published|saved|read).*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
