"""A program without a generated SDK: two remote components, registered as every SDK registers them."""

import pulumi


class Stack(pulumi.ComponentResource):
    """The component of the package."""

    def __init__(self, name: str, arguments: dict[str, object]) -> None:
        outputs = dict.fromkeys(("endpoint", "clusterName"))
        options = pulumi.ResourceOptions(version="0.1.0")
        super().__init__("llm-d:stack:InferenceStack", name, {**arguments, **outputs}, options, remote=True)


config = pulumi.Config()
common = {
    "project": config.require("gcp-project"),
    "location": "us-central1-a",
    "gateway": {"exposure": config.get("exposure") or "internal"},
    "huggingFace": {"token": config.require_secret("hugging-face-token")},
}
models = {
    "chat": {"id": "google/gemma-2b-it", "maxModelLen": 4096},
    "trial": {"id": "Qwen/Qwen2.5-1.5B-Instruct", "maxModelLen": 2048, "dtype": "half"},
}
machines = {
    "chat": {"type": "nvidia-l4", "nodes": {"min": 1, "max": 2}},
    "trial": {"type": "nvidia-tesla-t4", "provisioning": "spot", "nodes": {"min": 1, "max": 1}},
}
stacks = {
    name: Stack(name, {**common, "accelerator": machines[name], "models": [models[name]]})
    for name in config.get_object("stacks") or list(models)
}
pulumi.export("endpoints", {name: stack.endpoint for name, stack in stacks.items()})  # type: ignore[attr-defined]
pulumi.export("clusters", [stack.clusterName for stack in stacks.values()])  # type: ignore[attr-defined]
