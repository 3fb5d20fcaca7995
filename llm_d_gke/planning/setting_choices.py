"""Words for choices in other programs, with the choices used here."""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.planning.suggest import letters

# By the key whose value it is.
_CHOICES: Mapping[str, Mapping[str, str]] = {
    "dtype": {
        "f64": "float32",
        "float64": "float32",
        "double": "float32",
        "float": "float32",
        "fp16": "half",
        "f16": "half",
        "bf16": "bfloat16",
        "fp32": "float32",
        "f32": "float32",
    },
    "quantization": {
        "8bit": "bitsandbytes",
        "4bit": "bitsandbytes",
        "nf4": "bitsandbytes",
        "int8": "compressed-tensors",
        "w8a8": "compressed-tensors",
        "awqmarlin": "awq_marlin",
        "int4": "awq",
        "w4a16": "compressed-tensors",
        "bnb": "bitsandbytes",
    },
    "kvCacheDtype": {
        "fp16": "auto",
        "float16": "auto",
        "half": "auto",
        "bf16": "auto",
        "bfloat16": "auto",
        "none": "auto",
        "float8": "fp8",
        "e4m3": "fp8_e4m3",
        "e5m2": "fp8_e5m2",
    },
    "type": {
        "a100": "nvidia-tesla-a100",
        "a10040gb": "nvidia-tesla-a100",
        "nvidiaa10040gb": "nvidia-tesla-a100",
        "nvidiaa100": "nvidia-tesla-a100",
        "a10080gb": "nvidia-a100-80gb",
        "rtxpro6000": "nvidia-rtx-pro-6000",
        "rtx6000": "nvidia-rtx-pro-6000",
        "tpuv5litepodslice": "tpu-v5e",
        "tpuv5lite": "tpu-v5e",
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
        "inferencescheduling": "prefix-cache",
        "intelligentinferencescheduling": "prefix-cache",
        "prefixaware": "prefix-cache",
        "prefixcacheaware": "prefix-cache",
        "wideeplws": "mixture-of-experts",
        "lora": "multi-model",
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
        "oauth": "jwt",
        "oauth2": "jwt",
        "oidc": "jwt",
        "token": "api-keys",
        "bearer": "api-keys",
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
    "dtype": dict.fromkeys(
        ("fp8", "int8", "int4", "fp4", "nvfp4", "mxfp4", "awq", "gptq", "nf4"),
        "remove it: dtype is the type that layers compute in; a quantized checkpoint is named by models[].id, and"
        " quantization: fp8 quantizes the weights while they are loaded",
    ),
    "quantization": dict.fromkeys(
        ("none", "false", "off", "no", "auto", "default", "null", "true", "fp16", "bf16", "bfloat16", "float16"),
        "remove it: a checkpoint says itself how it is quantized",
    ),
    "source": dict.fromkeys(
        ("s3", "azure", "nfs", "local", "hostpath", "path", "file", "http", "https", "url"),
        "copy the weights into a Cloud Storage bucket, and use {kind: bucket, bucket: my-models, path: my-folder}",
    ),
    "provisioning": dict.fromkeys(
        ("calendar", "dwscalendar", "futurereservation", "reservation", "reserved", "specificreservation"),
        "remove it, and set accelerator.reservation to the name of the reservation; calendar mode of the Dynamic"
        " Workload Scheduler gives one, too",
    ),
    "exposure": {"none": "remove it, and reach the Gateway from inside the VPC: the default is internal"},
}


def choice_here(key: str, value: object) -> str | None:
    """The choice of a setting for another program's word."""
    return _CHOICES.get(key, {}).get(letters(str(value)))


def choice_elsewhere(key: str, value: object) -> str | None:
    """What to do about a choice that is another setting here."""
    return _CHOICES_ELSEWHERE.get(key, {}).get(letters(str(value)))
