"""Typed access to support.yaml: until when upstream supports the charts of the platform."""

import datetime
import functools
import re
from collections.abc import Mapping
from pathlib import Path

from .reading import read_yaml
from .schema import Entry, Source

_FILE = Path(__file__).with_name("support.yaml")


class End(Entry):
    """When support of one minor version ended."""

    ended: datetime.date
    source: str  # key into Support.sources


class Support(Entry):
    """The whole of support.yaml."""

    sources: Mapping[str, Source]
    istio: Mapping[str, End]
    cert_manager: Mapping[str, End]

    def end_of(self, chart: str, version: str) -> End | None:
        """The end of a version's support; None where none is published."""
        match = re.match(r"v?(\d+\.\d+)", version)
        ends: Mapping[str, End] = getattr(self, chart)
        return ends.get(match[1]) if match is not None else None


@functools.cache
def load_support() -> Support:
    """Read and validate support.yaml, once. Raises pydantic's ValidationError naming the field."""
    return Support.model_validate(read_yaml(_FILE))
