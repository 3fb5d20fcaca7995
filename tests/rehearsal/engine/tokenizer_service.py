"""llm-d's tokenizer service, for pickers that ask one over gRPC: tokens of an engine, by its /tokenize.

Its own implementation loads a tokenizer in a process beside the picker. The messages are those of the Go module
github.com/llm-d/llm-d-kv-cache, which brings them in Python too.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import httpx

from llm_d_gke.rehearsal.toolchain.build import module_dir
from tests.waiting import PATIENCE


@contextmanager
def serve_tokenizer(engine: Callable[[], str]) -> Iterator[int]:
    """Serve on a port of this machine. `engine` is the address of one that runs now."""
    folder = module_dir("github.com/llm-d/llm-d-kv-cache", "router") / "services" / "uds_tokenizer"
    sys.path.insert(0, str(folder))
    try:
        messages = importlib.import_module("tokenizerpb.tokenizer_pb2")
        service = importlib.import_module("tokenizerpb.tokenizer_pb2_grpc")
    finally:
        sys.path.remove(str(folder))

    class Tokenizer(service.TokenizationServiceServicer):  # type: ignore[misc, name-defined]
        def InitializeTokenizer(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
            return messages.InitializeTokenizerResponse(success=True)

        def RenderChatCompletion(self, request: Any, _context: Any) -> Any:  # noqa: N802
            turns = [{"role": message.role, "content": message.content} for message in request.messages]
            tokens = _tokens(engine(), {"model": request.model_name, "messages": turns})
            return messages.RenderChatCompletionResponse(request_id="r", token_ids=tokens, success=True)

        def RenderCompletion(self, request: Any, _context: Any) -> Any:  # noqa: N802
            tokens = _tokens(engine(), {"model": request.model_name, "prompt": request.prompt})
            return messages.RenderCompletionResponse(request_id="r", token_ids=tokens, success=True)

    server = grpc.server(ThreadPoolExecutor(4))
    service.add_TokenizationServiceServicer_to_server(Tokenizer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


def _tokens(engine: str, body: dict[str, Any]) -> list[int]:
    answer = httpx.post(f"{engine}/tokenize", json=body, timeout=PATIENCE, trust_env=False)
    answer.raise_for_status()
    tokens: list[int] = answer.json()["tokens"]
    return tokens
