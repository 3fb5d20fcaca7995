"""`python -m llm_d_gke.rehearsal.toolchain [--every-stack]`: build the missing binaries of the default release.

With `--every-stack`, only those that every stack needs: `make` starts this while Python packages are installed, so it
imports nothing outside the standard library.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from llm_d_gke.cli.text import print_step
from llm_d_gke.rehearsal.toolchain.build import BuildError, binaries, is_ready
from llm_d_gke.rehearsal.toolchain.plugins import KUBERNETES, download_plugin, installed_plugin
from llm_d_gke.rehearsal.toolchain.targets import DEFAULTS, EVERY_STACK


def main(arguments: Sequence[str] = ()) -> int:
    try:
        if "--every-stack" in arguments:
            # Pulumi apart: a preview waits for nothing else.
            for names in (EVERY_STACK[:1], EVERY_STACK[1:]):
                binaries(names, print_step)
            return 0
        # Pulumi first: it downloads the provider where the network has it, which is minutes faster than a build.
        pulumi = binaries(["pulumi"], print_step)["pulumi"]
        missing = set(DEFAULTS)
        if not is_ready(KUBERNETES) and (installed_plugin() or download_plugin(pulumi, print_step)):
            missing.remove(KUBERNETES)
        binaries(missing, print_step)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # A shell starts background commands with interrupts ignored. This one ends with the `make` that started it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
