"""`python -m rehearsal.toolchain`: build every binary of the default release's rehearsals that is not there yet."""

from __future__ import annotations

import sys

from rehearsal.toolchain.build import BuildError, binaries
from rehearsal.toolchain.targets import DEFAULTS


def main() -> int:
    try:
        binaries(DEFAULTS, lambda text: print(f"  {text}", flush=True))
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
