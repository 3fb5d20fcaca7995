"""Values of Pulumi ESC environments that a stack file names: pulumi opens them with the user's login."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.stackfile.paths import StackFileError

# Opening asks Pulumi Cloud, and providers of dynamic credentials behind it.
_SECONDS = 60.0


def with_environment(
    root: Path, stack: str, document: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A stack file's values by full key, merged with those of its environments, and a note on what is missing.

    Pulumi merges, and prefers the file's values. What holds a secret stays with Pulumi, and is not shown here.
    """
    names = document.get("environment")
    if not names:
        return dict(values), ()
    if isinstance(names, str):
        raise StackFileError(f"Pulumi.{stack}.yaml: environment is a list of Pulumi ESC. Write environment: [{names}]")
    listed = ", ".join(map(str, names)) if isinstance(names, list) else "defined in the file"
    entries = _opened(root, stack, json.dumps(document, sort_keys=True, default=str))
    if isinstance(entries, str):
        note = f"environment ({listed}): its values are missing here, because pulumi does not open it: {entries}"
        return dict(values), (note,)
    # Pulumi also lists the empty defaults of Pulumi.yaml.
    plain = {key: _value(entry) for key, entry in entries.items() if not entry["secret"] and _value(entry) != ""}
    hidden = sorted(key for key, entry in entries.items() if entry["secret"] and key not in values)
    notes = (f"environment ({listed}): secret there, and missing here: {', '.join(hidden)}",) if hidden else ()
    return {**values, **plain}, notes


def _value(entry: Mapping[str, Any]) -> Any:
    """An object, or the text of anything else, as the engine passes it to a program."""
    return entry["objectValue"] if "objectValue" in entry else entry["value"]


@functools.cache
def _opened(root: Path, stack: str, document: str) -> Mapping[str, Any] | str:
    """What `pulumi config --json` lists (pulumi/pkg/v3 cmd/pulumi/config/config.go), or why it lists nothing.

    `document` is the file's content, which decides how long an answer holds.
    """
    del document
    command = ["pulumi", "config", "--json", "--open", "--non-interactive", "--stack", stack]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return "pulumi is not installed"
    except subprocess.TimeoutExpired:
        return f"no answer within {_SECONDS:.0f} s"
    if done.returncode != 0:
        return " ".join(done.stderr.split())[:200] or f"it ended with {done.returncode}"
    entries: Mapping[str, Any] = json.loads(done.stdout)
    return entries
