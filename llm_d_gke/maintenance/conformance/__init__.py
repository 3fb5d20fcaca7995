"""docs/conformance.md: what is rendered for each part of each release, judged by the part's source and by the part."""

from llm_d_gke.maintenance.conformance.compare import Cell, cells_of
from llm_d_gke.maintenance.conformance.page import PAGE, page
from llm_d_gke.maintenance.conformance.rendered import plans_of, stacks

__all__ = ["PAGE", "Cell", "cells_of", "page", "plans_of", "stacks"]
