"""What a program says through Pulumi's engine."""

from __future__ import annotations

import pulumi

from llm_d_gke.planning import Finding
from llm_d_gke.wording import LOGGED_WIDTH, wrapped


def log_warning(finding: Finding, stack: str = "") -> None:
    """Log a finding that stops nothing, as information if it is acknowledged. `stack` is named among several."""
    log = pulumi.log.warn if finding.acknowledged is None else pulumi.log.info
    log(wrapped(f"{stack}: {finding}" if stack else str(finding), LOGGED_WIDTH))
