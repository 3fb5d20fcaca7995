"""The filter that limits a client's tokens in a minute, in Envoy's Lua.

Envoy's own local limit takes its amount when a request arrives, but how many tokens an answer has is known at its end
(envoyproxy/envoy issue 37790). The filter reads the number from the answer's `usage`, and refuses the client's next
requests in that minute. Without `usage` an event of a stream counts as one token.

Sources: envoyproxy.io/docs, "Lua"; vLLM, entrypoints/openai (UsageInfo, `--enable-force-include-usage`).
"""

from __future__ import annotations

from pathlib import Path

from llm_d_gke.planning.routing.api_keys import CLIENT_HEADER, with_values

TOKENS_DIRECTORY = "/var/lib/llm-d/tokens"
"""The folder in which Envoy's workers count tokens together."""

_PROGRAM = Path(__file__).with_suffix(".lua")


def token_filter(per_minute: int) -> str:
    """The program of the filter, behind the one that names the client."""
    values = {"directory": TOKENS_DIRECTORY, "limit": str(per_minute), "client": CLIENT_HEADER}
    return with_values(_PROGRAM, values)
