"""Logical names and late values of one stack, in a program that may have several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime import get_root_resource
from pydantic import SecretStr

from llm_d_gke.planning.plan.stack import StackPlan


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One stack of a program.

    `prefix` begins the logical name of each of its resources. It is empty for the only stack of a program, whose
    resources keep the names that they have in existing states. `late` maps the placeholder
    text of each output in the plan to the output.
    """

    prefix: str = ""
    late: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    def logical(self, name: str) -> str:
        return f"{self.prefix}-{name}" if self.prefix else name

    def text(self, text: str) -> pulumi.Input[str]:
        """A text of the plan, or the output that it is the placeholder of."""
        return self.late.get(text, text)

    def secret(self, secret: SecretStr) -> pulumi.Output[str]:
        """The value of a secret of the plan."""
        return pulumi.Output.secret(self.text(secret.get_secret_value()))

    def resolved(self, value: Any) -> Any:
        """The value with each placeholder text replaced by its output."""
        if not self.late:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.resolved(item) for key, item in value.items()}
        return [self.resolved(item) for item in value] if isinstance(value, list) else value


# The plans of a program's components, by the root of the program that runs: one process may run several programs.
_NAMED: WeakKeyDictionary[pulumi.Resource, list[StackPlan]] = WeakKeyDictionary()


def claim_names(plan: StackPlan) -> None:
    """Refuse a second stack of this name, whose network, cluster and accounts would have the same names.

    Also refuse a second stack in one namespace of a cluster.
    """
    root = get_root_resource()
    if root is None:
        return
    claimed = _NAMED.setdefault(root, [])
    for other in claimed:
        if (other.project, other.stack) == (plan.project, plan.stack):
            raise pulumi.RunError(
                f"two InferenceStacks of this program are called {plan.stack} in project {plan.project}, and Google"
                " Cloud would refuse the second network, cluster and account of one name: give each its own stack=, or"
                " leave it out"
            )
        if other.place == plan.place:
            raise pulumi.RunError(plan.place.refusal(plan.stack, other.stack))
    claimed.append(plan)


class Component(pulumi.ComponentResource):
    """Base of the components below a stack. Each belongs to the instance of its parent."""

    instance: Instance

    def __init__(self, token: str, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(token, named(name, opts), None, opts)
        self.instance = instance_of(opts)


def instance_of(owner: pulumi.Resource | pulumi.ResourceOptions | None) -> Instance:
    """The instance that a component, or the parent in the options of a resource, belongs to."""
    parent = owner.parent if isinstance(owner, pulumi.ResourceOptions) else owner
    instance = getattr(parent, "instance", None)
    return instance if isinstance(instance, Instance) else Instance()


def named(name: str, owner: pulumi.Resource | pulumi.ResourceOptions | None) -> str:
    """The logical name of a resource, given its parent or its options."""
    return instance_of(owner).logical(name)
