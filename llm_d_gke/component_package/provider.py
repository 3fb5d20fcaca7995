"""The provider that the engine starts: it creates the component for programs in other languages."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyError
from pulumi.provider import ConstructResult, Provider
from pulumi.provider import main as serve

from llm_d_gke.component_package.schema import COMPONENT, package_schema
from llm_d_gke.components.late_values import OutputRefusedError
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.findings import NAMESPACE, Severity
from llm_d_gke.pulumi_speed import prepare_sdk

_DISTRIBUTION = "llm-d-gke"
# Of a checkout that is not installed.
_UNKNOWN_VERSION = "0.1.0"


class StackProvider(Provider):
    """Serves the package's schema and its one component."""

    def __init__(self, version: str) -> None:
        super().__init__(version, json.dumps(package_schema(version)))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Create the component. Findings are reported at the properties that they are about."""
        if resource_type != COMPONENT:
            raise InputPropertyError("", f"the package has {COMPONENT}, and no {resource_type}")
        settings = {key: whole_numbers(value) for key, value in inputs.items()}
        stack = settings.pop("stack", None)
        try:
            created = InferenceStack(name, settings, options, stack=stack)
        except OutputRefusedError as refused:
            raise InputPropertiesError(
                f"{name}: nothing was created",
                [{"property_path": property_path(path), "reason": str(refused)} for path in refused.paths],
            ) from None
        except RefusedError as refused:
            raise InputPropertiesError(
                f"{name}: nothing was created",
                [
                    {
                        "property_path": property_path(finding.path),
                        "reason": f"{finding.id}: {finding.value}: {finding.rule}; {finding.fix}",
                    }
                    for finding in refused.findings
                    if finding.severity is Severity.ERROR
                ],
            ) from None
        return ConstructResult(created.urn, outputs_of(created))


def property_path(setting: str) -> str:
    """The path of a setting as the engine names properties: without the namespace."""
    return setting.removeprefix(f"{NAMESPACE}:")


def outputs_of(stack: InferenceStack) -> dict[str, Any]:
    """The outputs by their names in the schema."""
    return {
        "address": stack.address,
        "clusterName": stack.cluster_name,
        "endpoint": stack.endpoint,
        "kubeconfig": stack.kubeconfig,
        "models": [{"name": model.name, "endpoint": model.endpoint} for model in stack.models],
        "namespace": stack.namespace,
        "network": stack.network,
        "subnetwork": stack.subnetwork,
    }


def whole_numbers(value: Any) -> Any:
    """A value whose whole numbers are integers: the protocol has one kind of number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: whole_numbers(item) for key, item in value.items()}
    return [whole_numbers(item) for item in value] if isinstance(value, list) else value


def package_version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return _UNKNOWN_VERSION


def main() -> None:
    """The command `pulumi-resource-llm-d`, which the engine calls with its address."""
    prepare_sdk()
    serve(StackProvider(package_version()), sys.argv[1:])


if __name__ == "__main__":
    main()
