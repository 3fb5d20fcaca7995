// Two stacks in one program: a chat model for people, and a small one for tests on Spot VMs.
import * as llmd from "@pulumi/llm-d";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const common = {
    project: config.require("gcp-project"),
    location: "us-central1-a",
    gateway: { exposure: "internal" as const },
    // An output: planning does not need its value. An output for any other setting is a compile error.
    huggingFace: { token: config.requireSecret("hugging-face-token") },
};

const chat = new llmd.stack.InferenceStack("chat", {
    ...common,
    accelerator: { type: "nvidia-l4", nodes: { min: 1, max: 2 } },
    models: [{ id: "google/gemma-2b-it", maxModelLen: 4096 }],
});
const trial = new llmd.stack.InferenceStack("trial", {
    ...common,
    accelerator: { type: "nvidia-tesla-t4", provisioning: "spot", nodes: { min: 1, max: 1 } },
    models: [{ id: "Qwen/Qwen2.5-1.5B-Instruct", maxModelLen: 2048, dtype: "half", gpuMemoryUtilization: 0.88 }],
});

export const endpoints = { chat: chat.endpoint, trial: trial.endpoint };
export const models = pulumi
    .all([chat.models, trial.models])
    .apply(([first, second]) => [...first, ...second].map((model) => model.name));
export const clusters = [chat.clusterName, trial.clusterName];
