"""Stack files with a mistake that Kubernetes, vLLM or Google would report much later, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.picker import own
from tests.stacks import OPEN

PROJECTS = (
    *(
        Wrong(
            name=f"project that cannot be one: {value}",
            id="LLMD-PROJECT-FORM",
            changes={"project": value},
            path="project",
            value=str(value),
            rule="6 to 30 lower-case letters" if not str(value).isdigit() else "a project number",
            fix="use the project's id" if not str(value).isdigit() else "gcloud projects describe",
        )
        for value in ("Acme LLM", "acme", "acme_llm", "9lives-dev", "acme-llm-", "a" * 31, 123456789012, "123456789012")
    ),
)

PINNED_IMAGES = (
    *(
        Wrong(
            name=f"image without tag or digest: {image}",
            id="LLMD-IMAGE-TAG",
            changes={"models[0].image": image},
            path="models[0].image",
            value=image,
            rule="neither tag nor digest",
            fix=f"use {image}:v0.26.0",
        )
        for image in ("vllm/vllm-openai", "localhost:5000/team/vllm")
    ),
    *(
        Wrong(
            name=f"image that cannot be one: {image}",
            id="LLMD-IMAGE-FORM",
            changes={"models[0].image": image},
            path="models[0].image",
            value=image,
            rule="not the name of a container image",
            fix=fix,
        )
        for image, fix in (
            ("https://ghcr.io/a/b:1", "use ghcr.io/a/b:1"),
            ("ghcr.io/A/B:1", "use ghcr.io/a/b:1"),
            ("vllm openai:1", "vllm/vllm-openai:v0.26.0"),
        )
    ),
    Wrong(
        name="weights in an image without tag",
        id="LLMD-IMAGE-TAG",
        changes={"models[0].source": {"kind": "image", "reference": "ghcr.io/a/weights", "path": "/"}},
        path="models[0].source.reference",
        value="ghcr.io/a/weights",
        rule="neither tag nor digest",
        fix="use ghcr.io/a/weights:",
    ),
    Wrong(
        name="mirror of one registry of several",
        id="LLMD-MIRROR-MISSING",
        changes={"registry": {"mirrors": {"docker.io": "europe-docker.pkg.dev/my-project/hub"}}},
        path="registry.mirrors",
        value="docker.io",
        rule="come from ghcr.io, which has no mirror",
        fix="the key * for every other registry",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="controllers behind a mirror with an account",
        id="LLMD-MIRROR-CONTROLLERS",
        stack="kserve-single-replica-gpu",
        changes={"registry": {"mirrors": {"*": "mirror.example.com/all"}, "existingSecret": "mirror"}},
        path="registry.mirrors",
        value="*",
        rule="come from mirror.example.com, and these pods have no pull secret",
        fix="use a mirror that nodes read without it",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="image whose tag moves",
        id="LLMD-IMAGE-MOVES",
        changes={"models[0].image": "vllm/vllm-openai:latest"},
        path="models[0].image",
        value="vllm/vllm-openai:latest",
        rule="names another image after each build",
        fix="use the tag of a version",
        severity=Severity.WARNING,
    ),
)

NAMES = (
    *(
        Wrong(
            name=f"name in requests with a blank or a dash: {path}",
            id="LLMD-SETTING-FORM",
            changes={path: value},
            path=where,
            value=text,
            rule="a name without blanks, * and ? that does not begin with a dash",
            fix=f"use {fix}",
        )
        for path, value, where, text, fix in (
            ("models[0].servedName", "my model", "models[0].servedName", "my model", "my-model"),
            ("models[0].servedName", "-chat", "models[0].servedName", "-chat", "chat"),
            ("models[0].aliases", ["ok", " a"], "models[0].aliases[1]", '" a"', "a"),
        )
    ),
    Wrong(
        name="model id without organization",
        id="LLMD-MODEL-ORGANIZATION",
        changes={"models[0].id": "Qwen3-8B"},
        path="models[0].id",
        value="Qwen3-8B",
        rule="an organization before its name",
        fix="did you mean Qwen/Qwen3-8B?",
    ),
    Wrong(
        name="model id in another case",
        id="LLMD-MODEL-CASE",
        changes={"models[0].id": "Google/Gemma-2B-it"},
        path="models[0].id",
        value="Google/Gemma-2B-it",
        rule="the Hub spells this repository google/gemma-2b-it",
        fix="use google/gemma-2b-it",
        severity=Severity.WARNING,
    ),
)

# Flag, its value, and what to use instead.
_FLAGS = (
    ("--port", "9000", "clients use the Gateway's"),
    ("--host", "127.0.0.1", "listen on the pod's address"),
    ("--root-path", "/llm", "/v1 and /health"),
    ("--uds", "/tmp/socket", "remove it"),
    ("--model", "other", "models[].id"),
    ("--served-model-name", "x", "servedName"),
    ("--tensor-parallel-size", "8", "tensorParallel"),
    ("-tp", "8", "tensorParallel"),
    ("--data_parallel_size", "2", "dataParallel"),
    ("--kv-transfer-config", "{}", "pattern: disaggregated"),
    ("--kv-events-config", "{}", "prefixRouting: precise"),
    ("--max-model-len", "1000", "set models[0].maxModelLen"),
    ("--dtype", "float32", "set models[0].dtype"),
    ("--headless", "", "pipelineParallel"),
    ("--no-enable-prefix-caching", "", "set models[0].prefixCaching"),
    ("--shutdown-timeout", "99", "remove it here"),
    ("--enable-lora", "", "models[].adapters"),
    ("--config", "more.yaml", "as settings"),
)

ARGUMENTS = (
    *(
        Wrong(
            name=f"an argument of the planner's: {flag}",
            id="LLMD-EXTRA-ARGS-PLANNED",
            changes={
                "models[0].allowExtraArgs": True,
                "models[0].extraArgs": ["--seed", "7", *filter(None, (flag, value))],
                "models[0].maxModelLen": 2048,
            },
            path="models[0].extraArgs[2]",
            value=flag,
            rule="",
            fix=fix,
        )
        for flag, value, fix in _FLAGS
    ),
    *(
        Wrong(
            name=f"code of the repository: {name}",
            id="LLMD-REMOTE-CODE",
            changes={
                "models[0].allowExtraArgs": True,
                "models[0].extraArgs": ["--trust-remote-code"],
                "models[0].source": {"kind": "hugging-face"} | revision,
            },
            path="models[0].extraArgs",
            value="--trust-remote-code",
            rule=rule,
            fix=fix,
            severity=Severity.WARNING,
        )
        for name, revision, rule, fix in (
            ("pinned by the catalog", {}, "as they are at 96988410cbda", "read the files of that commit"),
            ("pinned", {"revision": "0123456789" * 4}, "as they are at 0123456789", "read the files of that commit"),
            ("on a branch", {"revision": "main"}, "its owners can change", "source.revision to a commit"),
        )
    ),
    Wrong(
        name="a key of the engine",
        id="LLMD-EXTRA-ARGS-PLANNED",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--api-key=abc"]},
        path="models[0].extraArgs[0]",
        value="--api-key=(hidden)",
        rule="vLLM answers 401 to probes",
        fix="authenticate in front of the Gateway",
    ),
)

RANGES = (
    Wrong(
        name="range of Docker's bridge",
        id="LLMD-CIDR-DOCKER",
        changes={"network.nodeCidr": "172.17.0.0/20"},
        path="network.nodeCidr",
        value="172.17.0.0/20",
        rule="Docker uses inside its hosts",
        fix="such as 10.0.0.0/20",
        severity=Severity.WARNING,
    ),
)

QUOTED = (
    *(
        Wrong(
            name=f"in quotes: {path}",
            id="LLMD-SETTING-QUOTED",
            changes={path: value},
            path=path,
            value=f'"{value}"',
            rule=f"it is taken as {read}",
            fix=f"{path.rpartition('.')[2]}: {read}, without quotes",
            severity=Severity.WARNING,
        )
        for path, value, read in (
            ("models[0].maxModelLen", "2048", "2048"),
            ("models[0].gpuMemoryUtilization", "0.8", "0.8"),
            ("paused", "no", "false"),
        )
    ),
)

PICKER_SETTINGS = (
    *(
        Wrong(
            name=f"a parameter that the picker does not use: {name}",
            id="LLMD-PICKER-PARAMETER-UNUSED",
            changes={"release": "gaie-1.5", **own({"type": "prefix-cache-scorer", "parameters": {name: value}})},
            path=f"picker.config.plugins[1].parameters.{name}",
            value=str(value),
            rule=rule,
            fix=fix,
            severity=Severity.WARNING,
        )
        for name, value, rule, fix in (
            ("lruCapacityPerServer", 1000, "accepts lruCapacityPerServer and never uses it", "remove it"),
            ("blockSizeTokens", 16, "uses the block size that engines report instead", "add autoTune: false"),
        )
    ),
    Wrong(
        name="picker that fails open",
        id="LLMD-PICKER-FAIL-OPEN",
        changes={"picker.failureMode": "open"},
        path="picker.failureMode",
        value="open",
        rule="requests fail with a 5xx until the load balancer",
        fix="several pickers",
        severity=Severity.WARNING,
    ),
)

ACKNOWLEDGED = (
    *(
        Wrong(
            name=f"acknowledgement: {name}",
            id=identifier,
            changes={"acknowledge": [OPEN, *({"id": identifier, "reason": "checked"} for identifier in ids)]},
            path=f"acknowledge[{len(ids)}].id",
            value=ids[-1],
            rule=rule,
            fix=fix,
            severity=Severity.WARNING if "UNUSED" in identifier else Severity.ERROR,
        )
        for name, identifier, ids, rule, fix in (
            ("unknown id", "LLMD-ACKNOWLEDGE-UNKNOWN", ["LLMD-TLS-NOEN"], "no rule has this id", "LLMD-TLS-NONE?"),
            (
                "an id like no other",
                "LLMD-ACKNOWLEDGE-UNKNOWN",
                ["LLMD-NOPE"],
                "no rule has this id",
                "docs/findings.md",
            ),
            ("an error", "LLMD-ACKNOWLEDGE-ERROR", ["LLMD-TP-DIVIDES"], "this rule is an error", "remove"),
            (
                "of nothing",
                "LLMD-ACKNOWLEDGE-UNUSED",
                ["LLMD-SPLIT-LENGTHS"],
                "does not have this warning",
                "remove it; from a base, move it to the stack files",
            ),
        )
    ),
    Wrong(
        name="acknowledgement twice",
        id="LLMD-ACKNOWLEDGE-TWICE",
        changes={
            "acknowledge": [OPEN, {"id": "LLMD-TLS-NONE", "reason": "a"}, {"id": "LLMD-TLS-NONE", "reason": "b"}],
        },
        path="acknowledge[2].id",
        value="LLMD-TLS-NONE",
        rule="already acknowledged above",
        fix="keep one",
    ),
    Wrong(
        name="acknowledgement without a reason",
        id="LLMD-SETTING-MISSING",
        changes={"acknowledge": [{"id": "LLMD-TLS-NONE"}]},
        path="acknowledge[0].reason",
        value="(missing)",
        rule="required",
        fix="reason: ",
    ),
    Wrong(
        name="acknowledgement with an empty reason",
        id="LLMD-SETTING-FORM",
        changes={"acknowledge": [{"id": "LLMD-TLS-NONE", "reason": " "}]},
        path="acknowledge[0].reason",
        value='" "',
        rule="a sentence",
        fix="VPN",
    ),
)

BUDGET = (
    Wrong(
        name="more than the budget",
        id="LLMD-BUDGET",
        changes={"accelerator.nodes.max": 300, "budget": {"maxMonthlyUsd": 5000}, "network.podCidr": "10.16.0.0/12"},
        path="budget.maxMonthlyUsd",
        value="5000",
        rule="with every node pool at its largest (300 n1-standard-4 and 3 e2-standard-4) the stack costs $",
        fix="lower accelerator.nodes.max or cpuPool.nodes.max, or raise the budget to",
    ),
    Wrong(
        name="a budget that only CPU nodes exceed",
        id="LLMD-BUDGET",
        changes={"accelerator.nodes.max": 1, "budget": {"maxMonthlyUsd": 700}},
        path="budget.maxMonthlyUsd",
        value="700",
        rule="with every node pool at its largest (1 n1-standard-4 and 3 e2-standard-4) the stack costs $",
        fix="lower cpuPool.nodes.max, or raise the budget to",
    ),
    Wrong(
        name="budget beside an unknown price",
        id="LLMD-BUDGET-UNKNOWN",
        changes={
            "location": "us-central1-b",
            "accelerator": {"type": "nvidia-h200-141gb", "provisioning": "flex-start"},
            "budget": {"maxMonthlyUsd": 100000},
        },
        path="budget.maxMonthlyUsd",
        value="100000",
        rule="has no price of accelerator nodes",
        fix="llm-d:prices",
        severity=Severity.WARNING,
    ),
)
