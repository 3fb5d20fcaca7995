"""Checks Kubernetes manifests by the rules about pods and end points: `check_manifests.py FILE|FOLDER|-...`.

For the output of `helm template`, which no policy pack sees, and of `make render`. Ends with status 1 on a violation,
2 if a file cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

# As a script, its folder is the first of the path, not the project's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.llmd_policy.exemptions import exempted, listing, load
from policy.llmd_policy.resources import Resource
from policy.llmd_policy.rules import RULES

_EXEMPTIONS = Path(__file__).resolve().parent / "exemptions.yaml"


def resources_in(text: str, source: str) -> Iterator[Resource]:
    """The objects of one text of manifests."""
    for document in yaml.safe_load_all(text):
        for item in _items(document):
            kind, api = str(item.get("kind")), str(item.get("apiVersion"))
            name = str((item.get("metadata") or {}).get("name"))
            yield Resource(urn=f"{source}:{kind}/{name}", type=f"kubernetes:{api}:{kind}", name=name, properties=item)


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
        yield from _items(document["items"])
    elif isinstance(document, list):
        for item in document:
            yield from _items(item)
    elif isinstance(document, dict) and "kind" in document:
        yield document


def check(resources: list[Resource]) -> list[str]:
    """Violations that no exemption covers today, as `rule: message`."""
    exemptions, today = load(_EXEMPTIONS), datetime.now(UTC).date()
    lines = []
    for rule in RULES:
        open_, _ = exempted(rule.id, rule.check(resources, rule.parameters), exemptions, today)
        lines += [f"{rule.id}: {violation.message}" for violation in open_]
    return lines


def main(arguments: list[str]) -> int:
    if not arguments or any(argument in ("-h", "--help") for argument in arguments):
        print(__doc__.strip())
        return 0 if arguments else 2
    resources: list[Resource] = []
    for argument in arguments:
        if argument == "-":
            try:
                resources += resources_in(sys.stdin.read(), "stdin")
            except (yaml.YAMLError, UnicodeDecodeError):
                return _unreadable("-", "standard input is not YAML")
            continue
        path = Path(argument)
        for file in _manifests(path) if path.is_dir() else [path]:
            try:
                resources += resources_in(file.read_text(encoding="utf-8"), file.name)
            except OSError as error:
                return _unreadable(argument, error.strerror or str(error))
            except (yaml.YAMLError, UnicodeDecodeError):
                return _unreadable(argument, f"{file} is not YAML")
    lines = check(resources)
    exemptions = [f"exemption: {line}" for line in listing(load(_EXEMPTIONS), datetime.now(UTC).date())]
    print(*exemptions, *lines, f"{len(resources)} objects, {len(lines)} violations", sep="\n")
    return 1 if lines else 0


def _manifests(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))


def _unreadable(argument: str, reason: str) -> int:
    fix = "name a file or a folder of manifests, for example rendered"
    print(f"cannot read {argument}: {reason}; {fix}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
