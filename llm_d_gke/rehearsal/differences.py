"""The differences of a local run from GKE: one sentence for each, stored once."""

from __future__ import annotations

from llm_d_gke.rehearsal.paths import StackPaths


def record_difference(paths: StackPaths, text: str) -> None:
    """Add a sentence to the stack's list of differences."""
    if text not in recorded_differences(paths):
        paths.home.mkdir(parents=True, exist_ok=True)
        with paths.differences.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def recorded_differences(paths: StackPaths) -> list[str]:
    """The recorded sentences, oldest first."""
    return paths.differences.read_text(encoding="utf-8").splitlines() if paths.differences.exists() else []
