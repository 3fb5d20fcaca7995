"""The process `record_apart` starts: an order on standard input, the result's file as the only argument."""

import sys
from pathlib import Path

from rehearsal.graph.apart import serve

serve(sys.stdin.buffer.read(), Path(sys.argv[1]))
