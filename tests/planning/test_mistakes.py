"""Mistakes in a first stack file: each is reported with place, reason and fix."""

# ruff: noqa: E501 - a table with one row for each case
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.planning import Finding, RefusedError, plan_raw, plan_stack
from llm_d_gke.planning.findings import Severity, errors_in
from llm_d_gke.planning.rules import RULES
from llm_d_gke.stackfile import load
from llm_d_gke.stackfile.model_files import model_files
from tests.planning.refusals.every import EVERY
from tests.stacks import ENCRYPTED, values_of

BASE = """
llm-d:project: some-project
llm-d:location: us-east4-a
llm-d:accelerator: {type: nvidia-l4, nodes: {min: 0, max: 4}}
llm-d:models: [{id: Qwen/Qwen3-4B, maxModelLen: 4096}]
"""

TPU = "{type: tpu-v6e, machineType: ct6e-standard-4t, topology: %s, nodes: {min: 0, max: 2}}"
TPU_PLACE = "llm-d:location: us-east5-b\nllm-d:accelerator: "


def model(extra: str) -> str:
    return f"llm-d:models: [{{id: Qwen/Qwen3-4B, maxModelLen: 4096, {extra}}}]"


def argument(*words: str) -> str:
    return model(f"allowExtraArgs: true, extraArgs: {list(words)}")


