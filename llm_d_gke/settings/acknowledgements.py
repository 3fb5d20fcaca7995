"""Warnings that the owner of a stack has read and accepts."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.base import Settings, form


class Acknowledgement(Settings):
    """A rule whose findings are shown as acknowledged, with the reason.

    All warnings can be acknowledged, and the few errors for which docs/findings.md allows it.
    """

    id: Annotated[
        str,
        Field(
            pattern=r"^LLMD-[A-Z0-9-]+$",
            description="Id of the rule, as the warning shows it; docs/findings.md lists all.",
            examples=["LLMD-TLS-NONE"],
            json_schema_extra=form("the id of a rule: LLMD- and words in capitals"),
        ),
    ]
    reason: Annotated[
        str,
        Field(
            pattern=r"\S",
            max_length=500,
            description="Why the warning does not apply, or why its consequence is accepted.",
            examples=["only reachable through our VPN"],
            json_schema_extra=form("a sentence for the next reader"),
        ),
    ]
