"""What a user says of the project and its repository."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class BootstrapSettings(BaseModel):
    """Settings of the bootstrap program. Names go into conditions of federation, so their form is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    # Names the agent by which Cloud Storage uses a key.
    project_number: Annotated[str, Field(pattern=r"^[0-9]+$")]
    location: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+[0-9])?$")]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]
    # A name that its owner gives up can be another's; the number cannot.
    repository_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    environments: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], ...], Field(min_length=1)]
    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$")] = "main"
    preview_decrypts: bool = False
    access_logs: bool = True
    stack_accounts: bool = False
