"""Two stacks in one program: a chat model for people, and a small one for tests on Spot VMs."""

import pulumi

from llm_d_gke import InferenceStack

config = pulumi.Config()
common = {
    "project": config.require("gcp-project"),
    "location": "us-central1-a",
    "gateway": {"exposure": "internal"},
    # An output: planning does not need its value.
    "huggingFace": {"token": config.require_secret("hugging-face-token")},
}

chat = InferenceStack(
    "chat",
    {
        **common,
        "accelerator": {"type": "nvidia-l4", "nodes": {"min": 1, "max": 2}},
        "models": [{"id": "google/gemma-2b-it", "maxModelLen": 4096}],
    },
)
trial = InferenceStack(
    "trial",
    {
        **common,
        "accelerator": {"type": "nvidia-tesla-t4", "provisioning": "spot", "nodes": {"min": 1, "max": 1}},
        "models": [
            {"id": "Qwen/Qwen2.5-1.5B-Instruct", "maxModelLen": 2048, "dtype": "half", "gpuMemoryUtilization": 0.88}
        ],
    },
)

pulumi.export("endpoints", {"chat": chat.endpoint, "trial": trial.endpoint})
pulumi.export("models", [model.name for model in (*chat.models, *trial.models)])
pulumi.export("clusters", [chat.cluster_name, trial.cluster_name])
