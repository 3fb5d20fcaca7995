"""Answers of an installed vLLM about itself, as JSON: `python -m inside QUESTIONS ANSWERS` in the engine's environment.

Nothing here imports the project. Each card gets a separate process, because vLLM caches the properties of its
platform. What fails to answer is reported as such and never guessed.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path

from .process import answer


def main(questions: Path, answers: Path) -> None:
    tasks = json.loads(questions.read_text(encoding="utf-8"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        results = pool.map(answer, tasks, chunksize=1)
    answers.write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
