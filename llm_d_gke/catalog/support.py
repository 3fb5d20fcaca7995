"""Typed access to support.yaml: until when upstream supports the charts of the platform."""

import datetime
import re
from collections.abc import Mapping

from .reading import reader
from .schema import Entry, Source


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


load_support = reader(Support, "support.yaml")