# Name, changes to the file, rule, path without namespace, words of the reason, words of the fix.
MISTAKES = [
    ("top-level key", "llm-d:modles: []\nllm-d:models: null", "SETTING-UNKNOWN", "modles", "no such setting", "llm-d:models?"),
    ("key in a model", model("maxModelLength: 2048"), "SETTING-UNKNOWN", "models[0].maxModelLength", "no such", "maxModelLen?"),
    ("key of vLLM", model("max_num_seqs: 4"), "SETTING-UNKNOWN", "models[0].max_num_seqs", "camelCase", "maxNumSeqs?"),
    ("key of Kubernetes", model("replicaCount: 2"), "SETTING-UNKNOWN", "models[0].replicaCount", "no such", "replicas"),
    ("number in quotes", model('replicas: "2"'), "SETTING-QUOTED", "models[0].replicas", "taken as 2", "without quotes"),
    ("flag in quotes", 'llm-d:paused: "off"', "SETTING-QUOTED", "paused", "taken as false", "paused: false"),
    ("percent", model("gpuMemoryUtilization: 85"), "SETTING-RANGE", "models[0].gpuMemoryUtilization", "below 1", "use 0.85"),
    ("percent sign", model('gpuMemoryUtilization: "85%"'), "SETTING-TYPE", "models[0].gpuMemoryUtilization", "a number", "0.85"),
    ("all memory", model("gpuMemoryUtilization: 1.0"), "SETTING-RANGE", "models[0].gpuMemoryUtilization", "below 1", "use 0.9"),
    ("8k", model("maxModelLen: 8k").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 8192"),
    ("5m", "llm-d:gateway: {timeoutSeconds: 5m}", "SETTING-TYPE", "gateway.timeoutSeconds", "whole number", "use 300"),
    ("2h", "llm-d:gateway: {timeoutSeconds: 2h}", "SETTING-TYPE", "gateway.timeoutSeconds", "whole number", "use 7200"),
    ("unit of memory", "llm-d:picker: {memory: 2GB}", "SETTING-FORM", "picker.memory", "quantity of memory", "use 2Gi"),
    ("fraction", model("replicas: 1.5"), "SETTING-TYPE", "models[0].replicas", "whole number", "use 2"),
    ("below zero", model("replicas: -2"), "SETTING-RANGE", "models[0].replicas", "from 0", "use 0"),
    ("unknown zone", "llm-d:location: us-east4-z", "ZONE-OFFERS", "location", "not offered", "us-east4-a"),
    ("zone without it", "llm-d:location: europe-north1-b", "ZONE-OFFERS", "location", "not offered", "use one of europe-"),
    ("continent", "llm-d:location: europe", "SETTING-FORM", "location", "zone or a region", "use europe-west4-"),
    ("star for every name", model("servedName: '*'"), "SETTING-FORM", "models[0].servedName", "without blanks", "use my-model"),
    ("link of a network to no project", "llm-d:network: {existing: {network: projects/Bad_Project!/global/networks/vpc, subnetwork: s, podRange: p, serviceRange: q}}", "SETTING-FORM", "network.existing.network", "names the project Bad_Project!", "gcloud compute networks list --uri"),
    ("version of an existing cluster", "llm-d:cluster: {existing: {name: prod, version: '1.35'}}", "SETTING-FORM", "cluster.existing.version", "a whole GKE version", "use the version that gcloud container clusters describe NAME --location LOCATION shows"),
    ("model of Ollama by its host", "llm-d:models: [{id: hf.co/unsloth/Qwen3-4B}]", "SETTING-FORM", "models[0].id", "organization, slash, name", "use unsloth/Qwen3-4B"),
    ("model of Ollama of another size", "llm-d:models: [{id: 'qwen2.5-coder:7b'}]", "SETTING-FORM", "models[0].id", "organization, slash, name", "use my-organization/qwen2.5-coder-7b"),
    ("options in one word", argument("--host 0.0.0.0 --port 8000"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option --host 0.0.0.0 --port 8000", "remove it"),
    ("ports of Docker", argument("-p", "8000:8000"), "ENGINE-OPTION", "models[0].extraArgs[0]", "has no option -p", "remove it"),
    ("volume of Docker", argument("-v", "~/.cache:/root/.cache"), "ENGINE-OPTION", "models[0].extraArgs[0]", "has no option -v", "remove it"),
    ("batch larger than the card", model("maxNumBatchedTokens: 8193000"), "MEMORY-WEIGHTS", "models[0].id", "activations 601", "use maxNumBatchedTokens: "),
    ("folder in a bucket's name", model("source: {kind: bucket, bucket: my-models/qwen, path: x}"), "SETTING-FORM", "models[0].source.bucket", "name of a bucket", "use my-models, and begin path with qwen"),
    ("address with folders as a bucket", model("source: {kind: bucket, bucket: 'gs://my-models/a/b', path: x}"), "SETTING-FORM", "models[0].source.bucket", "without gs://", "use my-models, and begin path with a/b"),
    ("address with a folder and no path", model("source: {kind: bucket, bucket: 'gs://my-models/a'}"), "SETTING-FORM", "models[0].source.bucket", "without gs://", "use my-models, and add path: a"),
    ("token in a misspelled group", f"llm-d:hugginFace: {{token: hf_{'a' * 20}}}", "SETTING-UNKNOWN", "hugginFace", "in plain text", "revoke it, and keep a new one encrypted: pulumi config set --path --secret llm-d:huggingFace.token"),
    ("token under another key", f"llm-d:huggingFaceToken: hf_{'a' * 20}", "SETTING-UNKNOWN", "huggingFaceToken", "in plain text", "revoke it"),
    ("password under another key", "llm-d:gateway: {password: abc}", "SETTING-UNKNOWN", "gateway.password", "the value is in plain text", ""),
    ("object of KServe as a deployment", "llm-d:deployment: InferenceService", "SETTING-CHOICE", "deployment", "direct or kserve", "use kserve"),
    ("address of KServe's storage", model("storageUri: 'gs://my-models/qwen3'"), "SETTING-UNKNOWN", "models[0].storageUri", "no such", "source: {kind: bucket, bucket: my-models, path: qwen3}?"),
    ("replicas of KServe", model("minReplicas: 1"), "SETTING-UNKNOWN", "models[0].minReplicas", "no such", "models[].autoscaling.minimum? Move"),
    ("target of KServe", model("autoscaling: {maximum: 2, concurrency: 4}"), "SETTING-UNKNOWN", "models[0].autoscaling.concurrency", "no such", "autoscaling.target.requestsPerReplica? Move"),
    ("namespace of a controller", "llm-d:deployment: kserve\nllm-d:namespace: {name: kserve}", "NAMESPACE-SYSTEM", "namespace.name", "installs controllers into", "another name"),
    ("host project in a group of its own", "llm-d:network: {sharedVpc: {hostProject: p, network: v}}", "SETTING-UNKNOWN", "network.sharedVpc", "no such", "network.existing.project? Move"),
    ("name of a network in place of its group", "llm-d:network: {vpc: my-vpc}", "SETTING-UNKNOWN", "network.vpc", "no such", "existing: {network: my-vpc, "),
    ("file of a certificate", "llm-d:gateway: {tls: {kind: secret, secret: certs/tls.crt}}", "SETTING-FORM", "gateway.tls.secret", "not a certificate or its file", "kubectl create secret tls my-certificate"),
    ("file of a certificate beside the stack file", "llm-d:gateway: {tls: {kind: secret, secret: tls.pem}}", "SETTING-FORM", "gateway.tls.secret", "not a certificate or its file", "kubectl create secret tls my-certificate"),
    ("references to a Gateway", "llm-d:gateway: {refs: [{name: g}]}", "SETTING-UNKNOWN", "gateway.refs", "its own Gateway", "remove it"),
    ("authority of clients", "llm-d:gateway: {clientCa: ca.pem}", "SETTING-UNKNOWN", "gateway.clientCa", "certificates of clients", "gateway.auth"),
    ("members of IAP", "llm-d:gateway: {auth: {kind: iap, existingSecret: o, clientId: 1-a.apps.googleusercontent.com, members: [me]}}", "SETTING-UNKNOWN", "gateway.auth.members", "IAP-secured Web App User", "roles/iap.httpsResourceAccessor"),
    ("key at the Gateway", "llm-d:gateway: {apiToken: abc}", "SETTING-UNKNOWN", "gateway.apiToken", "encrypted", "llm-d:apiKeys"),
    ("workers of KServe", "llm-d:models: [{id: google/gemma-2b-it, worker: {}}]", "SETTING-UNKNOWN", "models[0].worker", "no such", "pipelineParallel"),
    ("references to presets", "llm-d:models: [{id: google/gemma-2b-it, baseRefs: [x]}]", "SETTING-UNKNOWN", "models[0].baseRefs", "no such", "presets of KServe"),
    ("range of a control plane", "llm-d:network: {masterIpv4Cidr: 172.16.0.0/28}", "SETTING-UNKNOWN", "network.masterIpv4Cidr", "no such", "no range is needed"),
    ("version of TLS in the certificate", "llm-d:gateway: {tls: {kind: secret, secret: s, minVersion: TLSv1.3}}", "SETTING-UNKNOWN", "gateway.tls.minVersion", "no such", "gateway.tlsVersion? Move"),
    ("version of TLS as Google writes it", "llm-d:gateway: {tlsVersion: TLS_1_2}", "SETTING-CHOICE", "gateway.tlsVersion", "not a choice", 'use "1.2"'),
    ("star within a name", "llm-d:gateway: {hostname: 'llm.*.example.com'}", "SETTING-FORM", "gateway.hostname", "a host name", 'use "*.example.com"'),
    ("mail for a host", "llm-d:gateway: {tls: {kind: cert-manager, dnsNames: ['me@example.com']}}", "SETTING-FORM", "gateway.tls.dnsNames[0]", "a DNS name", "use example.com"),
    ("name of the environment", "llm-d:environment: production", "SETTING-UNKNOWN", "environment", "no such", "Pulumi.production.yaml"),
    ("life of a stack", "llm-d:ttl: 8h", "SETTING-UNKNOWN", "ttl", "no such", "review-stack"),
    ("flag for a text", "llm-d:labels: {prod: yes}", "SETTING-TYPE", "labels.prod", "as a flag", 'for example "true"'),
    ("objective at the top", "llm-d:slo: {ttft: 500ms}", "SETTING-UNKNOWN", "slo", "no such", "models[].load"),
    ("address of an image of weights", model("uri: 'oci://ghcr.io/acme/qwen:v1'"), "SETTING-UNKNOWN", "models[0].uri", "no such", "did you mean source"),
    ("users without a kind", "llm-d:gateway: {auth: {users: [a]}}", "SETTING-KIND", "gateway.auth", "which kind", "{kind: api-keys"),
    ("tokens' issuer without a kind", "llm-d:gateway: {auth: {jwksUri: a, audiences: [b]}}", "SETTING-KIND", "gateway.auth", "which kind", "kind: jwt"),
    ("end point of the control plane", "llm-d:cluster: {privateEndpoint: true}", "SETTING-UNKNOWN", "cluster.privateEndpoint", "no such", "cluster.controlPlane.access? Move"),
    ("file that is extended", "llm-d:extends: a.yaml", "SETTING-UNKNOWN", "extends", "no such", "llm-d:base? Move"),
    ("range by Terraform's name", "llm-d:network: {existing: {network: v, subnetwork: s, serviceRange: r, clusterSecondaryRange: p}}", "SETTING-UNKNOWN", "network.existing.clusterSecondaryRange", "no such", "podRange?"),
    ("map of certificates", "llm-d:gateway: {certificateMap: m}", "SETTING-UNKNOWN", "gateway.certificateMap", "no such", "kind: certificate-manager"),
    ("folder above", model("source: {kind: bucket, bucket: my-models, path: ../qwen}"), "SETTING-FORM", "models[0].source.path", "without ..", "use qwen"),
    ("variable for a token", "llm-d:huggingFace: {token: $HF_TOKEN}", "SETTING-PLACEHOLDER", "huggingFace.token", "is a variable", "pulumi config set --path --secret llm-d:huggingFace.token"),
    ("token in place of its group", f"llm-d:huggingFace: hf_{'a' * 20}", "SETTING-TYPE", "huggingFace", "looks like a token", "revoke it"),
    ("token in place of a name", f"llm-d:huggingFace: {{existingSecret: hf_{'A' * 20}}}", "SETTING-FORM", "huggingFace.existingSecret", "looks like a token", "--secret llm-d:huggingFace.token"),
    ("resource name of a secret", "llm-d:huggingFace: {secretManagerSecret: projects/p/secrets/hf/versions/3}", "SETTING-FORM", "huggingFace.secretManagerSecret", "name of a secret", "use hf"),
    ("min above the max by default", "llm-d:accelerator: {type: nvidia-l4, nodes: {min: 2}}", "NODES-MIN-MAX", "accelerator.nodes", "max is 1 by default", "raise max to 2"),
    ("one part of a pull secret", "llm-d:registry: {server: ghcr.io}", "REGISTRY-PARTS", "registry", "username and password are missing", "set all three"),
    ("certificate as a flag", "llm-d:gateway: {tls: true}", "SETTING-TYPE", "gateway.tls", "kind", "set gateway.hostname"),
    ("size of nodes in another word", "llm-d:cidr: 10.0.0.0/20", "SETTING-UNKNOWN", "cidr", "no such setting", "network.nodeCidr"),
    ("domain", "llm-d:domain: llm.example.com", "SETTING-UNKNOWN", "domain", "no such setting", "gateway.hostname"),
    ("key of a model at the top, as vLLM has it", "llm-d:tensorParallelSize: 2", "SETTING-UNKNOWN", "tensorParallelSize", "no such", "models[].tensorParallel? Move"),
    ("key of a model at the top, without parts of others", "llm-d:replicas: 2", "SETTING-UNKNOWN", "replicas", "no such", "mean llm-d:models[].replicas or llm-d:picker.replicas or llm-d:router.replicas?"),
    ("option and former value as one text", argument("--limit-mm-per-prompt image=4,video=1"), "ENGINE-OPTION", "models[0].extraArgs[0]", "has no option", """takes JSON: use '{"image": 4, "video": 1}'"""),
    ("former value of pairs", argument("--limit-mm-per-prompt=image=4"), "ENGINE-VALUE", "models[0].extraArgs[0]", "takes JSON", """use '{"image": 4}'"""),
    ("option without dashes, with its value", argument("max-num-seqs=4"), "ENGINE-VALUE", "models[0].extraArgs[0]", "behind no option", "write --max-num-seqs=4"),
    ("addresses for nodes, and none for the Gateway", "llm-d:network: {nodeCidr: 10.0.0.0/29}\nllm-d:accelerator: {type: nvidia-l4, nodes: {max: 1}}", "CIDR-NODES", "network.nodeCidr", "1 internal load balancer", "/28 or larger"),
    ("link-local addresses for Services", "llm-d:network: {serviceCidr: 169.254.0.0/20}", "CIDR-PRIVATE", "network.serviceCidr", "not a private range", "10.0.0.0/8"),
    ("keys as a list of clients", "llm-d:apiKeys: [search, chat]", "SETTING-TYPE", "apiKeys", "keys with a value each", "--secret llm-d:apiKeys.my-team"),
    ("address of a bucket as a folder", model("source: {kind: bucket, bucket: my-models, path: 'gs://my-models/qwen'}"), "SETTING-FORM", "models[0].source.path", "must be a folder", "use qwen"),
    ("base of an adapter", model("adapters: [{name: a, source: acme/a, base: Qwen/Qwen3-4B}]"), "SETTING-UNKNOWN", "models[0].adapters[0].base", "lists an adapter", "remove it"),
    ("CUDA without a second number", model("image: 'acme/vllm:v1', imageFacts: {cuda: '13'}"), "SETTING-FORM", "models[0].imageFacts.cuda", "two numbers", 'use "13.0"'),
    ("euros", "llm-d:budget: {maxMonthlyUsd: \u20ac2000}", "SETTING-TYPE", "budget.maxMonthlyUsd", "at most 100000000", "use 2000"),
    ("registry in place of its group", "llm-d:registry: ghcr.io", "SETTING-TYPE", "registry", "group of settings", "use {mirrors"),
    ("capitals", "llm-d:location: US-EAST4-A", "SETTING-FORM", "location", "in lower case", "use us-east4-a"),
    ("accelerator", "llm-d:accelerator: {type: nvidia-L4}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean nvidia-l4?"),
    ("short accelerator", "llm-d:accelerator: {type: h100}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean nvidia-h100"),
    ("type of gcloud", "llm-d:accelerator: {type: v5litepod-8}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean tpu-v5e?"),
    ("label of GKE", "llm-d:accelerator: {type: tpu7x}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean tpu-v7x?"),
    ("reserved", "llm-d:accelerator: {provisioning: reservation}", "SETTING-CHOICE", "accelerator.provisioning", "it takes on-demand", "set accelerator.reservation"),
    ("reservation with a blank", "llm-d:accelerator: {reservation: my res}", "SETTING-FORM", "accelerator.reservation", "name of a reservation", "use my-res"),
    ("weights of no kind", model("source: {pvc: weights}"), "SETTING-KIND", "models[0].source", "which kind", "kind: volume-claim"),
    ("address of weights", model("source: {uri: gs://my-bucket/qwen}"), "SETTING-KIND", "models[0].source", "which kind", "bucket: my-bucket, path: qwen"),
    ("machine type", "llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-5}", "MACHINE-TYPE", "accelerator.machineType", "does not sell", "mean g2-standard-4?"),
    ("another machine", f"{TPU_PLACE}{TPU % '2x2'}".replace("tpu-v6e", "tpu-v5e"), "MACHINE-TYPE", "accelerator.machineType", "does not sell", "ct5lp"),
    ("min above max", "llm-d:accelerator: {type: nvidia-l4, nodes: {min: 4, max: 2}}", "NODES-MIN-MAX", "accelerator.nodes", "min is 4", "raise max to 4"),
    ("one number of nodes", "llm-d:accelerator: {type: nvidia-l4, nodes: 3}", "SETTING-TYPE", "accelerator.nodes", "min, max", "max: 3}"),
    ("minNodes", "llm-d:accelerator: {type: nvidia-l4, minNodes: 1}", "SETTING-UNKNOWN", "accelerator.minNodes", "no such", "nodes.min"),
    ("more than the budget", "llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-12, nodes: {min: 0, max: 300}}\nllm-d:budget: {maxMonthlyUsd: 900}\nllm-d:location: us-central1-a\nllm-d:network: {podCidr: 10.16.0.0/12}", "BUDGET", "budget.maxMonthlyUsd", "at its largest", "lower accelerator.nodes.max or cpuPool.nodes.max, and use a cheaper machine"),
    ("budget below one node", "llm-d:location: us-central1-a\nllm-d:accelerator: {type: nvidia-l4, nodes: {max: 1}}\nllm-d:budget: {maxMonthlyUsd: 100}", "BUDGET", "budget.maxMonthlyUsd", "at its largest", "use a cheaper machine"),
    ("tokens of several models", "llm-d:location: us-central1-a\nllm-d:pattern: multi-model\nllm-d:accelerator: {type: nvidia-l4, nodes: {max: 2}}\nllm-d:models: [{id: Qwen/Qwen3-8B, maxModelLen: 4096}, {id: Qwen/Qwen3-4B, maxModelLen: 4096}]\nllm-d:gateway: {implementation: istio, tls: {kind: cert-manager}, hostname: a.example.com, auth: {kind: jwt, issuer: 'https://a.example.com', jwksUri: 'https://a.example.com/k', audiences: [x]}}", "PATTERN-GATEWAY", "gateway.implementation", "only Google", "one stack for each model: gateway.auth needs Istio"),
    ("tokens behind Google's load balancer", "llm-d:location: us-central1-a\nllm-d:pattern: multi-model\nllm-d:accelerator: {type: nvidia-l4, nodes: {max: 2}}\nllm-d:models: [{id: Qwen/Qwen3-8B, maxModelLen: 4096}, {id: Qwen/Qwen3-4B, maxModelLen: 4096}]\nllm-d:gateway: {backendTls: {kind: cert-manager}}", "BACKEND-TLS-GKE", "gateway.backendTls.kind", "use HTTP", "implementation: istio with one model"),
    ("part of a card", "llm-d:location: us-central1-a\nllm-d:accelerator: {type: nvidia-rtx-pro-6000, nodes: {max: 1}}\nllm-d:models: [{id: Qwen/Qwen3-8B, maxModelLen: 4096}]", "MEMORY-WEIGHTS", "models[0].id", "needs more", "machineType: g4-standard-12,"),
    ("cache larger than a small card", "llm-d:location: us-central1-a\nllm-d:accelerator: {type: nvidia-tesla-t4, nodes: {max: 1}}\nllm-d:models: [{id: Qwen/Qwen2.5-1.5B-Instruct, maxModelLen: 4096, adapters: [{name: a, source: o/a}, {name: b, source: o/b, rank: 32}]}]", "MEMORY-WARM-UP", "models[0].gpuMemoryUtilization", "GiB more than each T4 has", "gpuMemoryUtilization: 0.84"),
    ("model in another case", "llm-d:models: [{id: qwen/qwen3-4b, maxModelLen: 4096}]", "MODEL-CASE", "models[0].id", "spells", "Qwen/Qwen3-4B"),
    ("model without organization", "llm-d:models: [{id: Qwen3-4B}]", "MODEL-ORGANIZATION", "models[0].id", "organization", "Qwen/Qwen3-4B?"),
    ("misspelled model", "llm-d:models: [{id: Qwen/Qwen3-4BB}]", "MODEL-UNKNOWN", "models[0].id", "not in the catalog", "Qwen/Qwen3-4B?"),
    ("no models", "llm-d:models: null", "SETTING-MISSING", "models", "required", "id: "),
    ("model without id", "llm-d:models: [{maxModelLen: 4096}]", "SETTING-MISSING", "models[0].id", "required", "id: Qwen/Qwen3-8B"),
    ("empty models", "llm-d:models: []", "SETTING-MISSING", "models", "required", "id: "),
    ("models by name", "llm-d:models: [Qwen/Qwen3-4B]", "SETTING-TYPE", "models[0]", "a group of settings", "{id: Qwen/Qwen3-4B}"),
    ("misspelled namespace", "llmd:location: us-east4-b", "SETTING-UNKNOWN", "llmd:location", "prefix llm-d:", "llm-d:location?"),
    ("underscore in it", "llm_d:paused: true", "SETTING-UNKNOWN", "llm_d:paused", "prefix llm-d:", "llm-d:paused?"),
    ("replicas at the top", "llm-d:replicas: 2", "SETTING-UNKNOWN", "replicas", "no such", "models[].replicas"),
    ("nodes in a model", model("nodes: 2"), "SETTING-UNKNOWN", "models[0].nodes", "no such", "accelerator.nodes"),
    ("overlap", "llm-d:network: {nodeCidr: 10.4.0.0/20}", "CIDR-OVERLAP", "network.nodeCidr", "overlaps", "use 10.0.0.0/20, or another range"),
    ("overlap with a default", "llm-d:network: {podCidr: 10.0.0.0/14}", "CIDR-OVERLAP", "network.podCidr", "overlaps nodeCidr = 10.0.0.0/20", "use 10.4.0.0/14, or another range"),
    ("two ranges that overlap, and the place of the default taken", "llm-d:network: {nodeCidr: 10.4.0.0/20, podCidr: 10.4.0.0/20, serviceCidr: 10.0.0.0/20}", "CIDR-OVERLAP", "network.nodeCidr", "overlaps podCidr = 10.4.0.0/20", "use 10.4.16.0/20, or another range"),
    ("ranges without room", "llm-d:network: {nodeCidr: 10.0.0.0/8, podCidr: 10.0.0.0/8, serviceCidr: 10.1.0.0/20}", "CIDR-OVERLAP", "network.podCidr", "overlaps serviceCidr = 10.1.0.0/20", ""),
    ("rule of no name", "llm-d:acknowledge: [{id: FOO, reason: x}]", "SETTING-FORM", "acknowledge[0].id", "id of a rule", "copy the id from the warning"),
    ("rule in lower case", "llm-d:acknowledge: [{id: gateway-open, reason: x}]", "SETTING-FORM", "acknowledge[0].id", "id of a rule", "use LLMD-GATEWAY-OPEN"),
    ("client without an id", "llm-d:gateway: {auth: {kind: iap, existingSecret: oauth}}", "SETTING-MISSING", "gateway.auth.clientId", "required", "clientId: 123456789-abc.apps.googleusercontent.com"),
    ("host bits", "llm-d:network: {nodeCidr: 10.0.0.9/20}", "SETTING-TYPE", "network.nodeCidr", "IPv4 range", "use 10.0.0.0/20"),
    ("Docker's range", "llm-d:network: {nodeCidr: 172.17.16.0/20}", "CIDR-DOCKER", "network.nodeCidr", "Docker", "outside"),
    ("no mask", "llm-d:network: {proxyCidr: 10.20.0.0}", "CIDR-SMALL", "network.proxyCidr", "too small", "/23"),
    ("plain token", "llm-d:huggingFace: {token: hf_plain}", "SECRET-PLAIN", "huggingFace.token", "plain text", "--secret"),
    ("no kind", "llm-d:gateway: {tls: {secret: x}}", "SETTING-KIND", "gateway.tls", "which kind", "kind: secret"),
    ("wrong kind", "llm-d:gateway: {tls: {kind: certmanager}}", "SETTING-CHOICE", "gateway.tls", "not a choice", "kind: cert-manager"),
    ("label's key", "llm-d:labels: {Team: ml}", "SETTING-FORM", "labels.Team", "the key", "name it team"),
    ("label's value", "llm-d:labels: {team: ML Team}", "SETTING-FORM", "labels.team", "lower-case", "use ml-team"),
    ("topology as number", f"{TPU_PLACE}{TPU % 4}", "SETTING-TYPE", "accelerator.topology", "joined by x", "use 2x2"),
    ("topology of another", f"{TPU_PLACE}{TPU % '2x2x1'}", "TOPOLOGY", "accelerator.topology", "this topology", "2x2"),
    ("topology that is none", f"{TPU_PLACE}{TPU % '2x3'}", "TOPOLOGY", "accelerator.topology", "this topology", "2x4"),
    ("three of four chips", f"{TPU_PLACE}{TPU % '2x2'}\n{model('tensorParallel: 3')}", "TP-TPU-CHIPS", "models[0].tensorParallel", "chips", "use 4"),
    ("two of one GPU", model("tensorParallel: 2"), "TP-ACROSS-NODES", "models[0].tensorParallel", "1 L4", "machineType"),
    ("type's other name", model("dtype: fp16"), "SETTING-CHOICE", "models[0].dtype", "auto, half", "use half"),
    ("type in capitals", model("dtype: BF16"), "SETTING-CHOICE", "models[0].dtype", "auto, half", "use bfloat16"),
    ("arguments not meant", model("extraArgs: [--seed=1]"), "EXTRA-ARGS-ALLOWED", "models[0].extraArgs", "explicit opt-in", "allowExtraArgs: true"),
    ("arguments as text", model("extraArgs: --seed 1"), "SETTING-TYPE", "models[0].extraArgs", "a list", '[--seed, "1"], with allowExtraArgs: true beside extraArgs'),
    ("no tag", model("image: vllm/vllm-openai"), "IMAGE-TAG", "models[0].image", "neither tag nor digest", "vllm/vllm-openai:"),
    ("name with a blank", model("servedName: my model"), "SETTING-FORM", "models[0].servedName", "without blanks", "use my-model"),
    ("release", "llm-d:release: llm-d-0.8", "RELEASE-UNKNOWN", "release", "no release", "llm-d-0.9"),
    ("version as number", "llm-d:cluster: {version: 1.33}", "SETTING-TYPE", "cluster.version", "in quotes", '"1.33"'),
    ("cluster by name", "llm-d:cluster: {existing: my-cluster}", "SETTING-TYPE", "cluster.existing", "name, version", "{name: my-cluster"),
    ("no ranges", "llm-d:cluster: {controlPlane: {access: authorized-networks}}", "AUTHORIZED-NETWORKS-EMPTY", "cluster.controlPlane.authorizedNetworks", "reach", "dns-endpoint"),
    ("access", "llm-d:cluster: {controlPlane: {access: private}}", "SETTING-CHOICE", "cluster.controlPlane.access", "dns-endpoint", "use dns-endpoint"),
    ("pattern", "llm-d:pattern: prefix_cache", "SETTING-CHOICE", "pattern", "single-replica", "use prefix-cache"),
    ("one replica", "llm-d:pattern: prefix-cache", "PATTERN-PREFIX-REPLICAS", "models[0].replicas", "one replica", "2 or more"),
    ("project number", "llm-d:project: 987654321098", "PROJECT-FORM", "project", "project number", "gcloud projects describe"),
    ("project's name", "llm-d:project: My Project", "PROJECT-FORM", "project", "lower-case", "gcloud projects list"),
    ("no project", "llm-d:project: null", "PROJECT-MISSING", "project", "project", "pulumi config set"),
    ("cluster without network", "llm-d:cluster: {existing: {name: c, version: 1.35.2-gke.1842000}}", "NETWORK-OF-CLUSTER", "network.existing", "network", "network"),
    ("network without NAT", "llm-d:network: {existing: {network: n, subnetwork: s, podRange: p, serviceRange: q}}", "NETWORK-NAT", "network.existing.nat", "NAT", "nat"),
    ("TLS", "llm-d:gateway: {exposure: external, hostname: llm.example.com}", "TLS-NONE", "gateway.tls.kind", "unencrypted", "certificate"),
    ("host name without TLS", "llm-d:gateway: {hostname: llm.example.com}", "TLS-NONE", "gateway.tls.kind", "plain HTTP", "certificate"),
    ("IAP", "llm-d:gateway: {iap: true}", "SETTING-UNKNOWN", "gateway.iap", "no such", "gateway.auth"),
    ("autoscaling", "llm-d:autoscaling: {max: 3}", "SETTING-UNKNOWN", "autoscaling", "no such", "models[].autoscaling"),
    ("limits of replicas", model("autoscaling: {min: 1, maximum: 2}"), "SETTING-UNKNOWN", "models[0].autoscaling.min", "no such", "mean minimum?"),
    ("queue of a replica", model("autoscaling: {maximum: 2, target: {queue: 4}}"), "SETTING-UNKNOWN", "models[0].autoscaling.target.queue", "no such", "mean queuePerReplica?"),
    ("repository under model", "llm-d:models: [{model: Qwen/Qwen3-4B}]", "SETTING-UNKNOWN", "models[0].model", "no such", "mean id?"),
    ("count of GPUs", "llm-d:accelerator: {type: nvidia-tesla-t4, count: 2}", "SETTING-UNKNOWN", "accelerator.count", "no such", "mean perNode?"),
    ("count of GPUs that are built in", "llm-d:accelerator: {type: nvidia-l4, count: 2}", "SETTING-UNKNOWN", "accelerator.count", "no such", "use machineType: g2-standard-24, which has 2"),
    ("gpus that are built in", "llm-d:accelerator: {type: nvidia-l4, gpus: 4}", "SETTING-UNKNOWN", "accelerator.gpus", "no such", "use machineType: g2-standard-48, which has 4"),
    ("GPUs of another machine type", "llm-d:accelerator: {type: nvidia-l4, perNode: 2, nodes: {max: 4}}", "PER-NODE", "accelerator.perNode", "takes 1 L4", "use machineType: g2-standard-24 without perNode"),
    ("a size that no machine helps", "llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-24, nodes: {max: 4}}\n" + model("tensorParallel: 3"), "TP-ACROSS-NODES", "models[0].tensorParallel", "2 L4", "use 2 or fewer, or accelerator.machineType: g2-standard-48 with tensorParallel: 4"),
    ("a size with stages", "llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-24, nodes: {max: 4}}\n" + model("tensorParallel: 4"), "TP-ACROSS-NODES", "models[0].tensorParallel", "2 L4", "use 2 or fewer, or accelerator.machineType: g2-standard-48, or tensorParallel: 2 with pipelineParallel: 2"),
    ("an accelerator of one model", model("accelerator: nvidia-l4"), "SETTING-UNKNOWN", "models[0].accelerator", "no such", "make two stacks"),
    ("several accelerators", "llm-d:accelerators: [{type: nvidia-l4}]", "SETTING-UNKNOWN", "accelerators", "no such", "make two stacks"),
    ("a list of accelerators", "llm-d:accelerator: [{type: nvidia-l4}, {type: nvidia-tesla-t4}]", "SETTING-TYPE", "accelerator", "a group", "make two stacks"),
    ("two types of accelerators", "llm-d:accelerator: {type: [nvidia-l4, nvidia-tesla-t4]}", "SETTING-TYPE", "accelerator.type", "text", "make two stacks"),
    ("num_gpus", "llm-d:accelerator: {type: nvidia-l4, num_gpus: 1}", "SETTING-UNKNOWN", "accelerator.num_gpus", "no such", "use machineType: g2-standard-4, which has 1"),
    ("a load as size takes it", model('load: 20/s 2000+300'), "SETTING-TYPE", "models[0].load", "must be a group", "use {requestsPerSecond: 20, promptTokens: 2000, outputTokens: 300}"),
    ("a load in flight as size takes it", model('load: 16 2000+300'), "SETTING-TYPE", "models[0].load", "must be a group", "use {concurrency: 16, promptTokens: 2000, outputTokens: 300}"),
    ("autoscaling as a number", model("autoscaling: 4"), "SETTING-TYPE", "models[0].autoscaling", "must be a group", "use {maximum: 4}"),
    ("autoscaling as a range", model("autoscaling: 1-3"), "SETTING-TYPE", "models[0].autoscaling", "must be a group", "use {minimum: 1, maximum: 3}"),
    ("requests per second", model("load: {rps: 2}"), "SETTING-UNKNOWN", "models[0].load.rps", "no such", "mean requestsPerSecond?"),
    ("time to first token", model("load: {ttft: 200}"), "SETTING-UNKNOWN", "models[0].load.ttft", "no such", "mean timeToFirstTokenMs?"),
    ("host", "llm-d:gateway: {host: llm.example.com}", "SETTING-UNKNOWN", "gateway.host", "no such", "mean hostname?"),
    ("token by its variable", "llm-d:HF_TOKEN: abc", "SETTING-UNKNOWN", "HF_TOKEN", "no such", "huggingFace.token?"),
    ("parser of tools", model("toolParser: hermes"), "SETTING-UNKNOWN", "models[0].toolParser", "no such", "mean toolCallParser?"),
    ("vLLM's speculative config", model("speculative_config: {method: ngram}"), "SETTING-UNKNOWN", "models[0].speculative_config", "no such", "mean speculativeDecoding?"),
    ("autopilot", "llm-d:cluster: {autopilot: true}", "SETTING-UNKNOWN", "cluster.autopilot", "no such", "cluster.mode: autopilot"),
    ("preemptible", "llm-d:accelerator: {type: nvidia-l4, provisioning: preemptible}", "SETTING-CHOICE", "accelerator.provisioning", "spot", "use spot"),
    ("P/D", "llm-d:pattern: p/d", "SETTING-CHOICE", "pattern", "disaggregated", "use disaggregated"),
    ("another installer", "llm-d:deployment: helm", "SETTING-CHOICE", "deployment", "direct or kserve", "use direct"),
    ("key of another kind", "llm-d:gateway: {tls: {kind: certificate-manager, certificates: [a], dnsNames: [a.example.com]}}", "SETTING-UNKNOWN", "gateway.tls.dnsNames", "with kind: certificate-manager", "remove it, or use kind: cert-manager, which has dnsNames"),
    ("public", "llm-d:gateway: {exposure: public}", "SETTING-CHOICE", "gateway.exposure", "external or internal", "use external"),
    ("certificate by Let's Encrypt", "llm-d:gateway: {tls: {kind: letsencrypt}}", "SETTING-CHOICE", "gateway.tls", "cert-manager", "use kind: cert-manager"),
    ("kind of bucket", model("source: {kind: gcs, bucket: acme-models, path: a}"), "SETTING-CHOICE", "models[0].source", "bucket", "use kind: bucket"),
    ("adapter in a bucket with a short name", model("adapters: [{name: a, source: 'gs://b/c'}]"), "SETTING-FORM", "models[0].adapters[0].source", "3 to 63 lower-case letters", "gs://my-bucket/c"),
    ("adapter in a bucket in capitals", model("adapters: [{name: a, source: 'gs://My_Models/a/b'}]"), "SETTING-FORM", "models[0].adapters[0].source", "lower-case letters", "use gs://my_models/a/b"),
    ("adapter at an address of HTTP", model("adapters: [{name: a, source: 'https://storage.googleapis.com/my-models/a'}]"), "SETTING-FORM", "models[0].adapters[0].source", "folder of a bucket", "use gs://my-models/a"),
    ("adapter at the console's address", model("adapters: [{name: a, source: 'https://console.cloud.google.com/storage/browser/my-models/a'}]"), "SETTING-FORM", "models[0].adapters[0].source", "folder of a bucket", "use gs://my-models/a"),
    ("adapter at the bucket's own host", model("adapters: [{name: a, source: 'https://my-models.storage.googleapis.com/a'}]"), "SETTING-FORM", "models[0].adapters[0].source", "folder of a bucket", "use gs://my-models/a"),
    ("adapter that is a whole bucket", model("adapters: [{name: a, source: 'gs://my-models'}]"), "SETTING-FORM", "models[0].adapters[0].source", "folder of a bucket", "use gs://my-models/my-folder"),
    ("adapter image without a tag", model("adapters: [{name: a, source: 'oci://r.example.com/a/b'}]"), "SETTING-FORM", "models[0].adapters[0].source", "with tag or digest", "use oci://r.example.com/a/b:v1"),
    ("adapter from elsewhere", model("adapters: [{name: a, source: 's3://x/y'}]"), "SETTING-FORM", "models[0].adapters[0].source", "a Hugging Face repository", "use gs://my-bucket/y"),
    ("bucket with a short name", model("source: {kind: bucket, bucket: b, path: a}"), "SETTING-FORM", "models[0].source.bucket", "3 to 63 lower-case letters", "use my-models"),
    ("rank between", model("adapters: [{name: a, source: b/c, rank: 12}]"), "SETTING-CHOICE", "models[0].adapters[0].rank", "8, 16", "use 16"),
    ("auto", model("maxNumSeqs: auto"), "SETTING-TYPE", "models[0].maxNumSeqs", "whole number", "remove maxNumSeqs"),
    ("nothing", model("replicas: null"), "SETTING-TYPE", "models[0].replicas", "whole number", "remove replicas"),
    ("number in words", model("replicas: two"), "SETTING-TYPE", "models[0].replicas", "whole number", "use 2"),
    ("flag for a number", model("replicas: true"), "SETTING-TYPE", "models[0].replicas", "as a flag", "use 1"),
    ("dollars", "llm-d:budget: {maxMonthlyUsd: $5000}", "SETTING-TYPE", "budget.maxMonthlyUsd", "a number above 0", "use 5000"),
    ("nodes from to", "llm-d:accelerator: {type: nvidia-l4, nodes: 0-3}", "SETTING-TYPE", "accelerator.nodes", "min, max", "{min: 0, max: 3}"),
    ("nodes as a list", "llm-d:accelerator: {type: nvidia-l4, nodes: [0, 3]}", "SETTING-TYPE", "accelerator.nodes", "min, max", "{min: 0, max: 3}"),
    ("address of a bucket", model("source: gs://acme-models/qwen"), "SETTING-TYPE", "models[0].source", "kind", "{kind: bucket, bucket: acme-models, path: qwen}"),
    ("rate as text", model("load: 20/s"), "SETTING-TYPE", "models[0].load", "requestsPerSecond", "{requestsPerSecond: 20}"),
    ("variables as Kubernetes has them", model("allowExtraArgs: true, env: [{name: A, value: b}]"), "SETTING-TYPE", "models[0].env", "keys with a value", "{A: b}"),
    ("variable with a dash", model("allowExtraArgs: true, env: {MY-VAR: b}"), "SETTING-FORM", "models[0].env.MY-VAR", "underscores", "name it MY_VAR"),
    ("labels as a list", "llm-d:labels: [team=ml]", "SETTING-TYPE", "labels", "keys with a value", "{team: ml}"),
    ("region with a dash too many", "llm-d:location: europe-west-4", "SETTING-FORM", "location", "zone or a region", "use europe-west4"),
    ("address for a host name", "llm-d:gateway: {hostname: https://llm.example.com/v1}", "SETTING-FORM", "gateway.hostname", "without https", "use llm.example.com"),
    ("release with v", "llm-d:release: v0.9", "RELEASE-UNKNOWN", "release", "no release", "mean llm-d-0.9?"),
    ("offload with a unit", model("kvOffloadGib: 32Gi"), "SETTING-TYPE", "models[0].kvOffloadGib", "whole number", "use 32"),
    ("method alone", model("speculativeDecoding: ngram"), "SETTING-TYPE", "models[0].speculativeDecoding", "method, tokens", "{method: ngram, tokens: 1}"),
    ("parser as a list", model("toolCallParser: [hermes]"), "SETTING-TYPE", "models[0].toolCallParser", "name of a parser", "use "),
    ("another GPU", "llm-d:accelerator: {type: nvidia-tesla-v100}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "use one of nvidia"),
    ("A100 as clouds name it", "llm-d:accelerator: {type: nvidia-a100-40gb}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean nvidia-tesla-a100?"),
    ("a digit too many", "llm-d:accelerator: {type: nvidia-l44}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "mean nvidia-l4?"),
    ("misspelled region", "llm-d:location: us-esat4-a", "ZONE-OFFERS", "location", "not offered", "did you mean us-east4-a?"),
    ("nodes in quotes", 'llm-d:accelerator: {type: nvidia-l4, nodes: "3"}', "SETTING-TYPE", "accelerator.nodes", "min, max", "{max: 3}"),
    ("node count", "llm-d:accelerator: {type: nvidia-l4, nodeCount: 3}", "SETTING-UNKNOWN", "accelerator.nodeCount", "no such", "mean nodes?"),
    ("reservation by its link", "llm-d:accelerator: {type: nvidia-l4, reservation: projects/x/zones/y/reservations/z}", "SETTING-FORM", "accelerator.reservation", "name of a reservation", "use z"),
    ("fallback by name", "llm-d:accelerator: {type: nvidia-l4, computeClass: {fallbacks: [g2-standard-8]}}", "SETTING-TYPE", "accelerator.computeClass.fallbacks[0]", "machineType", "{machineType: g2-standard-8}"),
    ("topology of a larger machine", "llm-d:location: us-east5-b\nllm-d:accelerator: {type: tpu-v6e, machineType: ct6e-standard-1t, topology: 4x4}", "TOPOLOGY", "accelerator.topology", "this topology", "use machineType: ct6e-standard-4t"),
    ("model with a scheme", "llm-d:models: [{id: 'hf://Qwen/Qwen3-4B'}]", "SETTING-FORM", "models[0].id", "Hugging Face repository", "use Qwen/Qwen3-4B"),
    ("model as Ollama names it", "llm-d:models: [{id: 'qwen3:4b'}]", "SETTING-FORM", "models[0].id", "Hugging Face repository", "use Qwen/Qwen3-4B"),
    ("models by key", "llm-d:models: {qwen: {id: Qwen/Qwen3-4B}}", "SETTING-TYPE", "models", "a list", "[{id: Qwen/Qwen3-4B}]"),
    ("models as text", "llm-d:models: |\n  - id: Qwen/Qwen3-4B", "SETTING-TYPE", "models", "as one text", "[{id: Qwen/Qwen3-4B}]"),
    ("length by an exponent", model("maxModelLen: 8e3").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 8000"),
    ("length of -1", model("maxModelLen: -1").replace("maxModelLen: 4096, ", ""), "SETTING-RANGE", "models[0].maxModelLen", "whole number", "remove maxModelLen"),
    ("a flag for an optional number", model("kvOffloadGib: false"), "SETTING-RANGE", "models[0].kvOffloadGib", "whole number", "remove kvOffloadGib"),
    ("type of quantization", model("dtype: fp8"), "SETTING-CHOICE", "models[0].dtype", "auto, half", "quantization: fp8"),
    ("no quantization", model("quantization: none"), "SETTING-CHOICE", "models[0].quantization", "awq", "remove it"),
    ("NVFP4 as a method", model("quantization: nvfp4"), "SETTING-CHOICE", "models[0].quantization", "modelopt_fp4", "remove it: a checkpoint that is quantized so says it itself"),
    ("integers as a method", model("quantization: int8"), "SETTING-CHOICE", "models[0].quantization", "compressed-tensors", "fp8 or bitsandbytes quantizes other weights"),
    ("accelerator without its memory", "llm-d:accelerator: {type: nvidia-h200}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator of this name", "did you mean nvidia-h200-141gb?"),
    ("one model as text", "llm-d:model: Qwen/Qwen3-4B", "SETTING-UNKNOWN", "model", "no such setting", "did you mean llm-d:models: [{id: Qwen/Qwen3-4B}]?"),
    ("one model as a group", "llm-d:model: {id: Qwen/Qwen3-4B, replicas: 2}", "SETTING-UNKNOWN", "model", "no such setting", "llm-d:models: [{id: Qwen/Qwen3-4B, replicas: 2}]?"),
    ("accelerator as text under another name", "llm-d:tpu: tpu-v6e", "SETTING-UNKNOWN", "tpu", "no such setting", "llm-d:accelerator: {type: tpu-v6e}?"),
    ("topology with a dimension too many", "llm-d:accelerator: {type: tpu-v5e, topology: 2x2x2}", "TOPOLOGY", "accelerator.topology", "TPU slices of TPU v5e", "did you mean 2x4? All of them: 1x1, 2x2, 2x4"),
    ("topology that no machine has", "llm-d:accelerator: {type: tpu-v6e, machineType: ct6e-standard-4t, topology: 2x2x1}", "TOPOLOGY", "accelerator.topology", "ct6e-standard-4t", "did you mean 2x2?"),
    ("a method that vLLM alone has", model("speculativeDecoding: {method: mlp_speculator, tokens: 8}"), "SETTING-CHOICE", "models[0].speculativeDecoding.method", "ngram", "--speculative-config"),
    ("type of the cache", model("kvCacheDtype: fp16"), "SETTING-CHOICE", "models[0].kvCacheDtype", "fp8", "use auto"),
    ("block size in quotes", model('blockSize: "16"'), "SETTING-QUOTED", "models[0].blockSize", "at least 8", "write blockSize: 16"),
    ("parser as a flag", model("toolCallParser: true"), "SETTING-TYPE", "models[0].toolCallParser", "as a flag", "use hermes"),
    ("template itself", model('chatTemplate: "{{ messages }}"'), "CHAT-TEMPLATE", "models[0].chatTemplate", "the path of a file", "templates/chat.jinja"),
    ("address of a configuration", model("config: 'https://huggingface.co/Qwen/Qwen3-4B/raw/main/config.json'"), "CONFIG-UNREADABLE", "models[0].config", "addresses are not read", "use hub"),
    ("weights in S3", model("source: {kind: s3, bucket: b, path: c}"), "SETTING-CHOICE", "models[0].source", "bucket", "copy the weights into a Cloud Storage bucket"),
    ("folder above", model("source: {kind: bucket, bucket: my-models, path: ../a}"), "SETTING-FORM", "models[0].source.path", "without ..", "use "),
    ("claim by name", model("source: {kind: volume-claim, name: weights, path: a}"), "SETTING-UNKNOWN", "models[0].source.name", "no such", "mean claim?"),
    ("adapter by its repository", model("adapters: acme/lora"), "SETTING-TYPE", "models[0].adapters", "a list", "[{name: lora, source: acme/lora}]"),
    ("adapter by id", model("adapters: [{id: acme/lora, name: a}]"), "SETTING-UNKNOWN", "models[0].adapters[0].id", "no such", "mean source?"),
    ("arguments as a map", model("allowExtraArgs: true, extraArgs: {seed: 1}"), "SETTING-TYPE", "models[0].extraArgs", "a list", '[--seed, "1"]'),
    ("argument and value as one", model("allowExtraArgs: true, extraArgs: ['--seed 1']"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", '[--seed, "1"]'),
    ("argument of older versions", argument("--disable-log-requests"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "remove it"),
    ("misspelled variable", model("allowExtraArgs: true, env: {VLLM_LOGGING_LEVL: INFO}"), "ENV-UNKNOWN", "models[0].env.VLLM_LOGGING_LEVL", "ignores it", "mean VLLM_LOGGING_LEVEL?"),
    ("switch that takes 0 or 1", model("allowExtraArgs: true, env: {VLLM_BATCH_INVARIANT: 'true'}"), "ENV-TYPE", "models[0].env.VLLM_BATCH_INVARIANT", "takes 0 or 1", "use 1"),
    ("switch that reads 1 as off", model("allowExtraArgs: true, env: {VLLM_USE_MODELSCOPE: '1'}"), "ENV-TYPE", "models[0].env.VLLM_USE_MODELSCOPE", "takes true or false", "use true"),
    ("target as a number", model("autoscaling: {maximum: 2, target: 10}"), "SETTING-TYPE", "models[0].autoscaling.target", "requestsPerReplica", "{requestsPerReplica: 10}"),
    ("target of processors", model("autoscaling: {maximum: 2, target: {cpu: 80}}"), "SETTING-UNKNOWN", "models[0].autoscaling.target.cpu", "no such", "requestsPerReplica"),
    ("load below zero", model("load: {requestsPerSecond: -3}"), "SETTING-RANGE", "models[0].load.requestsPerSecond", "above 0", "use 1"),
    ("TLS as a flag", "llm-d:gateway: {tls: true}", "SETTING-TYPE", "gateway.tls", "kind", "{kind: cert-manager}"),
    ("authentication as a flag", "llm-d:gateway: {auth: true}", "SETTING-TYPE", "gateway.auth", "kind", "{kind: api-keys}"),
    ("kind of authentication as a word", "llm-d:gateway: {auth: api-key}", "SETTING-TYPE", "gateway.auth", "kind", "use {kind: api-keys}"),
    ("unknown authentication", "llm-d:gateway: {auth: basic}", "SETTING-TYPE", "gateway.auth", "kind", "use {kind: api-keys}"),
    ("OpenID Connect", "llm-d:gateway: {auth: {kind: oidc}}", "SETTING-CHOICE", "gateway.auth", "jwt", "use kind: jwt"),
    ("host name with a port", "llm-d:gateway: {hostname: 'llm.example.com:443'}", "SETTING-FORM", "gateway.hostname", "host name", "use llm.example.com"),
    ("address for a name", "llm-d:gateway: {hostname: 10.0.0.5}", "SETTING-FORM", "gateway.hostname", "host name", "use llm.example.com"),
    ("an address that is reserved", "llm-d:gateway: {existingAddress: 34.1.2.3}", "SETTING-FORM", "gateway.existingAddress", "not the address itself", "use inference-address"),
    ("milliseconds", "llm-d:gateway: {timeoutSeconds: 300000ms}", "SETTING-TYPE", "gateway.timeoutSeconds", "whole number", "use 300"),
    ("a year", "llm-d:gateway: {hstsSeconds: 1y}", "SETTING-TYPE", "gateway.hstsSeconds", "whole number", "use 31536000"),
    ("megabytes", "llm-d:gateway: {limits: {bodyBytes: 10MB}}", "SETTING-TYPE", "gateway.limits.bodyBytes", "whole number", "use 10485760"),
    ("limit as a number", "llm-d:gateway: {limits: 100}", "SETTING-TYPE", "gateway.limits", "requestsPerMinute", "{requestsPerMinute: 100}"),
    ("path as an expression", "llm-d:gateway: {paths: ['/v1/.*']}", "SETTING-FORM", "gateway.paths[0]", "end with *", 'use "/v1/*"'),
    ("path as a whole expression", "llm-d:gateway: {paths: ['/v1/.*$']}", "SETTING-FORM", "gateway.paths[0]", "end with *", 'use "/v1/*"'),
    ("path as a group", "llm-d:gateway: {paths: ['/v1/(.+)']}", "SETTING-FORM", "gateway.paths[0]", "end with *", 'use "/v1/*"'),
    ("path of exactly one", "llm-d:gateway: {paths: ['/v1/rerank$']}", "SETTING-FORM", "gateway.paths[0]", "from the root", "use /v1/rerank"),
    ("path without a slash", "llm-d:gateway: {paths: [metrics]}", "SETTING-FORM", "gateway.paths[0]", "from the root", "use /metrics"),
    ("policy by its link", "llm-d:gateway: {securityPolicy: projects/x/regions/y/securityPolicies/z}", "SETTING-FORM", "gateway.securityPolicy", "name of a Cloud Armor", "use z"),
    ("external as a key", "llm-d:gateway: {external: true}", "SETTING-UNKNOWN", "gateway.external", "no such", "mean exposure?"),
    ("unknown model as Ollama names it", "llm-d:models: [{id: 'solar3:9b'}]", "SETTING-FORM", "models[0].id", "organization, slash", "use my-organization/solar3-9b"),
    ("an adapter of this machine", model("adapters: [{name: a, source: /models/lora}]"), "SETTING-FORM", "models[0].adapters[0].source", "do not see the folders", "source: gs://my-bucket/my-folder"),
    ("a draft model of this machine", model("speculativeDecoding: {method: eagle3, tokens: 4, draftModel: file:///models/head}"), "SETTING-FORM", "models[0].speculativeDecoding.draftModel", "do not see the folders", "push it to the Hub"),
    ("weights of this machine", "llm-d:models: [{id: ./models/qwen}]", "SETTING-FORM", "models[0].id", "do not see the folders", "copy the weights into a bucket"),
    ("one address", "llm-d:network: {nodeCidr: 10.0.0.1/32}", "CIDR-SMALL", "network.nodeCidr", "too small", "use 10.0.0.0/28"),
    ("id of a rule in small letters", "llm-d:acknowledge: [{id: llmd_tls_none, reason: only inside of the VPC}]", "SETTING-FORM", "acknowledge[0].id", "in capitals", "use LLMD-TLS-NONE"),
    ("project with its path", "llm-d:project: projects/Some-Project", "PROJECT-FORM", "project", "project id", "use some-project, if"),
    ("load by the minute", model("load: {requestsPerMinute: 60, promptTokens: 9, outputTokens: 9}"), "SETTING-UNKNOWN", "models[0].load.requestsPerMinute", "no such", "requestsPerSecond: 1?"),
    ("argument with its value", model("seed: 7"), "SETTING-UNKNOWN", "models[0].seed", "without a setting", 'extraArgs: ["--seed", "7"]'),
    ("limit of tokens", "llm-d:gateway: {limits: {tpm: 1000}}", "SETTING-UNKNOWN", "gateway.limits.tpm", "no such", "tokensPerMinute?"),
    ("configuration of the picker as text", "llm-d:picker: {config: 'plugins: [{type: queue-scorer}]'}", "SETTING-TYPE", "picker.config", "keys", "use {plugins: [{type: queue-scorer}]}"),
    ("image with a scheme", model("image: 'https://docker.io/vllm/vllm-openai:v0.26.0'"), "IMAGE-FORM", "models[0].image", "not the name", "use docker.io/vllm/vllm-openai:v0.26.0"),
    ("another engine", model("engine: sglang"), "SETTING-UNKNOWN", "models[0].engine", "served by vLLM", "remove it"),
    ("group of the engine", model("vllm: {maxNumSeqs: 8}"), "SETTING-UNKNOWN", "models[0].vllm", "of the model itself", "remove it"),
    ("variable in small letters", model("allowExtraArgs: true, env: {vllm_logging_level: INFO}"), "ENV-UNKNOWN", "models[0].env.vllm_logging_level", "ignores it", "VLLM_LOGGING_LEVEL?"),
    ("option of another engine", argument("--max-batch-size", "8"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "set models[0].maxNumSeqs"),
    ("option of an older vLLM", argument("--guided-decoding-backend", "xgrammar"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "use --structured-outputs-config.backend"),
    ("option that no newer vLLM has", argument("--num-scheduler-steps", "8"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "only other versions"),
    ("older option of a draft", argument("--num-speculative-tokens", "3"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "set models[0].speculativeDecoding"),
    ("long option with one dash", argument("-max-num-seqs", "8"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option", "set models[0].maxNumSeqs"),
    ("no processor", "llm-d:picker: {cpu: '0'}", "SETTING-FORM", "picker.cpu", "quantity of CPUs", "use 500m"),
    ("processors as a number", "llm-d:picker: {cpu: 500}", "SETTING-TYPE", "picker.cpu", "as a number", "use 500m"),
    ("sixteen processors", "llm-d:picker: {cpu: 16}", "SETTING-TYPE", "picker.cpu", "as a number", 'use "16"'),
    ("sixteen processors of a router", "llm-d:router: {cpu: 16}", "SETTING-TYPE", "router.cpu", "as a number", 'use "16"'),
    ("memory in GiB as a number", "llm-d:picker: {memory: 2}", "SETTING-TYPE", "picker.memory", "as a number", "use 2Gi"),
    ("memory in GiB with a fraction", "llm-d:router: {memory: 2.5}", "SETTING-TYPE", "router.memory", "as a number", "use 2560Mi"),
    ("memory in bytes", "llm-d:picker: {memory: 2147483648}", "SETTING-TYPE", "picker.memory", "as a number", "use 2Gi"),
    ("memory as a number", "llm-d:picker: {memory: 512}", "SETTING-TYPE", "picker.memory", "as a number", "use 512Mi"),
    ("release as a number", "llm-d:release: 0.9", "SETTING-TYPE", "release", "as a number", "use llm-d-0.9"),
    ("path of llm-d's guide", "llm-d:pattern: inference-scheduling", "SETTING-CHOICE", "pattern", "prefix-cache", "use prefix-cache"),
    ("network by name", "llm-d:network: default", "SETTING-TYPE", "network", "existing", "{existing: {network: default, "),
    ("VPC by name", "llm-d:network: {existing: {name: n, subnet: s, pods: p, services: q}}", "SETTING-UNKNOWN", "network.existing.name", "no such", "mean network?"),
    ("range by its addresses", "llm-d:network: {existing: {network: n, subnetwork: s, podRange: 10.4.0.0/14, serviceRange: q, nat: true}}", "SETTING-FORM", "network.existing.podRange", "not its addresses", "use pods"),
    ("cluster's own name", "llm-d:cluster: {name: mine}", "SETTING-UNKNOWN", "cluster.name", "after itself", "existing: {name: my-cluster"),
    ("cluster by its link", "llm-d:cluster: {existing: {name: projects/p/locations/l/clusters/prod, version: 1.35.2-gke.1842000}}", "SETTING-FORM", "cluster.existing.name", "name of a cluster", "use prod"),
    ("version with v", "llm-d:cluster: {version: v1.35.2}", "SETTING-FORM", "cluster.version", "GKE version", '"1.35.2"'),
    ("window as text", "llm-d:cluster: {maintenanceWindow: sat 02:00}", "SETTING-TYPE", "cluster.maintenanceWindow", "recurrence", "end: 2026-01-03T08:00:00Z"),
    ("key as text", "llm-d:cluster: {encryption: my-key}", "SETTING-TYPE", "cluster.encryption", "secretsKey", "{secretsKey: projects/"),
    ("price as a number", "llm-d:prices: {date: 2026-01-01, machines: {g2-standard-4: 0.7}}", "SETTING-TYPE", "prices.machines.g2-standard-4", "onDemand", "{onDemand: 0.7}"),
    ("path as a key", "llm-d:gateway.exposure: internal", "SETTING-UNKNOWN", "gateway.exposure", "nests settings", "llm-d:gateway: {exposure: ...}"),
    ("another namespace", "llm-d-gke:paused: true", "SETTING-UNKNOWN", "llm-d-gke:paused", "prefix llm-d:", "llm-d:paused?"),
    ("an element too many", "llm-d:models: [{id: Qwen/Qwen3-4B}, {maxModelLen: 4096}]", "SETTING-MISSING", "models[1].id", "required", "remove their dash"),
    ("registry without a dot", "llm-d:registry: {mirrors: {docker: mirror.example.com/x}}", "SETTING-FORM", "registry.mirrors.docker", "registry's host", "ghcr.io"),
    ("secret by its path", "llm-d:huggingFace: {secretManagerSecret: projects/p/secrets/s/versions/latest}", "SETTING-FORM", "huggingFace.secretManagerSecret", "without projects/", "use "),
    ("not a number", model("maxNumSeqs: .nan"), "SETTING-TYPE", "models[0].maxNumSeqs", "whole number", "use 4"),
    ("argument of vLLM", model("enforceEager: true"), "SETTING-UNKNOWN", "models[0].enforceEager", "an argument of vLLM", '["--enforce-eager"]'),
    ("another argument", model("trust_remote_code: true"), "SETTING-UNKNOWN", "models[0].trust_remote_code", "an argument of vLLM", '["--trust-remote-code"]'),
    ("key with size", model("tensor_parallel_size: 2"), "SETTING-UNKNOWN", "models[0].tensor_parallel_size", "no such", "mean tensorParallel?"),
    ("resources of the pod", model("resources: {limits: {a: 1}}"), "SETTING-UNKNOWN", "models[0].resources", "the planner derives", "remove it"),
    ("parameter of a request", model("temperature: 0.7"), "SETTING-UNKNOWN", "models[0].temperature", "a request says it", "remove it"),
    ("limits of replicas outside", model("maxReplicas: 3"), "SETTING-UNKNOWN", "models[0].maxReplicas", "no such", "mean llm-d:models[].autoscaling.maximum?"),
    ("context window", model("context_window: 8192"), "SETTING-UNKNOWN", "models[0].context_window", "no such", "mean maxModelLen?"),
    ("VPC at the top", "llm-d:vpc: mine", "SETTING-UNKNOWN", "vpc", "no such", "llm-d:network.existing.network?"),
    ("preemptible nodes", "llm-d:accelerator: {type: nvidia-l4, preemptible: true}", "SETTING-UNKNOWN", "accelerator.preemptible", "no such", "accelerator.provisioning: spot"),
    ("static address", "llm-d:gateway: {staticIp: mine}", "SETTING-UNKNOWN", "gateway.staticIp", "no such", "mean existingAddress?"),
    ("weight outside of scorers", "llm-d:picker: {prefixCache: 5}", "SETTING-UNKNOWN", "picker.prefixCache", "no such", "mean llm-d:picker.scorers.prefixCache?"),
    ("group of the stack in a model", model("picker: {preset: prefix}"), "SETTING-UNKNOWN", "models[0].picker", "no such", "mean llm-d:picker?"),
    ("network in the cluster", "llm-d:cluster: {network: {nodeCidr: 10.1.0.0/20}}", "SETTING-UNKNOWN", "cluster.network", "no such", "mean llm-d:network?"),
    ("group and setting as one word", model("prefillReplicas: 2"), "SETTING-UNKNOWN", "models[0].prefillReplicas", "no such", "mean llm-d:models[].prefill.replicas?"),
    ("list and setting as one word", "llm-d:modelId: Qwen/Qwen3-4B", "SETTING-UNKNOWN", "modelId", "no such", "mean llm-d:models[].id?"),
    ("KServe as a key", "llm-d:kserve: true", "SETTING-UNKNOWN", "kserve", "no such", "deployment: kserve"),
    ("a choice as a key", "llm-d:deployment: {kserve: true}", "SETTING-CHOICE", "deployment", "{kserve: true} is not a choice", "use kserve"),
    ("controller as a flag", "llm-d:deployment: kserve\nllm-d:platform: {kserve: true}", "SETTING-TYPE", "platform.kserve", "existing", "remove it"),
    ("version of a controller", "llm-d:platform: {kserve: {version: v0.15}}", "SETTING-UNKNOWN", "platform.kserve.version", "release decides", "llm-d:release"),
    ("spot for pickers", "llm-d:cpuPool: {provisioning: spot}", "SETTING-UNKNOWN", "cpuPool.provisioning", "on demand", "remove it"),
    ("type of disk", "llm-d:accelerator: {type: nvidia-l4, diskType: pd-ssd}", "SETTING-UNKNOWN", "accelerator.diskType", "planner derives", "remove it"),
    ("part of a GPU", "llm-d:accelerator: {type: nvidia-l4, timeSharing: 2}", "SETTING-UNKNOWN", "accelerator.timeSharing", "whole accelerators", "smaller accelerator"),
    ("plugins outside of a configuration", "llm-d:picker: {plugins: [{type: queue-scorer}]}", "SETTING-UNKNOWN", "picker.plugins", "one document", "picker.config"),
    ("keys below auth", "llm-d:gateway: {auth: {kind: api-keys, keys: [abc]}}", "SETTING-UNKNOWN", "gateway.auth.keys", "encrypted one by one", "llm-d:apiKeys.my-team"),
    ("budget by the day", "llm-d:budget: {maxDailyUsd: 100}", "SETTING-UNKNOWN", "budget.maxDailyUsd", "for a month", "maxMonthlyUsd"),
    ("no picker", "llm-d:picker: none", "SETTING-TYPE", "picker", "a group", "remove picker"),
    ("flag for a group of limits", "llm-d:monitoring: {alerts: true}", "SETTING-TYPE", "monitoring.alerts", "availability", "use {availability: 0.99}"),
    ("address in a list", "llm-d:monitoring: {alerts: {notificationChannels: ops@example.com}}", "SETTING-TYPE", "monitoring.alerts.notificationChannels", "a list", "[projects/my-project/notificationChannels/1234567890]"),
    ("percent of a CPU", "llm-d:picker: {cpu: 50%}", "SETTING-FORM", "picker.cpu", "quantity of CPUs", "use 500m"),
    ("thousandths of a CPU", "llm-d:picker: {cpu: '500'}", "ADDON-ROOM", "picker.cpu", "leave 3920", "use 500m"),
    ("seconds for milliseconds", model("load: {timeToFirstTokenMs: 0.5}"), "SETTING-TYPE", "models[0].load.timeToFirstTokenMs", "whole number", "use 500"),
    ("share for percent", "llm-d:fleet: {role: config, maxUtilizationPercent: 0.6, proxyCidrs: {us-east4: 192.168.0.0/23}}", "SETTING-TYPE", "fleet.maxUtilizationPercent", "whole number", "use 60"),
    ("thousands of dollars", "llm-d:budget: {maxMonthlyUsd: 5k}", "SETTING-TYPE", "budget.maxMonthlyUsd", "a number", "use 5000"),
    ("shares of a split", "llm-d:splits: [{name: chat, weights: {a: 0.9, b: 0.1}}]", "SETTING-TYPE", "splits[0].weights.a", "whole number", "use 90"),
    ("weights without names", "llm-d:splits: [{name: chat, weights: [90, 10]}]", "SETTING-TYPE", "splits[0].weights", "keys with a value", "{first-model: 90, second-model: 10}"),
    ("rate by the second", "llm-d:gateway: {limits: {requestsPerSecond: 10}}", "SETTING-UNKNOWN", "gateway.limits.requestsPerSecond", "no such", "requestsPerMinute: 600?"),
    ("short rate by the second", "llm-d:gateway: {limits: {rps: 10}}", "SETTING-UNKNOWN", "gateway.limits.rps", "no such", "requestsPerMinute: 600?"),
    ("rate by the second as text", "llm-d:gateway: {limits: {requestsPerMinute: 10/s}}", "SETTING-TYPE", "gateway.limits.requestsPerMinute", "whole number", "use 600"),
    ("rate by the minute as text", model("load: {requestsPerSecond: 120 rpm, promptTokens: 9, outputTokens: 9}"), "SETTING-TYPE", "models[0].load.requestsPerSecond", "a number", "use 2"),
    ("dollars for a group", "llm-d:budget: $500", "SETTING-TYPE", "budget", "maxMonthlyUsd", "use {maxMonthlyUsd: 500}"),
    ("GPU with a word of older ones", "llm-d:accelerator: {type: nvidia-tesla-l4}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "did you mean nvidia-l4?"),
    ("GPU without that word", "llm-d:accelerator: {type: nvidia-t4}", "ACCELERATOR-UNKNOWN", "accelerator.type", "no accelerator", "did you mean nvidia-tesla-t4?"),
    ("priority in words", "llm-d:gateway: {priorities: {team: high}}", "SETTING-TYPE", "gateway.priorities.team", "from -1000000 to 1000000", "use 10"),
    ("clients in a list", "llm-d:gateway: {priorities: [team, other]}", "SETTING-TYPE", "gateway.priorities", "keys with a value", "{team: 10, other: 10}"),
    ("image in parts", model("image: {repository: vllm/vllm-openai, tag: v0.19.1}"), "SETTING-TYPE", "models[0].image", "must be", "use vllm/vllm-openai:v0.19.1"),
    ("alias twice", model("aliases: [chat, chat]"), "NAME-TWICE", "models[0].aliases[0]", "has this name already", "unique"),
    ("alias with accents", model("aliases: ['chat ünï']"), "SETTING-FORM", "models[0].aliases[0]", "without blanks", "use chat-uni"),
    ("commit of an adapter", model("adapters: [{name: a, source: 'o/a@v1'}]"), "SETTING-FORM", "models[0].adapters[0].source", "Hugging Face repository", "use o/a"),
    ("calendar mode", "llm-d:accelerator: {type: nvidia-l4, provisioning: calendar}", "SETTING-CHOICE", "accelerator.provisioning", "it takes on-demand", "set accelerator.reservation"),
    ("zones by letter", "llm-d:location: us-east4\nllm-d:accelerator: {type: nvidia-l4, zones: [a]}", "ZONE-REGION", "accelerator.zones", "region us-east4", "us-east4-a, us-east4-c"),
    ("a zone of the region without it", "llm-d:location: us-east4\nllm-d:accelerator: {type: nvidia-l4, zones: [us-east4-b]}", "ZONE-OFFERS", "accelerator.zones", "not offered", "use one of us-east4-a, us-east4-c (nearest first)"),
    ("zones as the location", "llm-d:location: [us-east4-a, us-east4-c]", "SETTING-TYPE", "location", "zone or a region", "use us-east4-a"),
    ("version of a key", "llm-d:cluster: {encryption: {diskKey: projects/p-1/locations/us-east4/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1}}", "SETTING-FORM", "cluster.encryption.diskKey", "Cloud KMS key", "use projects/p-1/locations/us-east4/keyRings/r/cryptoKeys/k"),
    ("certificate by its path", "llm-d:gateway: {tls: {kind: pre-shared, certificates: [projects/p/global/sslCertificates/c]}}", "SETTING-FORM", "gateway.tls.certificates[0]", "in the stack's region", "use c"),
    ("issuer of tokens without https", "llm-d:gateway: {auth: {kind: jwt, issuer: accounts.google.com, jwksUri: 'http://a.example.com/keys', audiences: [a]}}", "SETTING-FORM", "gateway.auth.issuer", "begins with https://", "use https://accounts.google.com"),
    ("method in a path", "llm-d:gateway: {paths: ['GET /metrics']}", "SETTING-FORM", "gateway.paths[0]", "from the root", "use /metrics"),
    ("mirror with a scheme", "llm-d:registry: {mirrors: {ghcr.io: 'https://mirror.example.com/ghcr/'}}", "SETTING-FORM", 'registry.mirrors["ghcr.io"]', "without https", "use mirror.example.com/ghcr"),
    ("too many labels", "llm-d:labels: {" + ", ".join(f"k{number}: v" for number in range(65)) + "}", "SETTING-RANGE", "labels", "at most 60", "remove some"),
    ("configuration by its file", "llm-d:picker: {config: picker.yaml}", "SETTING-TYPE", "picker.config", "keys with a value", "use {plugins: [{type: queue-scorer}]"),
    ("weight in words", "llm-d:picker: {config: {plugins: [{type: queue-scorer}], schedulingProfiles: [{name: default, plugins: [{pluginRef: queue-scorer, weight: high}]}]}}", "PICKER-CONFIG-SCHEMA", "picker.config.schedulingProfiles[0].plugins[0].weight", "must be a number", "a value such as 2"),
    ("longer than memory and training", "llm-d:models: [{id: Qwen/Qwen3-4B, maxModelLen: 400000}]", "MEMORY-KV-CACHE", "models[0].maxModelLen", "400000 tokens", "use maxModelLen: 40960"),
    ("no revision", model("source: {kind: hugging-face, revision: ''}"), "SETTING-RANGE", "models[0].source.revision", "name of a branch", "use main"),
    ("a window of a month", "llm-d:cluster: {maintenanceWindow: {start: 2026-01-03T02:00:00Z, end: 2026-01-03T08:00:00Z, recurrence: FREQ=MONTHLY;BYMONTHDAY=1}}", "MAINTENANCE-HOURS", "cluster.maintenanceWindow", "have 3 of these windows", "more days"),
    ("a list among arguments", model("allowExtraArgs: true, extraArgs: [[--seed, '1']]"), "SETTING-TYPE", "models[0].extraArgs[0]", "text", 'an element of its own: --seed, "1"'),
    ("a map among arguments", model("allowExtraArgs: true, extraArgs: [{--seed: 1}]"), "SETTING-TYPE", "models[0].extraArgs[0]", "text", 'an element of its own: --seed, "1"'),
    ("a flag among arguments", model("allowExtraArgs: true, extraArgs: [--enforce-eager, true]"), "SETTING-TYPE", "models[0].extraArgs[1]", "text", "stands alone"),
    ("a number among arguments", model("allowExtraArgs: true, extraArgs: [--seed, 1]"), "SETTING-TYPE", "models[0].extraArgs[1]", "as a number", 'use "1"'),
    ("numbers as adapters", model("adapters: [1]"), "SETTING-TYPE", "models[0].adapters[0]", "name, source", "{name: my-model, source: my-org/my-adapter}"),
    ("lists as adapters", model("adapters: [[a, o/a]]"), "SETTING-TYPE", "models[0].adapters[0]", "name, source", "{name: my-model, source: my-org/my-adapter}"),
    ("groups as aliases", model("aliases: [{name: chat}]"), "SETTING-TYPE", "models[0].aliases[0]", "without blanks", "use chat"),
    ("a list as a weight", "llm-d:splits: [{name: chat, weights: {a: [1]}}]", "SETTING-TYPE", "splits[0].weights.a", "whole number", "use "),
    ("ranges without names", "llm-d:cluster: {controlPlane: {access: authorized-networks, authorizedNetworks: [10.0.0.0/8]}}", "SETTING-TYPE", "cluster.controlPlane.authorizedNetworks[0]", "cidr, name", "{cidr: 10.0.0.0/8"),
    ("ranges as Google's API names them", "llm-d:cluster: {controlPlane: {access: authorized-networks, authorizedNetworks: [{cidrBlock: 10.0.0.0/8, displayName: office}]}}", "SETTING-UNKNOWN", "cluster.controlPlane.authorizedNetworks[0].cidrBlock", "no such", "mean cidr?"),
    ("a label in two levels", "llm-d:labels: {team: {name: ml}}", "SETTING-TYPE", "labels.team", "a label's value", "use ml"),
    ("a number for a flag", "llm-d:paused: 1", "SETTING-TYPE", "paused", "as a number", "use true"),
    ("thousands with a dot", model("maxModelLen: 4.096").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 4096"),
    ("thousands with a comma", model("maxModelLen: '4,096'").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 4096"),
    ("memory for tokens", model("maxModelLen: 16Gi").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 8192"),
    ("memory for a share", model("gpuMemoryUtilization: 16Gi"), "SETTING-TYPE", "models[0].gpuMemoryUtilization", "below 1", "use 0.9"),
    ("share with a comma", model("gpuMemoryUtilization: '0,9'"), "SETTING-TYPE", "models[0].gpuMemoryUtilization", "below 1", "use 0.9"),
    ("minus as in print", model("replicas: \u22122"), "SETTING-TYPE", "models[0].replicas", "U+2212 (minus sign)", "use 0"),
    ("digits of another script", model("maxModelLen: \uff14\uff10\uff19\uff16").replace("maxModelLen: 4096, ", ""), "SETTING-TYPE", "models[0].maxModelLen", "whole number", "use 4096"),
    ("half a GiB", "llm-d:picker: {memory: 0.5}", "SETTING-TYPE", "picker.memory", "as a number", "use 512Mi"),
    ("cores", "llm-d:picker: {cpu: 2 cores}", "SETTING-FORM", "picker.cpu", "quantity of CPUs", 'use "2"'),
    ("megacores", "llm-d:picker: {cpu: 500M}", "SETTING-FORM", "picker.cpu", "quantity of CPUs", "use 500m"),
    ("megabytes of memory", "llm-d:picker: {memory: 512M}", "SETTING-FORM", "picker.memory", "quantity of memory", "use 512Mi"),
    ("half a GiB of offload", model("kvOffloadGib: 0.5"), "SETTING-TYPE", "models[0].kvOffloadGib", "whole number", "use 1"),
    ("no group", "llm-d:cluster: {controlPlane: null}", "SETTING-TYPE", "cluster.controlPlane", "access", "remove controlPlane"),
    ("no nodes", "llm-d:accelerator: {type: nvidia-l4, nodes: null}", "SETTING-TYPE", "accelerator.nodes", "min, max", "remove nodes"),
    ("an element without a value", "llm-d:models: [null]", "SETTING-TYPE", "models[0]", "and others", "use {id: Qwen/Qwen3-8B}"),
    ("an empty alias", model("aliases: ['']"), "SETTING-RANGE", "models[0].aliases[0]", "without blanks", "use my-model"),
    ("a label without a value", "llm-d:labels: {prod: null}", "SETTING-TYPE", "labels.prod", "a label's value", "use ml-platform"),
    ("a flag as a label", "llm-d:labels: {prod: true}", "SETTING-TYPE", "labels.prod", "as a flag", 'for example "true"'),
    ("no as a name", model("servedName: no"), "SETTING-TYPE", "models[0].servedName", "as a flag", "use my-model"),
    ("a zone of another region", "llm-d:location: us-east4\nllm-d:accelerator: {type: nvidia-l4, zones: [us-central1-a]}", "ZONE-REGION", "accelerator.zones", "region us-east4", "us-east4-a, us-east4-c"),
    ("a region of another cloud", "llm-d:location: us-east-1", "SETTING-FORM", "location", "zone or a region", "use us-east1"),
    ("a city", "llm-d:location: Frankfurt\nllm-d:accelerator: {type: nvidia-l4}", "SETTING-FORM", "location", "zone or a region", "use europe-west3-a"),
    ("a city without the accelerator", "llm-d:location: 'Frankfurt, Germany'\nllm-d:accelerator: {type: nvidia-b200}", "SETTING-FORM", "location", "zone or a region", "use europe-west4-b"),
    ("a region of Azure", "llm-d:location: westeurope\nllm-d:accelerator: {type: nvidia-l4}", "SETTING-FORM", "location", "zone or a region", "use europe-west4-a"),
    ("a zone of AWS", "llm-d:location: eu-central-1a\nllm-d:accelerator: {type: nvidia-l4}", "SETTING-FORM", "location", "zone or a region", "use europe-west3-a"),
    ("a project that was never named", "llm-d:project: <your-project>", "SETTING-PLACEHOLDER", "project", "a stack file is no template", "gcloud projects list"),
    ("a path twice", "llm-d:gateway: {paths: [/v1/rerank, /v1/rerank]}", "SETTING-REPEATED", "gateway.paths", "is listed twice", "list /v1/rerank once"),
    ("a certificate twice", "llm-d:gateway: {hostname: a.example.com, tls: {kind: pre-shared, certificates: [a, a]}}", "SETTING-REPEATED", "gateway.tls.certificates", "is listed twice", "list a once"),
    ("a range twice", "llm-d:cluster: {controlPlane: {access: authorized-networks, authorizedNetworks: [{cidr: 10.0.0.0/8, name: a}, {cidr: 10.0.0.0/8, name: b}]}}", "SETTING-REPEATED", "cluster.controlPlane.authorizedNetworks", "is listed twice", "list 10.0.0.0/8 once"),
    ("a key of another region", "llm-d:cluster: {encryption: {diskKey: projects/p-1/locations/europe-west4/keyRings/r/cryptoKeys/k}}", "KMS-LOCATION", "cluster.encryption.diskKey", "us-east4", "key ring in us-east4"),
    ("an adapter twice", model("adapters: [{name: a, source: o/a}, {name: a, source: o/b}]"), "NAME-TWICE", "models[0].adapters[0].name", "this name already", "unique"),
    ("the same model twice", "llm-d:pattern: multi-model\nllm-d:models: [{id: Qwen/Qwen3-4B}, {id: Qwen/Qwen3-4B}]", "NAME-TWICE", "models[0].servedName", "2 models have this name", "servedName"),
    ("a setting of a model at the top", "llm-d:maxModelLen: 4096", "SETTING-UNKNOWN", "maxModelLen", "no such", "llm-d:models[].maxModelLen? Move it there"),
    ("a setting of the Gateway at the top", "llm-d:exposure: internal", "SETTING-UNKNOWN", "exposure", "no such", "llm-d:gateway.exposure? Move it there"),
    ("a machine in a model", model("machineType: g2-standard-8"), "SETTING-UNKNOWN", "models[0].machineType", "no such", "llm-d:accelerator.machineType"),
    ("a key with dashes", model("max-num-seqs: 4"), "SETTING-UNKNOWN", "models[0].max-num-seqs", "no such", "mean maxNumSeqs?"),
    ("a key in capitals", model("MAX_NUM_SEQS: 4"), "SETTING-UNKNOWN", "models[0].MAX_NUM_SEQS", "camelCase", "mean maxNumSeqs?"),
    ("a group in snake case", "llm-d:hugging_face: {existing_secret: hf}", "SETTING-UNKNOWN", "hugging_face", "camelCase", "llm-d:huggingFace?"),
    ("a manifest's version", "llm-d:apiVersion: apps/v1", "SETTING-UNKNOWN", "apiVersion", "manifest of Kubernetes", "adopt-manifests"),
    ("a manifest's kind", "llm-d:kind: Deployment", "SETTING-UNKNOWN", "kind", "manifest of Kubernetes", "adopt-manifests"),
    ("values of llm-d's chart", "llm-d:models: [{id: Qwen/Qwen3-4B, modelArtifacts: {uri: 'hf://Qwen/Qwen3-4B'}}]", "SETTING-UNKNOWN", "models[0].modelArtifacts", "Helm chart", "remove it"),
    ("a pod's node selector", "llm-d:accelerator: {type: nvidia-l4, nodeSelector: {a: b}}", "SETTING-UNKNOWN", "accelerator.nodeSelector", "planner derives", "remove it"),
    ("a container's arguments", "llm-d:models: [{id: Qwen/Qwen3-4B, args: [--seed, '1']}]", "SETTING-UNKNOWN", "models[0].args", "no such", "mean extraArgs?"),
    ("keys in the clear", "llm-d:gateway: {exposure: internal, implementation: istio, auth: {kind: api-keys}}\nllm-d:apiKeys: {team: s3cret-key-1234567890}", "SECRET-PLAIN", "apiKeys", "plain text", "--secret"),
    ("a token among variables", model("allowExtraArgs: true, env: {HF_TOKEN: hf_abcdefgh}"), "ENV-SECRET", "models[0].env.HF_TOKEN", "readable", "huggingFace.token"),
    ("a name that is too long", model("servedName: " + "a" * 300), "SETTING-RANGE", "models[0].servedName", "with 300 characters", "at most 96"),
    ("a namespace that is too long", "llm-d:namespace: {name: " + "n" * 70 + "}", "SETTING-RANGE", "namespace.name", "with 70 characters", "at most 63"),
    ("a part of a host name that is too long", "llm-d:gateway: {hostname: " + "h" * 70 + ".example.com}", "SETTING-FORM", "gateway.hostname", "63 characters between dots", "llm.example.com"),
    ("a Cyrillic letter in a model", "llm-d:models: [{id: Qwen/Qw\u0435n3-4B}]", "SETTING-FORM", "models[0].id", "U+0435 (cyrillic small letter ie)", "use Qwen/Qwen3-4B"),
    ("a Cyrillic letter in a key", model("m\u0430xNumSeqs: 4"), "SETTING-UNKNOWN", "models[0].m\u0430xNumSeqs", "U+0430", "mean maxNumSeqs?"),
    ("a Greek letter in a project", "llm-d:project: s\u03bfme-project", "PROJECT-FORM", "project", "U+03BF (greek small letter omicron)", "gcloud projects list"),
    ("a dash of print in a zone", "llm-d:location: us\u2013east4-a", "SETTING-FORM", "location", "U+2013 (en dash)", "use us-east4-a"),
    ("a hyphen of print in a type", "llm-d:accelerator: {type: nvidia\u2011l4}", "ACCELERATOR-UNKNOWN", "accelerator.type", "U+2011", "mean nvidia-l4?"),
    ("a blank without width", "llm-d:location: us-\u200beast4-a", "SETTING-FORM", "location", "U+200B (zero width space)", "use us-east4-a"),
    ("variable of a shell", model("servedName: '${NAME}'"), "SETTING-PLACEHOLDER", "models[0].servedName", "${NAME} is a variable", "the value itself"),
    ("variable in a path", model("source: {kind: bucket, bucket: my-models, path: 'a/$MODEL/b'}"), "SETTING-PLACEHOLDER", "models[0].source.path", "$MODEL is a variable", "for example"),
    ("variable for a number", model("replicas: '${REPLICAS}'"), "SETTING-PLACEHOLDER", "models[0].replicas", "no template", "for example 4"),
    ("variable for a group", "llm-d:accelerator: '${ACCELERATOR}'", "SETTING-PLACEHOLDER", "accelerator", "no template", "for example {type: "),
    ("variable for a kind", model("source: {kind: '${KIND}', bucket: my-models, path: a}"), "SETTING-PLACEHOLDER", "models[0].source.kind", "no template", "the value itself"),
    ("variable in a variable", model("allowExtraArgs: true, env: {A: '${HOME}/x'}"), "SETTING-PLACEHOLDER", "models[0].env.A", "${HOME} is a variable", "the value itself"),
    ("variable of make", "llm-d:project: $(PROJECT)", "SETTING-PLACEHOLDER", "project", "$(PROJECT) is a variable", "the value itself"),
    ("value of Helm", "llm-d:gateway: {hostname: '{{ .Values.host }}'}", "SETTING-PLACEHOLDER", "gateway.hostname", "no template", "llm.example.com"),
    ("field of Python", "llm-d:huggingFace: {existingSecret: '{secret}'}", "SETTING-PLACEHOLDER", "huggingFace.existingSecret", "no template", "the value itself"),
    ("project of a documentation", "llm-d:project: <your-project>", "SETTING-PLACEHOLDER", "project", "<your-project> is", "the value itself"),
    ("capitals of Google's documentation", "llm-d:cluster: {encryption: {diskKey: projects/PROJECT_ID/locations/us-east4/keyRings/r/cryptoKeys/k}}", "SETTING-PLACEHOLDER", "cluster.encryption.diskKey", "PROJECT_ID stands for", "the value itself"),
    ("bucket to replace", model("source: {kind: bucket, bucket: YOUR_BUCKET, path: a}"), "SETTING-PLACEHOLDER", "models[0].source.bucket", "YOUR_BUCKET stands for", "for example my-models"),
    ("organization to replace", "llm-d:models: [{id: your-org/my-model}]", "SETTING-PLACEHOLDER", "models[0].id", "your-org stands for", "Qwen/Qwen3-8B"),
    ("value to do", "llm-d:labels: {team: todo}", "SETTING-PLACEHOLDER", "labels.team", "todo stands for", "the value itself"),
    ("host name to change", "llm-d:gateway: {hostname: changeme.example.com}", "SETTING-PLACEHOLDER", "gateway.hostname", "changeme stands for", "llm.example.com"),
    ("crosses", model("adapters: [{name: a, source: 'gs://xxx/b'}]"), "SETTING-PLACEHOLDER", "models[0].adapters[0].source", "xxx stands for", "for example"),
    ("dots", "llm-d:project: my-...", "SETTING-PLACEHOLDER", "project", "my-... stands for", "the value itself"),
    ("reason to do", "llm-d:acknowledge: [{id: LLMD-GATEWAY-OPEN, reason: TODO}]", "SETTING-PLACEHOLDER", "acknowledge[0].reason", "TODO stands for", "the value itself"),
    ("variables not meant", model("env: {A: b}"), "ENV-ALLOWED", "models[0].env", "explicit opt-in", "allowExtraArgs"),
    *(
        (f"argument {words[0]}", argument(*words), "EXTRA-ARGS-PLANNED", "models[0].extraArgs[0]", reason, fix)
        for words, reason, fix in (
            (("--port", "9000"), "probes", "Gateway"),
            (("--host", "127.0.0.1"), "probes", "remove"),
            (("--served-model-name", "x"), "routes", "servedName"),
            (("--max-model-len", "99999"), "already", "maxModelLen"),
            (("--api-key", "abc"), "401", "authenticate"),
            (("--root-path", "/x"), "probes", "remove"),
            (("--model", "other/model"), "planned", "models[].id"),
            (("--kv-transfer-config", "{}"), "KV caches", "disaggregated"),
            (("--tensor-parallel-size", "8"), "parallelism", "tensorParallel"),
        )
    ),
    ("topology with a star", TPU_PLACE + TPU % "'4*4'", "SETTING-FORM", "accelerator.topology", "joined by x", "use 4x4"),
    ("topology in another order", TPU_PLACE + TPU % "4x2", "TOPOLOGY", "accelerator.topology", "do not come", "mean 2x4?"),
    ("authentication that is none of these", "llm-d:gateway: {auth: {kind: mtls}}", "SETTING-CHOICE", "gateway.auth", "mtls is not", "kind: api-keys"),
    ("encryption that is none of these", "llm-d:gateway: {tls: {kind: letsencrypt-prod}}", "SETTING-CHOICE", "gateway.tls", "is not a choice", "kind: c"),
    ("path of a secret", "llm-d:huggingFace: {secretManagerSecret: projects/p1/secrets/hf/versions/latest}", "SETTING-FORM", "huggingFace.secretManagerSecret", "name of a secret", "use hf"),
    ("version that YAML shortens", "llm-d:cluster: {version: 1.30}", "SETTING-TYPE", "cluster.version", "as a number", 'use "1.30"'),
    ("group of prices for a number", "llm-d:prices: {date: 2026-11-01, items: {cluster: {onDemand: 0.1}}}", "SETTING-TYPE", "prices.items.cluster", "a number", "use 0.1"),
    ("name of an account", "llm-d:cluster: {nodeAccount: llm-nodes}", "SETTING-FORM", "cluster.nodeAccount", "6 to 30", "llm-nodes@my-project."),
    ("account of a short name", "llm-d:cluster: {nodeAccount: nodes@p-one.iam.gserviceaccount.com}", "SETTING-FORM", "cluster.nodeAccount", "6 to 30", "llm-d-nodes@"),
    ("link of a reservation", "llm-d:accelerator: {type: nvidia-l4, reservation: 'https://www.googleapis.com/compute/v1/projects/my-p/zones/us-east4-a/reservations/r'}", "SETTING-FORM", "accelerator.reservation", "of another project", "use projects/my-p/reservations/r"),
    ("bucket for a model", "llm-d:models: [{id: 'gs://my-models/qwen/one', maxModelLen: 4096}]", "SETTING-FORM", "models[0].id", "said by source", "{kind: bucket, bucket: my-models, path: qwen/one}"),
    ("file for a folder", model("source: {kind: bucket, bucket: my-models, path: q/model.safetensors}"), "SETTING-FORM", "models[0].source.path", "names a file", "use q"),
    ("revision with a blank", model("source: {kind: hugging-face, revision: main branch}"), "SETTING-FORM", "models[0].source.revision", "without blanks", "use main-branch"),
    ("longer prompts than requests", model("load: {promptTokens: 9000}"), "LOAD-LENGTH", "models[0].load.promptTokens", "of 9000 or more tokens", "at most 4096"),
    ("two parts of a pull secret", "llm-d:registry: {server: r.example.com}", "REGISTRY-PARTS", "registry", "username and password are missing", "all three"),
    ("one part of a pull secret", "llm-d:registry: {server: r.example.com, username: u}", "REGISTRY-PARTS", "registry", "password is missing", "all three"),
    # What refuses the value that a fix names is reported beside it.
    ("word for a kind that is refused", "llm-d:gateway: {exposure: external, auth: {kind: api-key}}", "AUTH-IMPLEMENTATION", "gateway.auth.kind", "verify neither API keys", "implementation: istio"),
    ("word for a pattern that is refused", "llm-d:pattern: prefix-caching", "PATTERN-PREFIX-REPLICAS", "models[0].replicas", "there is one replica only", "use 2 or more"),
    ("unit of a length that is refused", model("maxModelLen: 256k").replace("maxModelLen: 4096, ", ""), "CONTEXT-LENGTH", "models[0].maxModelLen", "40960 tokens", "use 40960"),
    ("path that is refused from the root, too", "llm-d:gateway: {exposure: internal, paths: [metrics]}", "ROUTE-ADMINISTRATION", "gateway.paths[0]", "every client reaches /metrics", "only the API paths"),
    ("option that is refused beside a wrong one", model("extraArgs: [--swap-space, 16]"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option --swap-space", "remove it"),
    ("label with the name of a setting", "llm-d:labels: {env: Test}", "SETTING-FORM", "labels.env", "a label's value", "use test"),
    ("name in capitals for a group", "llm-d:namespace: LLM_Prod", "SETTING-TYPE", "namespace", "a group of settings", "use {name: llm-prod}"),
    ("hours of maintenance", "llm-d:cluster: {maintenanceWindow: {start: '02:00', end: '6:30', recurrence: daily}}", "SETTING-FORM", "cluster.maintenanceWindow.end", "a day and time", "use 2026-01-03T06:30:00Z"),
    ("window in another time zone", "llm-d:cluster: {maintenanceWindow: {start: '2026-12-05T23:00:00+01:00', end: 2026-12-06T04:00:00Z, recurrence: FREQ=WEEKLY;BYDAY=SA}}", "SETTING-FORM", "cluster.maintenanceWindow.start", "in UTC", "use 2026-12-05T22:00:00Z"),
    ("rule with its name", "llm-d:cluster: {maintenanceWindow: {start: 2026-12-05T02:00:00Z, end: 2026-12-05T08:00:00Z, recurrence: RRULE:FREQ=WEEKLY;BYDAY=SA}}", "SETTING-FORM", "cluster.maintenanceWindow.recurrence", "begins with FREQ=", "use FREQ=WEEKLY;BYDAY=SA"),
    ("days of maintenance", "llm-d:cluster: {maintenanceWindow: {start: '02:00', end: '06:00', recurrence: daily}}", "SETTING-FORM", "cluster.maintenanceWindow.recurrence", "begins with FREQ=", "use FREQ=DAILY"),
    ("planned option in one word", argument("--max-model-len 2048"), "ENGINE-OPTION", "models[0].extraArgs[0]", "no option --max-model-len 2048", "set models[0].maxModelLen, and remove it here"),
    ("parser of another family", model("toolCallParser: qwen"), "ENGINE-PARSER", "models[0].toolCallParser", "no parser of this name", "use hermes"),
]  # fmt: skip

# Words of libraries and of Python, which mean nothing to the author of a stack file.
FOREIGN = re.compile(
    r"valid (dictionary|tuple|integer|string)|instance of|unable to parse|NoneType|\bdict\b|\btuple\b|pydantic"
    r"|should (be|match|have)|\^|\[a-z|\\d|<class '|Settings\b|NodeCount|ExistingCluster"
)


def findings_of(tmp_path: Path, changes: str) -> list[Finding]:
    config: dict[str, Any] = {**parse_yaml(BASE), **parse_yaml(changes)}
    config = {key: value for key, value in config.items() if value is not None}
    (tmp_path / "Pulumi.s.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    loaded = load(tmp_path, "s")
    try:
        return list(plan_raw("s", loaded.settings(), loaded.encrypted()).warnings)
    except RefusedError as refused:
        return list(refused.findings)


def test_the_base_is_right(tmp_path: Path) -> None:
    assert [finding.id for finding in findings_of(tmp_path, "llm-d:gateway: {exposure: internal}")] == []


@pytest.mark.parametrize(
    ("changes", "rule", "path", "reason", "fix"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_a_mistake_is_explained(tmp_path: Path, changes: str, rule: str, path: str, reason: str, fix: str) -> None:
    findings = findings_of(tmp_path, changes)
    where = path if ":" in path else f"llm-d:{path}"
    finding = next((item for item in findings if (item.id, item.path) == (f"LLMD-{rule}", where)), None)
    assert finding is not None, [str(item) for item in findings]
    assert reason in finding.rule
    assert fix in finding.fix
    for item in findings:
        assert not FOREIGN.search(f"{item.value} {item.rule} {item.fix}"), item


def test_no_message_has_words_of_a_library() -> None:
    for wrong in EVERY:
        for finding in wrong.findings():
            assert finding.id in RULES, wrong.name
            assert not FOREIGN.search(f"{finding.rule} {finding.fix}"), (wrong.name, finding)
            assert finding.rule.strip(), (wrong.name, finding)
            assert finding.fix.strip(), (wrong.name, finding)


def test_a_machine_type_says_which_accelerator_is_missing() -> None:
    values = values_of("gpu", {"accelerator": {"machineType": "a3-highgpu-8g"}})
    with pytest.raises(RefusedError) as refused:
        plan_raw("gpu", values, ENCRYPTED)
    fixes = [finding.fix for finding in refused.value.findings if finding.path == "llm-d:accelerator.type"]
    assert fixes == ["add it to the stack file: type: nvidia-h100-80gb"]


@pytest.mark.parametrize(
    "changes",
    [
        model("allowExtraArgs: true, env: {VLLM_CACHE_ROOT: '/cache/$(POD_NAME)'}"),
        model("""allowExtraArgs: true, extraArgs: [--reasoning-config, '{"think_start_str": "<think>"}']"""),
        model("servedName: qwen3-4b, revision: main"),
        "llm-d:labels: {team: my-team, cost-center: your}",
        "llm-d:acknowledge: [{id: LLMD-GATEWAY-OPEN, reason: 'TODO of the security team; a trial until then...'}]",
        "llm-d:gateway: {exposure: internal, hostname: llm.example.com, tls: {kind: secret, secret: edge}}",
    ],
)
def test_what_programs_expand_and_sentences_say_is_no_placeholder(tmp_path: Path, changes: str) -> None:
    assert not [finding for finding in findings_of(tmp_path, changes) if finding.id == "LLMD-SETTING-PLACEHOLDER"]


def test_a_placeholder_is_one_finding(tmp_path: Path) -> None:
    for changes in ("llm-d:project: <your-project>", "llm-d:location: '${ZONE}'", model("dtype: '${DTYPE}'")):
        findings = findings_of(tmp_path, f"{changes}\nllm-d:gateway: {{exposure: internal}}")
        assert [finding.id for finding in findings] == ["LLMD-SETTING-PLACEHOLDER"]


def test_a_text_that_looks_like_a_placeholder_can_be_acknowledged(tmp_path: Path) -> None:
    acknowledgement = "llm-d:acknowledge: [{id: LLMD-SETTING-PLACEHOLDER, reason: our product's name}]"
    findings = findings_of(
        tmp_path, f"{model('servedName: chat-xxx')}\nllm-d:gateway: {{exposure: internal}}\n{acknowledgement}"
    )
    assert [finding.severity for finding in findings] == [Severity.WARNING]


def test_a_secret_that_is_a_placeholder_is_not_repeated() -> None:
    for token, refused in (("hf_xxxxxxxx", True), ("${HF_TOKEN}", True), ("hf_aB<c>$D9TODO", False)):
        values = values_of("gpu", {"huggingFace.token": token})
        try:
            findings = list(plan_raw("gpu", values, ENCRYPTED).warnings)
        except RefusedError as error:
            findings = list(error.findings)
        reported = [finding for finding in findings if finding.id == "LLMD-SETTING-PLACEHOLDER"]
        assert bool(reported) is refused
        assert not [finding for finding in findings if token in str(finding)]


def test_a_program_sees_its_own_values_and_no_secret() -> None:
    values = {
        **values_of("gpu"),
        "location": "us-east-1",
        "huggingFace": {"token": "hf_abcdefgh", "tokens": "hf_ijklmnop"},
    }
    with pytest.raises(RefusedError) as refused:
        plan_stack("s", values)
    assert "us-east-1" in str(refused.value)
    assert "hf_" not in str(refused.value)


def test_a_key_of_a_program_that_is_no_text_is_named() -> None:
    settings: dict[Any, Any] = {**values_of("gpu")}
    with pytest.raises(RefusedError) as refused:
        plan_stack("s", settings | {5: 3})
    [error] = errors_in(refused.value.findings)
    assert (error.path, error.rule) == ("llm-d:[5]", "this key is no text, and settings have names")


def test_a_path_object_of_a_program_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}', encoding="utf-8")
    models = [{**values_of("gpu")["models"][0], "config": file}]
    with pytest.raises(RefusedError) as refused:
        plan_stack("s", values_of("gpu") | {"models": models})
    [error] = [finding for finding in refused.value.findings if finding.id == "LLMD-SETTING-TYPE"]
    assert error.fix == "give it as text: str(path)"
    assert "not read" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"release": 0.9}, "this is a number, and it must be text"),
        ({"labels": {"team": 12}}, "this value is a number, not text"),
        ({"paused": 1}, "this value is a number"),
    ],
)
def test_a_program_is_told_nothing_about_yaml(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(RefusedError) as refused:
        plan_stack("s", values_of("gpu") | changes)
    assert any(finding.rule.endswith(rule) for finding in refused.value.findings), str(refused.value)
    assert "YAML" not in str(refused.value)


_EDGE_TLS = "tls: {kind: secret, secret: edge}"


@pytest.mark.parametrize(
    ("gateway", "reported"),
    [
        (f"{_EDGE_TLS}, auth: {{kind: iap, clientId: x}}", {"auth.existingSecret"}),
        (f"{_EDGE_TLS}, auth: {{kind: iap}}", {"auth.clientId", "auth.existingSecret"}),
        (f"{_EDGE_TLS}, auth: {{kind: api-key}}", {"auth", "auth.kind", "llm-d:apiKeys"}),
        (f"{_EDGE_TLS}, auth: {{clientId: x}}", {"auth"}),
        (f"{_EDGE_TLS}, auth: {{kind: iap, clientID: x, existingSecret: y}}", {"auth.clientID"}),
        ("tls: {secret: edge}, auth: {kind: iap, clientId: x, existingSecret: y}", {"tls"}),
        ("tls: {kind: secrets, secret: edge}, redirectHttp: true, hstsSeconds: 60, auth: {kind: none}", {"tls", "auth.kind"}),
        ("hostname: a.example.com, tls: {kind: cert-manager, by: someone}, auth: {kind: iap, clientId: x, existingSecret: y}", {"tls.by"}),
    ],
)  # fmt: skip
def test_a_half_written_group_is_reported_and_not_its_default(tmp_path: Path, gateway: str, reported: set[str]) -> None:
    findings = findings_of(tmp_path, f"llm-d:gateway: {{exposure: external, {gateway}}}")
    assert {f.path.removeprefix("llm-d:gateway.") for f in findings if f.severity is Severity.ERROR} == reported
    assert not [f for f in findings if f.id == "LLMD-TLS-NONE"]


def test_a_half_written_group_hides_nothing_that_holds_for_each_of_its_kinds(tmp_path: Path) -> None:
    changes = f"llm-d:gateway: {{exposure: external, auth: {{kind: api-key}}}}\n{model('tensorParallel: 3')}"
    findings = {finding.id for finding in findings_of(tmp_path, changes)}
    assert findings >= {"LLMD-SETTING-CHOICE", "LLMD-TLS-NONE", "LLMD-TP-DIVIDES"}


def test_a_configuration_that_is_not_json_is_one_finding_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1,\n "b": }', encoding="utf-8")
    values = values_of("gpu", {"models": [{"id": "acme/own", "config": "config.json", "maxModelLen": 2048}]})
    with pytest.raises(RefusedError) as refused:
        plan_raw("gpu", values, ENCRYPTED, files=model_files(values, tmp_path))
    findings = [finding for finding in refused.value.findings if finding.path.startswith("llm-d:models[0]")]
    assert [finding.id for finding in findings] == ["LLMD-CONFIG-UNREADABLE"]
    assert findings[0].rule == "the file is not JSON: an error in line 2, column 7"


def test_a_file_that_is_not_there_is_told_from_a_folder_without_it(tmp_path: Path) -> None:
    reasons = {}
    for name in (".", "absent.json"):
        values = values_of("gpu", {"models": [{"id": "acme/own", "config": name, "chatTemplate": "absent.jinja"}]})
        file = model_files(values, tmp_path)["acme/own"]
        reasons[name] = (file.problem, file.chat_template_problem)
    assert reasons == {
        ".": ("the folder holds no config.json", "there is no such file"),
        "absent.json": ("there is no such file", "there is no such file"),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# A page", "does not use messages"),
        ("{{ prompt }}", "does not use messages"),
        ("{% for m in messages %}\n{{ m.content }}", "an error in line 2"),
        ("{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}", None),
    ],
)
def test_a_chat_template_renders_the_conversation(tmp_path: Path, text: str, problem: str | None) -> None:
    (tmp_path / "chat.jinja").write_text(text, encoding="utf-8")
    file = model_files({"models": [{"id": "acme/own", "chatTemplate": "chat.jinja"}]}, tmp_path)["acme/own"]
    assert (file.chat_template_problem is None) == (problem is None)
    assert problem is None or problem in str(file.chat_template_problem)


def test_a_number_of_accelerators_under_another_name_is_one_finding(tmp_path: Path) -> None:
    findings = findings_of(tmp_path, "llm-d:accelerator: {type: nvidia-l4, count: 2}")
    assert [(finding.path, finding.fix) for finding in findings] == [
        ("llm-d:accelerator.count", "use machineType: g2-standard-24, which has 2")
    ]


def test_a_rate_per_minute_is_not_judged_as_one_per_second(tmp_path: Path) -> None:
    findings = findings_of(tmp_path, model("load: {requestsPerMinute: 60}"))
    assert [(finding.path, finding.fix) for finding in findings] == [
        ("llm-d:models[0].load.requestsPerMinute", "did you mean requestsPerSecond: 1?")
    ]


def test_a_long_dash_before_an_option_is_one_finding(tmp_path: Path) -> None:
    findings = findings_of(tmp_path, argument("\u2014max-num-seqs", "4"))
    assert [(finding.path, finding.fix) for finding in findings] == [
        ("llm-d:models[0].extraArgs[0]", "write --max-num-seqs")
    ]


def test_a_day_and_time_without_quotes_stays_text(tmp_path: Path) -> None:
    window = "{start: 2026-01-03T02:00:00Z, end: 2026-01-03T09:00:00+01:00, recurrence: 'FREQ=WEEKLY;BYDAY=SA,SU'}"
    (tmp_path / "Pulumi.s.yaml").write_text(f"config:\n  llm-d:cluster: {{maintenanceWindow: {window}}}\n", "utf-8")
    read = load(tmp_path, "s").settings()["cluster"]["maintenanceWindow"]
    assert (read["start"], read["end"]) == ("2026-01-03T02:00:00Z", "2026-01-03T08:00:00Z")


def test_keys_below_auth_are_not_repeated(tmp_path: Path) -> None:
    findings = findings_of(tmp_path, "llm-d:gateway: {auth: {kind: api-keys, keys: [abcdef], mine: uvwxyz}}")
    assert not [finding for finding in findings if "abcdef" in str(finding) or "uvwxyz" in str(finding)]


def test_a_name_in_the_wrong_form_does_not_count_as_missing(tmp_path: Path) -> None:
    auth = "auth: {kind: api-keys, secretManagerSecret: projects/p/secrets/keys}"
    findings = findings_of(tmp_path, f"llm-d:gateway: {{implementation: istio, {auth}}}")
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    assert [(finding.id, finding.fix) for finding in errors] == [("LLMD-SETTING-FORM", "use keys")]


def test_mistakes_inside_of_a_misspelled_group_are_reported_there(tmp_path: Path) -> None:
    changes = "llm-d:acelerator: {type: nvidia-l4, nodes: {min: 5, max: 2}}\nllm-d:accelerator: null"
    reported = {(finding.id, finding.path) for finding in findings_of(tmp_path, changes)}
    assert reported == {
        ("LLMD-SETTING-UNKNOWN", "llm-d:acelerator"),
        ("LLMD-NODES-MIN-MAX", "llm-d:acelerator.nodes"),
    }


def test_an_unknown_accelerator_and_release_hide_no_other_mistake(tmp_path: Path) -> None:
    changes = """
    llm-d:accelerator: {type: nvidia-l44}
    llm-d:release: llm-d-99
    llm-d:gateway: {exposure: external}
    llm-d:network: {nodeCidr: 10.4.0.0/20}
    llm-d:models: [{id: Qwen3-4B, extraArgs: [--seed, '1']}]
    """
    errors = {finding.id for finding in findings_of(tmp_path, changes) if finding.severity is Severity.ERROR}
    assert errors == {
        "LLMD-RELEASE-UNKNOWN",
        "LLMD-ACCELERATOR-UNKNOWN",
        "LLMD-GATEWAY-OPEN",
        "LLMD-CIDR-OVERLAP",
        "LLMD-MODEL-ORGANIZATION",
        "LLMD-EXTRA-ARGS-ALLOWED",
    }


@pytest.mark.parametrize(
    ("changes", "own", "memory"),
    [
        ("llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-5}", "LLMD-MACHINE-TYPE", True),
        ("llm-d:accelerator: {type: nvidia-l4, machineType: g2-standard-12, perNode: 2}", "LLMD-PER-NODE", True),
        ("llm-d:accelerator: {type: nvidia-l4}\nllm-d:release: llm-d-0.8", "LLMD-RELEASE-UNKNOWN", True),
        ("llm-d:accelerator: {type: nvidia-l4, machineType: a2-highgpu-1g}", "LLMD-MACHINE-TYPE", False),
        (f"{TPU_PLACE}{{type: tpu-v6e, topology: 3x3}}", "LLMD-TOPOLOGY", False),
    ],
)
def test_a_wrong_machine_or_release_hides_nothing_about_the_model(
    tmp_path: Path, changes: str, own: str, memory: bool
) -> None:
    """Whether it fits is judged where the finding proposes a machine; what its name says, in any case."""
    model_ = "llm-d:models: [{id: Qwen/Qwen3-32B, maxModelLen: 999999, toolCallParser: nope}]"
    errors = {f.id for f in findings_of(tmp_path, f"{changes}\n{model_}") if f.severity is Severity.ERROR}
    assert errors - {"LLMD-MEMORY-WEIGHTS"} == {own, "LLMD-CONTEXT-LENGTH", "LLMD-ENGINE-PARSER"}
    assert ("LLMD-MEMORY-WEIGHTS" in errors) is memory


def test_an_unknown_machine_does_not_hide_a_zone_without_the_accelerator(tmp_path: Path) -> None:
    changes = "llm-d:location: us-east1-a\nllm-d:accelerator: {type: nvidia-l4, machineType: a2-highgpu-1g}"
    errors = {finding.id for finding in findings_of(tmp_path, changes) if finding.severity is Severity.ERROR}
    assert errors == {"LLMD-MACHINE-TYPE", "LLMD-ZONE-OFFERS"}


@pytest.mark.parametrize(
    ("changes", "missing", "further"),
    [
        (
            model("speculativeDecoding: {method: eagle3}"),
            "models[0].speculativeDecoding.tokens",
            "LLMD-SPECULATION-DRAFT",
        ),
        (model("autoscaling: {}"), "models[0].autoscaling.maximum", "LLMD-AUTOSCALING-TARGET"),
        ("llm-d:cluster: {existing: {name: mine}}", "cluster.existing.version", "LLMD-NETWORK-OF-CLUSTER"),
    ],
)
def test_what_the_example_of_a_missing_setting_leads_to_is_reported_with_it(
    tmp_path: Path, changes: str, missing: str, further: str
) -> None:
    errors = {(f.id, f.path) for f in findings_of(tmp_path, changes) if f.severity is Severity.ERROR}
    assert ("LLMD-SETTING-MISSING", f"llm-d:{missing}") in errors
    assert {rule for rule, _ in errors} == {"LLMD-SETTING-MISSING", further}


def test_a_variable_with_the_value_of_the_stack_needs_no_consent(tmp_path: Path) -> None:
    same = findings_of(tmp_path, model("env: {VLLM_NO_USAGE_STATS: 1}"))
    assert [finding.id for finding in same if "ENV" in finding.id] == []
    other = findings_of(tmp_path, model("allowExtraArgs: true, env: {VLLM_NO_USAGE_STATS: 0}"))
    assert [finding.id for finding in other if "ENV" in finding.id] == ["LLMD-ENV-OWNED"]


@pytest.mark.parametrize("image", ["vllm/vllm-tpu:v0.26.0", "intel/vllm:0.10.2-xpu", "mine.example/vllm-rocm:v0.26.0"])
def test_an_image_for_other_hardware_is_one_mistake(tmp_path: Path, image: str) -> None:
    findings = findings_of(tmp_path, model(f"image: '{image}'"))
    assert [finding.id for finding in findings if "IMAGE" in finding.id] == ["LLMD-IMAGE-KIND"]


def test_a_zone_under_its_own_name_is_one_mistake(tmp_path: Path) -> None:
    findings = findings_of(tmp_path, "llm-d:location: null\nllm-d:zone: europe-north1-a")
    assert [(finding.id, finding.fix) for finding in findings if finding.severity is Severity.ERROR][:1] == [
        ("LLMD-SETTING-UNKNOWN", "did you mean llm-d:location?")
    ]
    assert "LLMD-SETTING-MISSING" not in {finding.id for finding in findings}
