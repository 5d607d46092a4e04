"""Due times: the moments of a cron line in a time zone, also where clocks are changed.

A line names times of day. One that a change to summer time leaves out is due when the clock goes on, and one that comes
twice is due the first time. A line for every hour follows the real time instead, so that none is missed or comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eclair.errors import InvalidInput

MIN_INTERVAL_MINUTES = 15
MAX_LINE_CHARS = 200
MAX_YEARS_AHEAD = 9
"""A 29 February may be eight years away."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LAST_DAY = "L"
_DAY_MINUTES = 24 * 60
_MAX_GAP_MINUTES = 26 * 60
"""No change of clocks leaves out more; one may leave out a day."""


@dataclass(frozen=True, slots=True)
class CronLine:
    """A parsed line. `minutes_of_day` are sorted; `weekdays` count from Sunday, 0.

    With `is_either`, both days of the month and weekdays are limited, and a day that is one of either fits.
    """

    minutes_of_day: tuple[int, ...]
    days: frozenset[int]
    has_last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either: bool
    is_hourly: bool

    def fits(self, day: date) -> bool:
        """Return whether the line is due on a day."""
        if day.month not in self.months:
            return False
        is_last = self.has_last_day and (day + timedelta(days=1)).day == 1
        by_day = is_last or day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.is_either else (by_day and by_weekday)


@cache
def parse_cron(line: str) -> CronLine:
    """Parse a line of five fields: minute, hour, day of the month, month, weekday. Raises InvalidInput.

    Fields have `*`, numbers, ranges, steps and lists; months and weekdays have English names too, and `L` is the last
    day of a month.
    """
    fields = line.upper().split()
    if len(line) > MAX_LINE_CHARS or len(fields) != 5:
        raise InvalidInput(
            "A cron line has five fields: minute, hour, day of the month, month and weekday, such as `0 7 * * 1-5`.",
            param="cron",
        )
    minutes, hours = _parse_field(fields[0], "minute", 0, 59), _parse_field(fields[1], "hour", 0, 23)
    day_items = [item for item in fields[2].split(",") if item != LAST_DAY]
    has_last_day = len(day_items) < len(fields[2].split(","))
    days = _parse_field(",".join(day_items), "day of the month", 1, 31) if day_items else frozenset[int]()
    months = _parse_field(fields[3], "month", 1, 12, MONTHS)
    weekdays = frozenset(each % 7 for each in _parse_field(fields[4], "weekday", 0, 7, WEEKDAYS))
    cron = CronLine(
        minutes_of_day=tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
        days=days,
        has_last_day=has_last_day,
        months=months,
        weekdays=weekdays,
        is_either=not fields[2].startswith("*") and not fields[4].startswith("*"),
        is_hourly=len(hours) == 24,
    )
    _check_interval(cron)
    return cron


def find_zone(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name. Raises InvalidInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"There is no time zone {name[:80]!r}; name one such as Europe/Berlin.", param="zone"
        ) from None


def next_due(line: str, zone: str, after: int) -> int:
    """Return the next due time after a moment, both in milliseconds since 1970.

    Raises InvalidInput for a line or zone that is none, and for a line that names no day that exists.
    """
    cron, clock = parse_cron(line), find_zone(zone)
    try:
        begin = datetime.fromtimestamp(after / 1000, UTC)
        first = begin.astimezone(clock).date() - timedelta(days=2)
        for number in range(MAX_YEARS_AHEAD * 366):
            day = first + timedelta(days=number)
            if cron.fits(day):
                for moment in _moments(cron, day, clock):
                    if moment > begin:
                        return int(moment.timestamp() * 1000)
    except (OverflowError, OSError):
        pass
    raise InvalidInput("This cron line names a day that never comes; change it.", param="cron")


def _moments(cron: CronLine, day: date, clock: ZoneInfo) -> Iterator[datetime]:
    """Yield the due times of a day in their order."""
    found: set[datetime] = set()
    for minute in cron.minutes_of_day:
        wall = datetime.combine(day, time(minute // 60, minute % 60))
        if cron.is_hourly:
            found.update(moment for fold in (0, 1) if (moment := _moment(wall, clock, fold)) is not None)
        else:
            found.add(_first_moment(wall, clock))
    yield from sorted(found)


def _moment(wall: datetime, clock: ZoneInfo, fold: int = 0) -> datetime | None:
    """Return when a clock shows a time of day; None if it never does."""
    moment = wall.replace(tzinfo=clock, fold=fold).astimezone(UTC)
    return moment if moment.astimezone(clock).replace(tzinfo=None, fold=0) == wall else None


def _first_moment(wall: datetime, clock: ZoneInfo) -> datetime:
    """Return when a clock first shows a time of day; for one that is left out, when the clock goes on."""
    moment = _moment(wall, clock)
    if moment is not None:
        return moment
    low, high = 0, _MAX_GAP_MINUTES  # the first minute from `wall` on that the clock shows
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if _moment(wall + timedelta(minutes=middle), clock) is None else (low, middle)
    found = _moment(wall + timedelta(minutes=high), clock)
    assert found is not None
    return found


def _check_interval(cron: CronLine) -> None:
    """Raise InvalidInput for due times less than 15 minutes apart."""
    times = cron.minutes_of_day
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if min((*gaps, _DAY_MINUTES - times[-1] + times[0])) < MIN_INTERVAL_MINUTES:
        raise InvalidInput(
            f"A schedule runs every {MIN_INTERVAL_MINUTES} minutes at most; name fewer times.", param="cron"
        )


def _parse_field(field: str, name: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    found = set[int]()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        begin = low if span == "*" else _parse_number(first, name, low, high, names)
        to_end = high if span == "*" or step else begin
        end = _parse_number(last, name, low, high, names) if dash else to_end
        by = _parse_number(step, name, 1, high) if "/" in item else 1
        if end < begin:
            raise InvalidInput(f"The range {span!r} of the {name} runs backwards; turn it round.", param="cron")
        found.update(range(begin, end + 1, by))
    return frozenset(found)


def _parse_number(text: str, name: str, low: int, high: int, names: tuple[str, ...] = ()) -> int:
    if text in names:
        return names.index(text) + (1 if names is MONTHS else 0)
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and low <= int(text) <= high):
        raise InvalidInput(
            f"{text[:20]!r} is no {name} in a cron line; use numbers from {low} to {high}, or `*`.", param="cron"
        )
    return int(text)
