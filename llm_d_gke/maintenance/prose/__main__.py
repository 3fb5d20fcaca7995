"""`python -m llm_d_gke.maintenance.prose [FILE ...]`: reports words that the project does not use.

All files without arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from llm_d_gke.maintenance.prose.lint import ROOT, lint, load_vocabulary, project_files


def main(arguments: list[str]) -> int:
    files = project_files()
    if arguments:
        requested = {Path(argument).resolve() for argument in arguments}
        files = [file for file in files if file.resolve() in requested]
    hits = lint(files, load_vocabulary())
    for hit in hits:
        print(hit)
    if hits:
        print(f"{len(hits)} words to replace in {len({hit.path for hit in hits})} files ({ROOT.name})")
    return bool(hits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
