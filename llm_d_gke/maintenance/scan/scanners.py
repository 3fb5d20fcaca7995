"""Runs each scanner on a folder of manifests and returns its failures in one form."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.maintenance.scan.pods import ScannedPod
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import PROJECT_ROOT
from policy.llmd_policy.pods import broken_rules

ENVIRONMENT = PROJECT_ROOT / ".venv-scan"
_CHECKOV = ENVIRONMENT / "bin" / "checkov"
# kube-score grades from 1 (critical) to 10 (all right); 7 is almost all right, which is not reported.
_GRADE_OK = 7


class ScanError(RuntimeError):
    """A scanner that is not there or did not run."""


@dataclass(frozen=True, order=True)
class Failure:
    """A check of one scanner that one object does not pass. `subject` is the pod's name, or SOURCE:KIND/NAME."""

    scanner: str
    check: str
    subject: str
    text: str


def write(folder: Path, pods: Sequence[ScannedPod], objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """One file for each source, so that NetworkPolicies and the pods they select stand together."""
    folder.mkdir(parents=True, exist_ok=True)
    by_source: dict[str, list[ScannedPod]] = {}
    for pod in pods:
        by_source.setdefault(pod.source, []).append(pod)
    for source in dict.fromkeys([*by_source, *objects]):
        manifests = [pod.manifest for pod in by_source.get(source, ())]
        text = dump_yaml(*manifests, *map(_without_texts, objects.get(source, ())))
        (folder / f"{source.replace('/', '-')}.yaml").write_text(text, encoding="utf-8")


def _without_texts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A ConfigMap without its texts, which no check reads.

    checkov takes a file with Helm's syntax in a text, as Istio's chart has it, for a template and skips it silently.
    """
    if manifest["kind"] != "ConfigMap":
        return dict(manifest)
    return {**manifest, "data": dict.fromkeys(manifest.get("data") or {}, "")}


def pod_security(pods: Sequence[ScannedPod]) -> Iterator[Failure]:
    """Rules of Pod Security `restricted`, exceptions included."""
    for pod in pods:
        for rule, place in broken_rules(pod.pod):
            yield Failure("pod-security", rule, pod.name, place)


def checkov(folder: Path) -> Iterator[Failure]:
    """checkov's checks of Kubernetes manifests. It reads nothing from the network."""
    if not _CHECKOV.exists():
        raise ScanError(f"{_CHECKOV.relative_to(PROJECT_ROOT)} is missing: make scan creates its environment")
    command = [str(_CHECKOV), "--directory", str(folder), "--framework", "kubernetes", "--output", "json"]
    run = subprocess.run([*command, "--compact", "--quiet", "--skip-download"], capture_output=True, text=True)
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        raise ScanError(f"checkov wrote no result:\n{run.stderr[-2000:]}") from None
    for report in answer if isinstance(answer, list) else [answer]:
        if report.get("summary", {}).get("parsing_errors"):
            raise ScanError(f"checkov could not read {report['results'].get('parsing_errors')}")
        for failed in report.get("results", {}).get("failed_checks", ()):
            subject = _subject(Path(failed["file_path"]).stem, *_named(str(failed["resource"])))
            yield Failure("checkov", failed["check_id"], subject, failed["check_name"])


def kube_score(folder: Path) -> Iterator[Failure]:
    """kube-score's checks, source by source."""
    program = binaries(["kube-score"], print)["kube-score"]
    for file in sorted(folder.glob("*.yaml")):
        run = subprocess.run(
            [str(program), "score", str(file), "--output-format", "json"], capture_output=True, text=True
        )
        try:
            answer = json.loads(run.stdout)
        except ValueError:
            raise ScanError(f"kube-score wrote no result for {file.name}:\n{run.stderr[-2000:]}") from None
        for scored in answer or ():
            subject = _subject(file.stem, scored["type_meta"]["kind"], scored["object_meta"]["name"])
            for check in scored["checks"]:
                if not check["skipped"] and check["grade"] < _GRADE_OK:
                    comments = [comment["summary"] for comment in check["comments"] or ()]
                    yield Failure("kube-score", check["check"]["id"], subject, "; ".join(comments))


def workload_subject(source: str, kind: str, name: str) -> str:
    """How a failure names an object of a source (a stack, or `chart/NAME`)."""
    return f"{source.replace('/', '-')}:{kind}/{name}"


def _subject(source: str, kind: str, name: str) -> str:
    return name if kind == "Pod" else workload_subject(source, kind, name)


def _named(resource: str) -> tuple[str, str]:
    kind, _, rest = resource.partition(".")
    return kind, rest.split(".", 1)[1] if "." in rest else rest
