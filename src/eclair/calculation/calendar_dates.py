"""Calendar arithmetic: days between dates, dates so much later, weeks and weekdays, and times in other time zones.

Dates are Gregorian. Working days are Monday to Friday; no public holidays are known here, and results say so.
"""

from __future__ import annotations

import re
import zoneinfo
from calendar import isleap, monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache

from eclair.errors import InvalidInput

MAX_ADDED_DAYS = 4_000_000
"""More than the calendar has."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NO_HOLIDAYS = "Public holidays are not taken into account."

_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_ISO_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A time to add to a date: years and months first, then days, then working days. All may be negative."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    working_days: int = 0


class Calendar:
    """Reads dates and calculates with them. `now` is the time with its zone, for `today` and `now`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def read_date(self, text: str) -> date:
        """Read `2026-03-31` or `today`. Raises InvalidInput."""
        if text.strip().casefold() in ("today", "now"):
            return self._now().date()
        match = _ISO_DATE.fullmatch(text.strip()[:10])
        if match is None:
            raise _unreadable(text, "2026-03-31, or today")
        try:
            return date(*(int(part) for part in match.groups()))
        except ValueError as error:
            raise _missing(text) from error

    def describe(self, day: date) -> str:
        """Say what is to be known of a date: weekday, ISO week, day of the year, quarter, and how far it is."""
        week = day.isocalendar()
        length = 366 if isleap(day.year) else 365
        number = day.timetuple().tm_yday
        today = self._now().date()
        far = (day - today).days
        direction = "from now" if far > 0 else "ago"
        when = "That is today." if far == 0 else f"That is {_count(abs(far), 'day')} {direction} ({today})."
        return (
            f"{write_date(day)}: ISO week {week.week} of {week.year}, day {number} of {length}, "
            f"quarter {(day.month + 2) // 3}; {_count(length - number, 'day')} of the year left. "
            f"{day.year} {'is' if length == 366 else 'is not'} a leap year. {when}"
        )

    def between(self, start: date, end: date) -> str:
        """Say how long it is from one date to another, which itself isn't counted."""
        days = (end - start).days
        first, last = min(start, end), max(start, end)
        years, months, rest = age(first, last)
        whole = f"{_count(years, 'year')}, {_count(months, 'month')} and {_count(rest, 'day')}"
        weeks = f"{_count(abs(days) // 7, 'week')} and {_count(abs(days) % 7, 'day')}"
        working = count_working_days(first, last)
        back = " The second date is the earlier one." if days < 0 else ""
        return (
            f"From {write_date(start)} to {write_date(end)}: {_count(abs(days), 'day')}, that is {weeks}, or {whole}. "
            f"If both dates are to count, it is one day more.{back} Working days (Monday to Friday) from the "
            f"earlier date up to the later one, which is not counted: {working}. {NO_HOLIDAYS}"
        )

    def add(self, start: date, span: DateSpan) -> str:
        """Say which date is so much later or, if negative, earlier. Raises InvalidInput."""
        try:
            found = add_months(start, span.years * 12 + span.months) + timedelta(days=span.weeks * 7 + span.days)
            found = add_working_days(found, span.working_days)
        except (OverflowError, ValueError) as error:
            raise InvalidInput("The result lies outside the years 1 to 9999; choose less.", param="date") from error
        note = f" {NO_HOLIDAYS}" if span.working_days else ""
        week = found.isocalendar()
        return f"{write_date(found)} ({found.isoformat()}), ISO week {week.week} of {week.year}.{note}"

    def convert(self, text: str, zone: str | None, to: str) -> str:
        """Say what time it is elsewhere: `text` is `2026-03-31 14:30`, or `now`. Raises InvalidInput."""
        target = find_zone(to)
        if text.strip().casefold() in ("now", "today"):
            moment = self._now()
            source: tzinfo = find_zone(zone) if zone else moment.tzinfo or UTC
            local, note = moment.astimezone(source), ""
        else:
            local, note = self._local_time(text, zone)
        other = local.astimezone(target)
        return f"{_write_time(local, zone)} is {_write_time(other, to)}.{note}"

    def _local_time(self, text: str, zone: str | None) -> tuple[datetime, str]:
        match = _ISO_TIME.fullmatch(text.strip())
        if match is None:
            raise _unreadable(text, "2026-03-31 14:30, or now")
        place: tzinfo = find_zone(zone) if zone else self._now().tzinfo or UTC
        try:
            local = datetime(*(int(part or 0) for part in match.groups()), tzinfo=place)
        except ValueError as error:
            raise _missing(text) from error
        if local.astimezone(UTC).astimezone(place).replace(tzinfo=None) != local.replace(tzinfo=None):
            return local, " The clocks go forward then: the first time doesn't exist that day."
        if local.replace(fold=1).utcoffset() != local.utcoffset():
            later = local.replace(fold=1)
            return local, f" The clocks go back then: the first time comes twice, the second time at {later:%z}."
        return local, ""


