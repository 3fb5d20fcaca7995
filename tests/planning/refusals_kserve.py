"""Wrong stack files under KServe, with the finding each gets."""

from __future__ import annotations

from planning.findings import Severity
from tests.planning.refusals import Wrong

STACK = "kserve-single-replica-gpu"
LONG = "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16"

KSERVE = (
    Wrong(
        name="name that KServe cuts",
        stack=STACK,
        changes={"accelerator.type": "nvidia-l4", "models": [{"id": LONG, "maxModelLen": 2048}]},
        path="models[0].id",
        value=LONG,
        rule="with 64 characters it is cut and ends in a hash",
        fix="look for meta-llc0249d51433298fc5df7a9e50785f30b-kserve-router-scheduler",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="template where KServe has its own",
        stack=STACK,
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--chat-template", "{{ messages }}"]},
        path="models[0].extraArgs[1]",
        value="{{ messages }}",
        rule="a template of its own",
        fix="into a file",
    ),
    Wrong(
        name="no room for KServe's updates",
        stack=STACK,
        changes={"accelerator.nodes.max": 1},
        path="accelerator.nodes.max",
        value="1",
        rule="before it ends an old one",
        fix="use 2",
        severity=Severity.WARNING,
    ),
)
