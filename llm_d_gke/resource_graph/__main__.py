"""The process `record_in_subprocess` starts: an order on standard input, the result's file as the only argument."""

import sys
from pathlib import Path

from llm_d_gke.resource_graph.subprocess_recorder import serve

serve(sys.stdin.buffer.read(), Path(sys.argv[1]))