def age(start: date, end: date) -> tuple[int, int, int]:
    """Return whole years, months and days from one date to a later one. From 29 February, a year ends on 1 March."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if _months_later(start, months) > end:
        months -= 1
    return months // 12, months % 12, (end - _months_later(start, months)).days


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later, or the last day of a shorter month. Raises ValueError."""
    number = day.year * 12 + day.month - 1 + months
    year, month = number // 12, number % 12 + 1
    if not 1 <= year <= 9999:
        raise ValueError("outside the calendar")
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _months_later(day: date, months: int) -> date:
    """Return the same day so many months later, or the first of the month after a shorter one."""
    found = add_months(day, months)
    return found if found.day == day.day else found + timedelta(days=1)


def count_working_days(start: date, end: date) -> int:
    """Count Mondays to Fridays from `start` up to `end`, which isn't counted."""
    days = (end - start).days
    weeks, rest = divmod(days, 7)
    return weeks * 5 + sum((start.weekday() + each) % 7 < 5 for each in range(rest))


def add_working_days(day: date, count: int) -> date:
    """Return the date after so many Mondays to Fridays, `day` itself not counted. Raises OverflowError."""
    if count == 0:
        return day
    step = 1 if count > 0 else -1
    weeks, rest = divmod(abs(count), 5)
    while day.weekday() > 4:  # from a weekend, the first step leads to its edge
        day -= timedelta(days=step)
    found = day + timedelta(days=7 * weeks * step)
    while rest:
        found += timedelta(days=step)
        rest -= found.weekday() < 5
    return found


def write_date(day: date) -> str:
    """Write a date so that nobody mistakes day and month."""
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def find_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by its IANA name, in any case, or by its city. Raises InvalidInput."""
    wanted = name.strip().replace(" ", "_").casefold()
    if wanted in ("utc", "gmt", "z"):
        return zoneinfo.ZoneInfo("UTC")
    found = _zone_names().get(wanted)
    if found is None:
        raise InvalidInput(f"There is no time zone {name!r}; write one such as Europe/Paris.", param="time_zone")
    return zoneinfo.ZoneInfo(found)


@cache
def _zone_names() -> dict[str, str]:
    """Return the zones by their names and their cities, in small letters."""
    names = sorted(zoneinfo.available_timezones())
    cities = {each.rpartition("/")[2].casefold(): each for each in reversed(names) if "/" in each}
    return {**cities, **{each.casefold(): each for each in names}}


def _write_time(moment: datetime, zone: str | None) -> str:
    offset = moment.strftime("%z")
    place = f"{zone}, " if zone else ""
    return f"{write_date(moment.date())}, {moment:%H:%M} ({place}UTC{offset[:3]}:{offset[3:5]})"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _unreadable(text: str, example: str) -> InvalidInput:
    return InvalidInput(f"{text[:40]!r} is no date; write it as {example}.", param="date")


def _missing(text: str) -> InvalidInput:
    return InvalidInput(f"The calendar has no {text[:40]!r}; check day and month.", param="date")
