"""Policy packs in Python under the rehearsal's engine: the plugin is part of Pulumi's CLI, not of its Go module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.kubernetes_plugin import write_script

_PLUGIN = "pulumi-analyzer-policy-python"


@dataclass(frozen=True)
class PolicyChoice:
    """Folders of policy packs, and a file of parameters for each or for none."""

    packs: Sequence[Path] = ()
    configs: Sequence[Path] = ()


NO_POLICY = PolicyChoice()


def policy_options(paths: StackPaths, policy: PolicyChoice) -> dict[str, Any]:
    """Options of preview and update for the packs. Raises RehearsalError for a pack without its environment.

    The engine starts the plugin in the pack's folder, with its own address, `.`, and the options of PulumiPolicy.yaml.
    """
    if not policy.packs:
        return {}
    for pack in policy.packs:
        if not (pack / ".venv" / "bin" / "python").exists():
            raise RehearsalError(f"{pack} has no environment with pulumi-policy: make policy creates that of policy/")
    plugin = paths.pulumi_home / "plugins" / "analyzer-policy-python-v1.0.0" / _PLUGIN
    write_script(plugin, 'exec .venv/bin/python -u -m pulumi.policy "$1" "$2"')
    return {
        "policy_packs": [str(pack.resolve()) for pack in policy.packs],
        "policy_pack_configs": [str(config.resolve()) for config in policy.configs],
    }
