"""Names of settings and choices in other programs, with the names used here.

Keys are in lower case and without signs: `num_gpus`, `numGpus` and `num-gpus` are one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# By the group of the key. The names are those of vLLM, of charts and CRDs for it, and of gcloud.
_KEYS: Mapping[str, Mapping[str, str]] = {
    "StackSettings": {
        "model": "models",
        "gcpproject": "project",
        "projectid": "project",
        "budgetusd": "budget",
        "maxcost": "budget",
        "costlimit": "budget",
        "llmdrelease": "release",
        "tags": "labels",
        "tpu": "accelerator",
        "epp": "picker",
        "endpointpicker": "picker",
        "scheduler": "picker",
    },
    "ModelSettings": {
        "model": "id",
        "modelid": "id",
        "modeluri": "id",
        "repo": "id",
        "repository": "id",
        "hfmodel": "id",
        "modelname": "servedName",
        "alias": "aliases",
        "context": "maxModelLen",
        "contextlength": "maxModelLen",
        "maxcontext": "maxModelLen",
        "maxtokens": "maxModelLen",
        "maxlength": "maxModelLen",
        "maxseqlen": "maxModelLen",
        "gpumemory": "gpuMemoryUtilization",
        "memoryutilization": "gpuMemoryUtilization",
        "precision": "dtype",
        "datatype": "dtype",
        "instances": "replicas",
        "count": "replicas",
        "args": "extraArgs",
        "vllmargs": "extraArgs",
        "engineargs": "extraArgs",
        "environment": "env",
        "envvars": "env",
        "variables": "env",
        "lora": "adapters",
        "loras": "adapters",
        "loraadapters": "adapters",
        "weights": "source",
        "storage": "source",
        "storageuri": "source",
        "tensorparallelism": "tensorParallel",
        "pipelineparallelism": "pipelineParallel",
        "toolparser": "toolCallParser",
        "toolcalling": "toolCallParser",
        "enableautotoolchoice": "toolCallParser",
        "reasoning": "reasoningParser",
        "speculative": "speculativeDecoding",
        "speculativeconfig": "speculativeDecoding",
        "specdecode": "speculativeDecoding",
        "kvoffload": "kvOffloadGib",
        "kvoffloadingsize": "kvOffloadGib",
        "cpuoffloadgb": "kvOffloadGib",
        "template": "chatTemplate",
    },
    "AcceleratorSettings": {
        "name": "type",
        "gpu": "type",
        "gputype": "type",
        "accelerator": "type",
        "acceleratortype": "type",
        "gpus": "perNode",
        "count": "perNode",
        "gpucount": "perNode",
        "numgpus": "perNode",
        "gpuspernode": "perNode",
        "acceleratorcount": "perNode",
        "machine": "machineType",
        "instancetype": "machineType",
        "vmtype": "machineType",
        "driver": "driverVersion",
        "zone": "zones",
        "locations": "zones",
    },
    "AutoscalingSettings": {
        "min": "minimum",
        "minreplicas": "minimum",
        "minreplicacount": "minimum",
        "max": "maximum",
        "maxreplicas": "maximum",
        "maxreplicacount": "maximum",
        "targets": "target",
        "schedule": "windows",
        "schedules": "windows",
        "cron": "windows",
        "cooldownperiod": "idleSeconds",
        "scaleup": "up",
        "scaledown": "down",
    },
    "ScalingTargets": {
        "concurrency": "requestsPerReplica",
        "requests": "requestsPerReplica",
        "queue": "queuePerReplica",
        "queuesize": "queuePerReplica",
        "kvcacheuse": "kvCache",
        "kvcacheusage": "kvCache",
        "ttft": "timeToFirstTokenMs",
    },
    "ScalingWindow": {"timezone": "timeZone", "desiredreplicas": "replicas", "minimum": "replicas"},
    "LoadSettings": {
        "rps": "requestsPerSecond",
        "qps": "requestsPerSecond",
        "rate": "requestsPerSecond",
        "requestrate": "requestsPerSecond",
        "requests": "requestsPerSecond",
        "inputtokens": "promptTokens",
        "inputlength": "promptTokens",
        "prompt": "promptTokens",
        "input": "promptTokens",
        "outputlength": "outputTokens",
        "maxtokens": "outputTokens",
        "output": "outputTokens",
        "ttft": "timeToFirstTokenMs",
        "tpot": "timePerOutputTokenMs",
        "itl": "timePerOutputTokenMs",
        "users": "concurrency",
        "concurrentrequests": "concurrency",
    },
    "GatewaySettings": {
        "host": "hostname",
        "hosts": "hostname",
        "domain": "hostname",
        "timeout": "timeoutSeconds",
        "visibility": "exposure",
        "type": "exposure",
        "ssl": "tls",
        "https": "tls",
        "certificate": "tls",
    },
    "HuggingFaceSettings": {
        "hftoken": "token",
        "secret": "existingSecret",
        "secretname": "existingSecret",
        "tokensecret": "existingSecret",
    },
    "ClusterSettings": {"channel": "releaseChannel", "private": "privateNodes", "gkeversion": "version"},
    "NodeCount": {"minimum": "min", "maximum": "max", "minnodes": "min", "maxnodes": "max", "count": "max"},
    "PickerSettings": {"weights": "scorers", "loglevel": "verbosity", "v": "verbosity"},
}

# By the key whose value it is.
_CHOICES: Mapping[str, Mapping[str, str]] = {
    "dtype": {"fp16": "half", "f16": "half", "bf16": "bfloat16", "fp32": "float32", "f32": "float32"},
    "quantization": {"int4": "awq", "w4a16": "compressed-tensors", "bnb": "bitsandbytes"},
    "kvCacheDtype": {"float8": "fp8", "e4m3": "fp8_e4m3", "e5m2": "fp8_e5m2"},
    "type": {
        "v5e": "tpu-v5e",
        "v5litepod": "tpu-v5e",
        "v5p": "tpu-v5p",
        "v6e": "tpu-v6e",
        "trillium": "tpu-v6e",
        "v7x": "tpu-v7x",
        "ironwood": "tpu-v7x",
    },
    "provisioning": {"preemptible": "spot", "dws": "flex-start", "flex": "flex-start", "standard": "on-demand"},
    "pattern": {
        "pd": "disaggregated",
        "prefilldecode": "disaggregated",
        "moe": "mixture-of-experts",
        "wideep": "mixture-of-experts",
        "kvcache": "prefix-cache",
    },
    "deployment": {"llminferenceservice": "kserve", "raw": "direct", "deployment": "direct"},
    "exposure": {"public": "external", "internet": "external", "private": "internal"},
    "access": {"private": "dns-endpoint", "public": "authorized-networks"},
    "method": {"draft": "draft_model", "lookup": "ngram", "promptlookup": "ngram"},
    "kind": {
        "gcs": "bucket",
        "gs": "bucket",
        "hf": "hugging-face",
        "hub": "hugging-face",
        "pvc": "volume-claim",
        "claim": "volume-claim",
        "oci": "image",
        "letsencrypt": "cert-manager",
        "acme": "cert-manager",
        "managed": "certificate-manager",
        "off": "none",
        "false": "none",
    },
}

# Choices that another setting expresses here, with what to do, by the key whose value they are.
_CHOICES_ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "provisioning": dict.fromkeys(
        ("reservation", "reserved"), "remove it, and set accelerator.reservation to the name of the reservation"
    ),
    "exposure": {"none": "remove it, and reach the Gateway from inside the VPC: the default is internal"},
}

WORDS_FOR_DEFAULT = ("auto", "automatic", "default", "max", "none", "null", "unlimited", "")
# Factors of the short forms of numbers and times, and words for true and false.
THOUSANDS = {"k": 1024, "m": 1024**2, "g": 1024**3}
SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
YES, NO = (
    ("y", "yes", "on", "enabled", "enable", "1", "t"),
    ("n", "no", "off", "disabled", "disable", "0", "f", "none"),
)
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def key_here(group: str, key: str) -> str | None:
    """The key of a group of settings for another program's key."""
    return _KEYS.get(group, {}).get(letters(key))


def choice_here(key: str, value: object) -> str | None:
    """The choice of a setting for another program's word."""
    return _CHOICES.get(key, {}).get(letters(str(value)))


def choice_elsewhere(key: str, value: object) -> str | None:
    """What to do about a choice that is another setting here."""
    return _CHOICES_ELSEWHERE.get(key, {}).get(letters(str(value)))


def letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
