"""Number of replicas of a model: limits, and the metrics that scale it."""

import datetime
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from llm_d_gke.settings.base import Settings, form, merged_by, refusal

# Fields of a cron line with their ranges and names, as github.com/robfig/cron/v3 (ParseStandard) reads them, which KEDA
# uses.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_RANGE = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def _cron(line: str) -> str:
    fields = line.split()
    if len(fields) != len(_CRON):
        raise refusal(
            "LLMD-CRON-FORM",
            f"a cron line has five fields (minute, hour, day of the month, month, day of the week), not {len(fields)}",
            'write it as in "0 7 * * 1-5": at 7:00 from Monday to Friday',
        )
    for text, (name, low, high, words) in zip(fields, _CRON, strict=True):
        if not all(_values(part, low, high, words) for part in text.split(",")):
            raise refusal(
                "LLMD-CRON-FORM",
                f"{text} is no {name}: it goes from {low} to {high}",
                'write it as in "0 7 * * 1-5": at 7:00 from Monday to Friday',
            )
    return " ".join(fields)


def _values(part: str, low: int, high: int, words: tuple[str, ...]) -> range:
    """The numbers that a part of a field stands for: `*`, a number, a name, or a range with a step; none if wrong."""
    match = _RANGE.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"]) or int(match["step"] or 1) == 0:
        return range(0)
    first = low if match["first"] == "*" else _number(match["first"], low, words)
    last = _number(match["last"], low, words) if match["last"] else first
    if first is None or last is None or not low <= first <= last <= high:
        return range(0)
    if match["first"] == "*" or (match["step"] and not match["last"]):
        last = high
    return range(first, last + 1, int(match["step"] or 1))


def _number(text: str, low: int, words: tuple[str, ...]) -> int | None:
    if text.lower() in words:
        return words.index(text.lower()) + low
    return int(text) if text.isdecimal() else None


@dataclass(frozen=True)
class CronSchedule:
    """The minutes of a day and the days on which a cron line fires, as robfig/cron reads it."""

    minutes: tuple[int, ...]
    months: frozenset[int]
    days: frozenset[int]
    weekdays: frozenset[int]
    # Days of the month and of the week count together only if one of them is `*`; otherwise either will do.
    both_days: bool

    @classmethod
    def of(cls, line: str) -> Self:
        """The schedule of a valid line."""
        fields = line.split()
        minutes, hours, days, months, weekdays = (
            frozenset(value for part in text.split(",") for value in _values(part, low, high, words))
            for text, (_, low, high, words) in zip(fields, _CRON, strict=True)
        )
        return cls(
            minutes=tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
            months=months,
            days=days,
            weekdays=weekdays,
            both_days=any(part in ("*", "*/1") for text in (fields[2], fields[4]) for part in text.split(",")),
        )

    def times(self, first: datetime.date, days: int) -> Iterator[datetime.datetime]:
        """When it fires in `days` days from the first one on, in order."""
        for day in (first + datetime.timedelta(days=number) for number in range(days)):
            if self._on(day):
                midnight = datetime.datetime.combine(day, datetime.time())
                yield from (midnight + datetime.timedelta(minutes=minute) for minute in self.minutes)

    def _on(self, day: datetime.date) -> bool:
        matches = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return day.month in self.months and (all(matches) if self.both_days else any(matches))


def _time_zone(name: str) -> str:
    time_zones = zoneinfo.available_timezones()
    # Without a time zone database on this machine nothing is known, and KEDA's own webhook has the last word.
    if time_zones and name not in time_zones:
        raise refusal(
            "LLMD-TIME-ZONE",
            "the time zone database has no zone of this name",
            "use an IANA name, such as Europe/Berlin, America/New_York or Etc/UTC",
        )
    return name


CronLine = Annotated[
    str,
    AfterValidator(_cron),
    Field(max_length=128, examples=["0 7 * * 1-5"], json_schema_extra=form("a cron line of five fields")),
]
TimeZone = Annotated[
    str,
    AfterValidator(_time_zone),
    Field(max_length=64, examples=["Europe/Berlin"], json_schema_extra=form("an IANA time zone")),
]


class ScalingTargets(Settings):
    """Target per replica. Of several, the one that needs the most replicas decides."""

    requests_per_replica: Annotated[
        float | None,
        Field(gt=0, le=65536, description="Requests that a replica works on or has waiting.", examples=[16]),
    ] = None
    queue_per_replica: Annotated[
        float | None, Field(gt=0, le=65536, description="Requests that wait in a replica's queue.", examples=[4])
    ] = None
    kv_cache: Annotated[
        float | None, Field(gt=0, lt=1, description="Share of a replica's KV cache in use.", examples=[0.7])
    ] = None
    time_to_first_token_ms: Annotated[
        int | None,
        Field(
            ge=1,
            le=3_600_000,
            description="Time to the first token of 95 % of the last five minutes' requests, in milliseconds.",
            examples=[800],
        ),
    ] = None


class ScalingSpeed(Settings):
    """How fast the number of replicas changes in one direction."""

    replicas: Annotated[
        int | None,
        Field(ge=1, le=256, description="Most replicas a period adds or removes; by default as many as there are."),
    ] = None
    period_seconds: Annotated[int, Field(ge=1, le=1800, description="Length of the period.")] = 15
    stabilization_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            le=3600,
            description="How long a number of replicas has to be asked for: by default 0 seconds up, 300 down.",
        ),
    ] = None


class ScalingWindow(Settings):
    """A time with a minimum of replicas, whatever the load."""

    start: Annotated[CronLine, Field(description="When it begins.")]
    end: Annotated[CronLine, Field(description="When it ends.")]
    time_zone: Annotated[TimeZone, Field(description="Time zone of both.")] = "Etc/UTC"
    replicas: Annotated[int, Field(ge=1, le=256, description="Minimum replicas in it.")]


class AutoscalingSettings(Settings):
    """Replicas that follow the load: KEDA reads the stack's metrics and changes their number."""

    minimum: Annotated[
        int,
        Field(ge=0, le=256, description="Minimum replicas; 0: none without requests, and the first ones wait or fail."),
    ] = 1
    maximum: Annotated[
        int, Field(ge=1, le=256, description="Most replicas, which the node pool has to hold.", examples=[3])
    ]
    target: Annotated[ScalingTargets, Field(description="What decides; at least one of them.")] = (
        ScalingTargets.defaults()
    )
    up: Annotated[ScalingSpeed, Field(description="How fast replicas are added.")] = ScalingSpeed.defaults()
    down: Annotated[ScalingSpeed, Field(description="How fast replicas are removed.")] = ScalingSpeed.defaults()
    idle_seconds: Annotated[
        int,
        Field(ge=60, le=86_400, description="With minimum 0: time without requests after which the last replica ends."),
    ] = 300
    windows: Annotated[
        tuple[ScalingWindow, ...],
        Field(
            max_length=16,
            description="Times with more replicas than the minimum.",
            json_schema_extra=merged_by("start"),
        ),
    ] = ()
