"""Names of things that exist outside of a stack, in the forms that Kubernetes and Google Cloud give them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from llm_d_gke.settings.base import form, refusal

# Files that a repository of weights has beside each other. A path of one of them is no folder.
_FILES_OF_A_MODEL = (".safetensors", ".json", ".bin", ".pt", ".pth", ".tar", ".gz", ".zip")

_FILES_OF_A_CERTIFICATE = (".pem", ".crt", ".cer", ".key", ".pfx", ".p12", ".json", ".yaml", ".yml", ".txt")

# Kubernetes' DNS subdomain names (kubernetes.io/docs/concepts/overview/working-with-objects/names).
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
# Compute Engine's names of resources (cloud.google.com/compute/docs/naming-resources).
_RESOURCE = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"


def _no_certificate_file(name: str) -> str:
    if name.endswith(_FILES_OF_A_CERTIFICATE):
        raise refusal(
            "LLMD-SETTING-FORM",
            "must be the name of a Secret, not a certificate or its file",
            "put the file into a Secret, and name that: kubectl create secret tls my-certificate --cert=... --key=...",
        )
    return name


SecretName = Annotated[
    str,
    Field(
        pattern=_SUBDOMAIN,
        max_length=253,
        examples=["my-secret"],
        json_schema_extra=form("the name of a Secret: lower-case letters, digits, dashes and dots"),
    ),
    # Behind the pattern, which the schema would lose.
    AfterValidator(_no_certificate_file),
]
ClaimName = Annotated[
    str,
    Field(
        pattern=_SUBDOMAIN,
        max_length=253,
        examples=["model-weights"],
        json_schema_extra=form("the name of a PersistentVolumeClaim: lower-case letters, digits, dashes and dots"),
    ),
]
# cloud.google.com/secret-manager/docs/creating-and-accessing-secrets: 1 to 255 letters, digits, dashes, underscores.
SecretManagerName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,255}$",
        examples=["hugging-face-token"],
        json_schema_extra=form(
            "the name of a secret of the stack's project, without projects/ and versions/: letters, digits, dashes and"
            " underscores"
        ),
    ),
]
AddressName = Annotated[
    str,
    Field(
        pattern=_RESOURCE,
        examples=["inference-address"],
        json_schema_extra=form(
            "the name of a reserved address, not the address itself: lower-case letters, digits and dashes"
        ),
    ),
]
# The Gateway finds certificates by their names, in its own project and region
# (cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways, options of a listener's TLS).
CertificateName = Annotated[
    str,
    Field(
        pattern=_RESOURCE,
        examples=["my-certificate"],
        json_schema_extra=form(
            "the name of a certificate in the stack's region, without projects/: lower-case letters, digits and dashes"
        ),
    ),
]
RangeName = Annotated[
    str,
    Field(
        pattern=_RESOURCE,
        examples=["pods"],
        json_schema_extra=form(
            "the name of a secondary range, not its addresses: lower-case letters, digits and dashes"
        ),
    ),
]
# cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters, field name
ClusterName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$",
        examples=["my-cluster"],
        json_schema_extra=form("the name of a cluster: up to 40 lower-case letters, digits and dashes"),
    ),
]
# A folder of weights. `..` would leave the place in which they lie.


def _no_file(path: str) -> str:
    if path.endswith(_FILES_OF_A_MODEL):
        folder = path.rpartition("/")[0]
        raise refusal(
            "LLMD-SETTING-FORM",
            "must be a folder, and this names a file: vLLM reads the weights with their config.json and tokenizer",
            f"use {folder or '.'}",
        )
    return path


# Behind a function pydantic leaves the pattern out of the JSON schema.
FolderPath = Annotated[
    str,
    Field(
        pattern=r"^/?[^/\s.][^/\s]*(/[^/\s.][^/\s]*)*/?$|^/$|^\.$",
        examples=["models/qwen3-8b"],
        json_schema_extra=form("a folder, with slashes between its parts and without .. or blanks"),
    ),
    AfterValidator(_no_file),
]

# Rules for project ids (cloud.google.com/resource-manager/docs/creating-managing-projects, "Before you begin"). Old
# projects of a domain have it and a colon before their name, which may be shorter (ProjectRegex in
# google-beta/verify/validation.go of hashicorp/terraform-provider-google-beta at 93c65b2d60).
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9-]+(\.[a-z0-9-]+)+:[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
_FIND_PROJECT = "look it up with: gcloud projects list"


def _project_id(value: object) -> object:
    # Before the type: a project number arrives as a number.
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        return value
    text = str(value)
    if text.isdigit():
        raise refusal(
            "LLMD-PROJECT-FORM",
            "this is a project number, and resources are named by project id",
            f"use the id: gcloud projects describe {text} --format='value(projectId)'",
        )
    if not _PROJECT_ID.fullmatch(text):
        corrected = text.strip().strip("/").rpartition("/")[2].lower()
        raise refusal(
            "LLMD-PROJECT-FORM",
            "a project id has 6 to 30 lower-case letters, digits and dashes, begins with a letter and does not end with"
            " a dash",
            f"use {corrected}, if that is the project's id; {_FIND_PROJECT}"
            if _PROJECT_ID.fullmatch(corrected)
            else f"use the project's id, such as my-project-123456, not its name; {_FIND_PROJECT}",
        )
    return text


ProjectId = Annotated[str, BeforeValidator(_project_id)]
