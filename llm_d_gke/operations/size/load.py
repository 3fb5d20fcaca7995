"""The load as a command line states it: `20/s 2000+300`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from llm_d_gke.cli.exits import RefusedInputError


class SizeError(RefusedInputError):
    """The question cannot be answered. The message suggests another question."""


class LoadError(SizeError):
    """The load cannot be read. The message shows one that can."""


EXAMPLE = "20/s 2000+300"
_RATE = re.compile(r"(-?\d+(?:\.\d+)?)/s")
_LENGTHS = re.compile(r"(-?\d+)\+(-?\d+)")
_IN_FLIGHT = re.compile(r"-?\d+")


@dataclass(frozen=True, kw_only=True)
class Load:
    """Requests per second or requests in flight, and tokens of one request."""

    rate: float | None = None
    in_flight: int | None = None
    prompt: int = 1000
    output: int = 200

    def settings(self) -> dict[str, Any]:
        """As `models[].load` in a stack file."""
        measure: dict[str, Any] = {"requestsPerSecond": self.rate} if self.rate else {"concurrency": self.in_flight}
        return {**measure, "promptTokens": self.prompt, "outputTokens": self.output}

    def __str__(self) -> str:
        measure = (
            f"{self.rate:g} {'request' if self.rate == 1 else 'requests'}/s"
            if self.rate
            else f"{self.in_flight} requests in flight"
        )
        return f"{measure} of {self.prompt:,} prompt and {self.output:,} output tokens"


def parse_load(text: str) -> Load:
    """Read `20/s 2000+300` (requests per second), or `16 2000+300` (requests in flight). Raises LoadError."""
    rate = in_flight = lengths = None
    words = text.replace(",", " ").split()
    for word in words:
        if match := _RATE.fullmatch(word):
            rate = float(match[1])
        elif match := _LENGTHS.fullmatch(word):
            lengths = (int(match[1]), int(match[2]))
        elif _IN_FLIGHT.fullmatch(word):
            in_flight = int(word)
        else:
            raise LoadError(_message(text, f"{word!r} is neither a rate nor lengths"))
    if len(words) > 2:
        raise LoadError(_message(text, "it has more than a rate, or requests in flight, and lengths"))
    if (rate is None) == (in_flight is None):
        raise LoadError(_message(text, "it needs one of requests per second and requests in flight"))
    if min(rate or in_flight or 0, *(lengths or (1,))) <= 0:
        raise LoadError(_message(text, "every number must be above zero"))
    prompt, output = lengths or (Load.prompt, Load.output)
    return Load(rate=rate, in_flight=in_flight, prompt=prompt, output=output)


def _message(text: str, reason: str) -> str:
    return (
        f"load {text!r}: {reason}. Write {EXAMPLE!r} for 20 requests per second of 2000 prompt and 300 output tokens,"
        " or '16 2000+300' for 16 requests in flight."
    )
