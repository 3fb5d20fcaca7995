"""The namespace of a stack, and the Secrets that its pods need."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.secret_provider import secret_file
from llm_d_gke.components.infrastructure.namespace_bounds import namespace_bounds
from llm_d_gke.components.infrastructure.pod_guard import pod_guard as make_pod_guard
from llm_d_gke.components.infrastructure.pull_secret import pull_secret as make_pull_secret
from llm_d_gke.components.infrastructure.rollout_policy import rollout_policy as make_rollout_policy
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.secret_data import secret_data
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.serving.engine_paths import TOKEN_KEY

SECRET_PROVIDER_CLASS = "hugging-face"  # noqa: S105 - an object's name


class NamespaceResources(Component):
    """The namespace, and the resources that must exist before its pods start. `name` is known once it exists."""

    name: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, plan: StackPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:workspace:Workspace", "workspace", opts)
        namespace, hugging_face, pull_secret = plan.namespace, plan.hugging_face, plan.pull_secret
        self._namespace = namespace.name
        self.name = pulumi.Output.from_input(namespace.name)
        self.ready = []
        if namespace.create:
            created = kubernetes.core.v1.Namespace(
                named("namespace", self),
                metadata=metadata(namespace.name, labels=namespace.labels),
                opts=child(self, timeouts=pulumi.CustomTimeouts(delete="15m")),
            )
            self.name = created.metadata.apply(lambda about: about.name or namespace.name)
            self.ready.append(created)
        parents = list(self.ready)
        if namespace.create:
            self.ready += namespace_bounds(namespace, child(self, depends_on=parents, deleted_with=parents[0]))
        if plan.pod_guard is not None:
            self.ready += make_pod_guard(plan.pod_guard, child(self, depends_on=parents))
        if plan.rollout_policy is not None:
            self.ready += make_rollout_policy(plan.rollout_policy, child(self, depends_on=parents))
        if hugging_face.create_secret and hugging_face.token is not None:
            token = self.instance.secret(hugging_face.token)
            # Two keys with the same value: huggingface_hub and the llm-d charts read different ones.
            self.ready.append(
                self._secret("hugging-face", hugging_face.secret or "", {"token": token, TOKEN_KEY: token}, parents)
            )
        if pull_secret is not None and pull_secret.create:
            self.ready.append(
                make_pull_secret("pull-secret", pull_secret, namespace.name, child(self, depends_on=parents))
            )
        if hugging_face.secret_manager is not None:
            self.ready.append(self._secret_provider(hugging_face.secret_manager, plan.project, parents))
        self.register_outputs({})

    def _secret(
        self,
        logical_name: str,
        name: str,
        data: dict[str, pulumi.Output[str]],
        parents: list[pulumi.Resource],
    ) -> kubernetes.core.v1.Secret:
        return kubernetes.core.v1.Secret(
            named(logical_name, self),
            metadata=metadata(name, self._namespace),
            type="Opaque",
            data=secret_data(data),
            opts=child(self, depends_on=parents),
        )

    def _secret_provider(
        self, secret: str, project: str, parents: list[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        return custom_resource(
            "secret-provider",
            secret_file(project, secret, TOKEN_KEY),
            metadata=metadata(SECRET_PROVIDER_CLASS, self._namespace),
            opts=child(self, depends_on=parents),
        )
