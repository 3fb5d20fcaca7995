"""What a user says of the project and its repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

# What each key holds, and an example.
_FORMS: Mapping[str, tuple[str, str]] = {
    "project": (
        "the id of a Google Cloud project: 6 to 30 lower-case letters, digits and dashes, a letter first",
        "my-project-123456",
    ),
    "projectNumber": (
        "the project's number, which gcloud projects describe PROJECT --format='value(projectNumber)' prints",
        "123456789012",
    ),
    "location": ("a region, or a group of regions such as us", "us-central1"),
    "repository": ("a repository of GitHub as OWNER/NAME, without https://github.com/", "my-org/llm-d"),
    "repositoryId": ("the repository's number, which gh api repos/OWNER/NAME --jq .id prints", "123456789"),
    "ownerId": (
        "the number of the repository's owner, which gh api repos/OWNER/NAME --jq .owner.id prints",
        "12345678",
    ),
    "environments": (
        "a list of GitHub environments, one or more, whose names have letters, digits, dashes and underscores only",
        "staging",
    ),
    "branch": ("the name of a branch", "main"),
}


class BootstrapSettings(BaseModel):
    """Settings of the bootstrap program. Names go into conditions of federation, so their form is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    # Names the agent by which Cloud Storage uses a key.
    project_number: Annotated[str, Field(pattern=r"^[0-9]+$")]
    location: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+[0-9]+)?$")] = "us-central1"
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]
    # A name that its owner gives up can be another's; the number cannot.
    repository_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    # In the subjects of tokens of repositories that GitHub has created since 15 July 2026.
    owner_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    environments: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], ...], Field(min_length=1)]
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$")] = "main"
    preview_decrypts: bool = False
    access_logs: bool = True
    stack_accounts: bool = False


def settings_of(values: Mapping[str, Any]) -> BootstrapSettings:
    """The settings that a stack file holds. Raises one `RunError` with a line for each key that is missing or wrong.

    `values` by key, as Pulumi has them: texts, and `environments` as JSON.
    """
    present = {key: value for key, value in values.items() if value not in (None, "")}
    # One name in place of a list stays a text, which is refused below.
    with suppress(ValueError):
        present["environments"] = json.loads(present.get("environments", "[]"))
    try:
        return BootstrapSettings.model_validate(present)
    except ValidationError as refused:
        keys = dict.fromkeys(str(error["loc"][0]) for error in refused.errors())
        raise pulumi.RunError("\n".join(_problem(key, values.get(key)) for key in keys)) from None


def _problem(key: str, value: object) -> str:
    form, example = _FORMS.get(key, ("true or false", "true"))
    path = "--path 'environments[0]'" if key == "environments" else key
    problem = f"{key}: {value} is not {form}" if value else f"{key} is missing: {form}"
    return f"{problem}. Write: pulumi config set {path} {example} --cwd bootstrap"
