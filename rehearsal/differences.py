"""What a rehearsal does otherwise than GKE is said, never hidden: one sentence a line, each once."""

from __future__ import annotations

from rehearsal.paths import StackPaths


def record_difference(paths: StackPaths, text: str) -> None:
    """Add one sentence to the stack's list of differences, unless it is there already."""
    if text not in recorded_differences(paths):
        paths.home.mkdir(parents=True, exist_ok=True)
        with paths.differences.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def recorded_differences(paths: StackPaths) -> list[str]:
    """The sentences so far, oldest first."""
    return paths.differences.read_text(encoding="utf-8").splitlines() if paths.differences.exists() else []
