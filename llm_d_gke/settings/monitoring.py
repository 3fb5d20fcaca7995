"""Metrics in Google Cloud, a dashboard, and alerts."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.base import Settings, form, listed_once


class AlertSettings(Settings):
    """Alert policies of Cloud Monitoring: errors by burn rate, no replica, and latency where a limit is set."""

    notification_channels: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    pattern=r"^projects/[^/]+/notificationChannels/[^/]+$",
                    examples=["projects/my-project/notificationChannels/1234567890"],
                    json_schema_extra=form("projects/PROJECT/notificationChannels/ID"),
                ),
            ],
            ...,
        ],
        listed_once(),
        Field(description="Whom to notify; without any, incidents show in the console only."),
    ] = ()
    availability: Annotated[
        float,
        Field(
            ge=0.5,
            le=0.9999,
            description="Share of requests that are meant to end without an error. Alerts fire when errors use up a"
            " month's budget 14.4 times too fast over an hour, or 6 times over six hours.",
        ),
    ] = 0.99
    time_to_first_token_seconds: Annotated[
        float | None, Field(gt=0, description="Limit of the time to first token of 95 % of requests.")
    ] = None
    time_per_output_token_seconds: Annotated[
        float | None, Field(gt=0, description="Limit of the time per further token of 95 % of tokens.")
    ] = None
    idle_hours: Annotated[
        int | None,
        Field(ge=1, le=168, description="Hours without a request after which running accelerators are reported."),
    ] = None


class MonitoringSettings(Settings):
    """Google Cloud Managed Service for Prometheus."""

    enabled: Annotated[bool, Field(description="Scrape model servers and pickers.")] = True
    interval_seconds: Annotated[
        int,
        Field(ge=5, le=150, description="Seconds between two scrapes. Rates over five minutes need two of them."),
    ] = 30
    dashboard: Annotated[bool, Field(description="Create a dashboard in Cloud Monitoring.")] = False
    alerts: Annotated[AlertSettings | None, Field(description="Create alert policies in Cloud Monitoring.")] = None
