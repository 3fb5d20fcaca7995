"""Failures that are accepted, each kind with its reason: exceptions.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.scan.pods import Component, ScannedPod, Traits
from llm_d_gke.maintenance.scan.scanners import Failure, workload_subject

FILE = Path(__file__).with_name("exceptions.yaml")


class ScanException(BaseModel):
    """Checks of one scanner that pods and objects of a kind need not pass, whatever stack they are in.

    A pod, or the workload that holds it, is excepted by what it is: its `components`, a container that it has
    (`containers`), an argument of its programs (`arguments`), a typed exception of Pod Security that it claims
    (`security_exceptions`). An object without pods is excepted by its `objects` (KIND/NAME, `*` for any part). Each
    condition that is stated has to hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanner: str
    checks: tuple[str, ...] = Field(min_length=1)
    components: tuple[Component, ...] = ()
    containers: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    security_exceptions: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    # Only stacks that are none of the project's need it; --random finds them.
    random: bool = False
    reason: str = Field(min_length=20)

    def covers(self, failure: Failure, traits: Mapping[str, Sequence[Traits]]) -> bool:
        """`traits` are those of each pod, by its name, and of all pods of a workload, by SOURCE:KIND/NAME."""
        if failure.scanner != self.scanner or failure.check not in self.checks:
            return False
        name = failure.subject.rpartition(":")[2]
        if self.objects and not any(fnmatchcase(name, pattern) for pattern in self.objects):
            return False
        if not (self.components or self.containers or self.arguments or self.security_exceptions):
            return True
        pods = traits.get(failure.subject, ())
        # A workload of two pods, of which one is excepted, fails by the other one.
        return bool(pods) and all(map(self._fits, pods))

    def _fits(self, pod: Traits) -> bool:
        return (
            (not self.components or pod.component in self.components)
            and (not self.containers or any(name in pod.containers for name in self.containers))
            and (not self.arguments or any(argument in pod.command for argument in self.arguments))
            and (not self.security_exceptions or pod.security_exception in self.security_exceptions)
        )


def traits_of(pods: Iterable[ScannedPod]) -> dict[str, list[Traits]]:
    """Traits by the name of the pod and of its workload."""
    traits: dict[str, list[Traits]] = {}
    for pod in pods:
        resource = pod.pod.resource
        for name in (pod.name, workload_subject(pod.source, resource.kind, resource.object_name)):
            traits.setdefault(name, []).append(pod.traits)
    return traits


def load(file: Path = FILE) -> tuple[ScanException, ...]:
    return tuple(ScanException.model_validate(entry) for entry in read_yaml(file))


def sort_out(
    failures: Sequence[Failure], exceptions: Sequence[ScanException], traits: Mapping[str, Sequence[Traits]]
) -> tuple[list[Failure], list[ScanException]]:
    """Failures that no exception covers, and exceptions that cover none, which have to go.

    Those for random stacks need not cover any of the project's.
    """
    open_ = [failure for failure in failures if not any(exception.covers(failure, traits) for exception in exceptions)]
    idle = [
        exception
        for exception in exceptions
        if not exception.random and not any(exception.covers(failure, traits) for failure in failures)
    ]
    return open_, idle
