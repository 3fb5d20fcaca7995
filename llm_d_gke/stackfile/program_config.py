"""The running program's configuration: the only place that reads `pulumi.Config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from llm_d_gke.stackfile.base import own_values, with_base
from llm_d_gke.stackfile.config import StackConfig, program_settings
from llm_d_gke.stackfile.paths import StackFileError
from llm_d_gke.stackfile.project import NAMESPACE, PROJECT_ROOT, stack_files


@dataclass(frozen=True, kw_only=True)
class RawSettings:
    """Configuration before any check.

    `values` holds the top-level keys without their namespace; `encrypted` names those of them that Pulumi keeps
    encrypted, in whole or in part.
    """

    stack: str
    values: Mapping[str, Any]
    encrypted: frozenset[str] = frozenset()


def read() -> RawSettings:
    """Read the running stack's configuration, with its base. Unknown keys are kept, so that the check can name them.

    Raises StackFileError for a base that cannot be read, with the stack's own values.
    """
    texts, stack = _all_config(), pulumi.get_stack()
    prefix = f"{NAMESPACE}:"
    encrypted = {key for key in texts if key.startswith(prefix) and pulumi.runtime.is_config_secret(key)}

    def merged(own: dict[str, Any]) -> dict[str, Any]:
        try:
            return with_base(own, PROJECT_ROOT, f"Pulumi.{stack}.yaml")
        except StackFileError as error:
            values = own_values(own)
            secrets = {key: values.pop(key) for key in encrypted & values.keys()}
            file = next((path for path in stack_files(PROJECT_ROOT, stack) if path.exists()), None)
            error.own = StackConfig(values=values, secrets=secrets, file=file)
            raise

    return RawSettings(
        stack=stack,
        values=program_settings(texts, merged),
        encrypted=frozenset(key.removeprefix(prefix) for key in encrypted),
    )


def _all_config() -> dict[str, str]:
    # The language host passes everything in the environment, an embedding program through the SDK's own state. The
    # public `pulumi.Config` can read a key by name but not list them, and unknown keys have to be listed.
    from pulumi.runtime import config

    return {**config.get_config_env(), **config.CONFIG.get()}
