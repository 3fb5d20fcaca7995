"""docs/conformance.md: what is rendered for each part of each release, judged by the part's source and by the part.

`rendered` has what stacks render for a release. `compare` holds it against sources (`names`: what a release states,
apart from arguments), `record` against the programs themselves: `programs` and `pickers_in_cluster` start them,
`engines` with `inside` asks vLLM's parser, `kinds` with `api_server` an API server; `release_runs` is one release in
its own process, `stored` keeps results. `page` and `predecessors` write the documents. `option_values`,
`picker_parameters` and `random_stacks` try values that no example has.
"""

from llm_d_gke.maintenance.conformance.compare import Cell, cells_of
from llm_d_gke.maintenance.conformance.page import PAGE, page
from llm_d_gke.maintenance.conformance.rendered import plans_of

__all__ = ["PAGE", "Cell", "cells_of", "page", "plans_of"]
