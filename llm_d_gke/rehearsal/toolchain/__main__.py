"""`python -m llm_d_gke.rehearsal.toolchain`: build the binaries of the default release that are missing."""

from __future__ import annotations

import sys

from llm_d_gke.rehearsal.toolchain.build import BuildError, binaries, is_ready
from llm_d_gke.rehearsal.toolchain.plugins import KUBERNETES, download_plugin, installed_plugin
from llm_d_gke.rehearsal.toolchain.targets import DEFAULTS


def report(text: str) -> None:
    print(f"  {text}", flush=True)


def main() -> int:
    try:
        # Pulumi first: it downloads the provider where the network has it, which is minutes faster than a build.
        pulumi = binaries(["pulumi"], report)["pulumi"]
        names = set(DEFAULTS)
        if not is_ready(KUBERNETES) and (installed_plugin() or download_plugin(pulumi, report)):
            names.remove(KUBERNETES)
        binaries(names, report)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
