"""Base classes of typed specs, and the function that registers a custom resource."""

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from llm_d_gke.components.instance import instance_of, named


class Part(BaseModel):
    """A typed part of a spec. Unknown fields raise; fields that are None are left out of the object."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True
    )

    def dump(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class Named(Part):
    """A reference to another object by its name."""

    name: str


class Enabled(Part):
    enabled: bool


class Spec(Part):
    """The spec of one kind: `class GatewaySpec(Spec, api_version="gateway.networking.k8s.io/v1", kind="Gateway")`."""

    API_VERSION: ClassVar[str]
    KIND: ClassVar[str]

    def __init_subclass__(cls, *, api_version: str, kind: str, **config: Unpack[ConfigDict]) -> None:
        super().__init_subclass__(**config)
        cls.API_VERSION, cls.KIND = api_version, kind


class PolicyTarget(Part):
    """Object in the same namespace that a policy attaches to."""

    group: str
    kind: str
    name: str


def custom_resource(
    logical_name: str,
    spec: Spec,
    *,
    metadata: ObjectMetaArgs,
    late: Mapping[str, Any] | None = None,
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """Register a custom resource with a typed spec, which also gives API version and kind.

    `late` are fields of the spec whose values are Pulumi outputs.
    """
    return kubernetes.apiextensions.CustomResource(
        named(logical_name, opts),
        api_version=spec.API_VERSION,
        kind=spec.KIND,
        metadata=metadata,
        spec={**instance_of(opts).resolved(spec.dump()), **(late or {})},
        opts=opts,
    )
