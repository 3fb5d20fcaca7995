"""Stack files that are wrong about an engine's image, its driver or its variables, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong

MINE = "europe-docker.pkg.dev/mine/engines/vllm:v1"
EXTRA_ARGS_ALLOWED = {"models[0].allowExtraArgs": True}

ENGINE = (
    Wrong(
        id="LLMD-ENGINE-VALUE",
        name="a type of KV cache of a later vLLM",
        changes={"release": "llm-d-0.4", "models[0].kvCacheDtype": "int8_per_token_head"},
        path="models[0].kvCacheDtype",
        value="int8_per_token_head",
        rule="vLLM 0.11.1 exits when it reads it: --kv-cache-dtype takes auto",
        fix="use auto",
    ),
    *(
        Wrong(
            id="LLMD-ENV-CREDENTIAL",
            name=f"credential in a variable: {name}",
            changes={"models[0].env": {name: "abcdefgh"}, "models[0].allowExtraArgs": True},
            path=f"models[0].env.{name}",
            value="(hidden)",
            rule="by its name it is a credential",
            fix="models[].source",
            severity=Severity.WARNING,
        )
        for name in ("AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "REDIS_PASSWORD", "my_token")
    ),
    Wrong(
        name="image of which nothing is known",
        id="LLMD-IMAGE-UNKNOWN",
        changes={"models[0].image": MINE},
        path="models[0].imageFacts",
        value="(missing)",
        rule=f"{MINE} serves this model, and the catalog does not have it. Not known: its CUDA version",
        fix="state what it is",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-IMAGE-VERSION",
            name=f"a tag that vLLM does not publish: {written}",
            changes={"models[0].image": written},
            path="models[0].image",
            value=written,
            rule=f"vLLM publishes this version as {published.partition(':')[2]}",
            fix=f"use {published}",
        )
        for written, published in (
            ("vllm/vllm-openai:0.26.0", "vllm/vllm-openai:v0.26.0"),
            ("docker.io/vllm/vllm-openai:v0.19", "docker.io/vllm/vllm-openai:v0.19.0"),
            ("vllm/vllm-openai:v0.26.00-cu129", "vllm/vllm-openai:v0.26.0-cu129"),
        )
    ),
    Wrong(
        id="LLMD-IMAGE-NEWER",
        name="a version that the catalog has no facts of",
        changes={"models[0].image": "vllm/vllm-openai:v0.62.0"},
        path="models[0].image",
        value="vllm/vllm-openai:v0.62.0",
        rule="vLLM 0.62.0 is newer than 0.33.0",
        fix="use vllm/vllm-openai:v0.26.0, or look the tag up",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="driver older than the image's CUDA",
        id="LLMD-DRIVER-OLD",
        changes={"cluster.version": "1.33", "accelerator.driverVersion": "default"},
        path="accelerator.driverVersion",
        value="default",
        rule="v0.26.0 is built with CUDA 13.0 and needs driver 580 or newer, and GKE 1.33 installs 535",
        fix="a release with an older CUDA (llm-d-0.6, gaie-1.5)",
    ),
    Wrong(
        name="driver that nobody knows",
        id="LLMD-DRIVER-UNKNOWN",
        changes={"accelerator.driverVersion": "default"},
        path="accelerator.driverVersion",
        value="default",
        rule="which one is GKE's default on its release channel is not known",
        fix="remove driverVersion, or use latest",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="variable that is not meant",
        id="LLMD-ENV-ALLOWED",
        changes={"models[0].env": {"VLLM_LOGGING_LEVEL": "DEBUG"}},
        path="models[0].env",
        value="{VLLM_LOGGING_LEVEL: DEBUG}",
        rule="engine variables can override what this program plans",
        fix="",
    ),
    Wrong(
        name="variable of the stack",
        id="LLMD-ENV-OWNED",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"HF_HOME": "/data"}},
        path="models[0].env.HF_HOME",
        value="/data",
        rule="HF_HOME is set by the stack itself",
        fix="remove HF_HOME from env",
    ),
    Wrong(
        name="token in a variable",
        id="LLMD-ENV-SECRET",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"HF_TOKEN": "hf_something"}},
        path="models[0].env.HF_TOKEN",
        value="(hidden)",
        rule="readable by everyone who can read the Deployment",
        fix="huggingFace.token",
    ),
    Wrong(
        name="API key in a variable",
        id="LLMD-ENV-API-KEY",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"VLLM_API_KEY": "something"}},
        path="models[0].env.VLLM_API_KEY",
        value="(hidden)",
        rule="rejects the kubelet's probes",
        fix="authenticate clients at the Gateway",
    ),
    Wrong(
        name="variable of another type",
        id="LLMD-ENV-TYPE",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"VLLM_ENGINE_ITERATION_TIMEOUT_S": "a minute"}},
        path="models[0].env.VLLM_ENGINE_ITERATION_TIMEOUT_S",
        value="a minute",
        rule="VLLM_ENGINE_ITERATION_TIMEOUT_S takes a whole number",
        fix="use 2",
    ),
    Wrong(
        name="a level of logs that Python does not know",
        id="LLMD-ENV-TYPE",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"VLLM_LOGGING_LEVEL": "verbose"}},
        path="models[0].env.VLLM_LOGGING_LEVEL",
        value="verbose",
        rule="VLLM_LOGGING_LEVEL takes a level of Python's logging",
        fix="use DEBUG",
    ),
    Wrong(
        name="a port as Kubernetes writes it for a Service named vllm",
        id="LLMD-ENV-TYPE",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"VLLM_PORT": "tcp://10.0.0.1:8000"}},
        path="models[0].env.VLLM_PORT",
        value="tcp://10.0.0.1:8000",
        rule="VLLM_PORT takes a whole number",
        fix="use 2",
    ),
    Wrong(
        name="a size that is compiled for, and of which no graph is",
        id="LLMD-ENGINE-CONFLICT",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].extraArgs": ["--compilation-config", '{"compile_sizes": [3]}']},
        path="models[0].extraArgs",
        value="--compilation-config compile_sizes 3",
        rule="compile_sizes contains 3 which would be padded",
        fix="use 8",
    ),
    Wrong(
        name="variable that this vLLM does not have",
        id="LLMD-ENV-UNKNOWN",
        changes=EXTRA_ARGS_ALLOWED | {"models[0].env": {"VLLM_USE_V2": "1"}},
        path="models[0].env.VLLM_USE_V2",
        value="1",
        rule="vLLM 0.26.0 has no variable VLLM_USE_V2 and ignores it",
        fix="check its name",
        severity=Severity.WARNING,
    ),
)
