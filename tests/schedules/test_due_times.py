"""Due times: as cron lines say, in every zone, also where clocks are changed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclair.errors import InvalidInput
from eclair.schedules.due_times import next_due

ZONES = (
    "Europe/Berlin",
    "Europe/Lisbon",
    "Europe/Dublin",
    "Atlantic/Azores",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
)


def ms(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def times(line: str, zone: str, after: int, count: int) -> list[str]:
    """The next due times as clocks show them, with their offset."""
    found: list[str] = []
    for _ in range(count):
        after = next_due(line, zone, after)
        found.append(datetime.fromtimestamp(after / 1000, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


def test_every_weekday_at_seven() -> None:
    assert times("0 7 * * 1-5", "Europe/Berlin", ms("2026-11-27T08:00", "Europe/Berlin"), 2) == [
        "2026-11-30T07:00+01:00",
        "2026-12-01T07:00+01:00",
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0 7 * * MON", "2026-12-07T07:00+00:00"),
        ("30 6,18 * * *", "2026-12-01T18:30+00:00"),
        ("0 7 L * *", "2026-12-31T07:00+00:00"),
        ("0 7 31 * *", "2026-12-31T07:00+00:00"),
        ("0 7 29 2 *", "2028-02-29T07:00+00:00"),
        ("0 7 1 JAN-MAR *", "2027-01-01T07:00+00:00"),
        ("0 7 13 * FRI", "2026-12-04T07:00+00:00"),
        ("*/15 9-17 * * *", "2026-12-01T12:15+00:00"),
        ("0 7 * * 7", "2026-12-06T07:00+00:00"),
        ("5/30 */6 * * *", "2026-12-01T12:05+00:00"),
    ],
)
def test_lines_say_when(line: str, found: str) -> None:
    assert times(line, "UTC", ms("2026-12-01T12:00"), 1) == [found]


def test_the_last_day_of_each_month() -> None:
    days = [each[:10] for each in times("0 7 L * *", "UTC", ms("2027-12-31T12:00"), 3)]
    assert days == ["2028-01-31", "2028-02-29", "2028-03-31"]


def test_a_time_that_summer_time_leaves_out_is_due_when_the_clock_goes_on() -> None:
    assert times("30 2 * * *", "Europe/Berlin", ms("2026-03-28T12:00", "Europe/Berlin"), 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]


def test_a_time_that_comes_twice_is_due_once() -> None:
    assert times("30 2 * * *", "Europe/Berlin", ms("2026-10-24T12:00", "Europe/Berlin"), 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]


def test_an_hourly_line_follows_the_real_time() -> None:
    begin = ms("2026-10-25T01:30", "Europe/Berlin")
    found = [next_due("0 * * * *", "Europe/Berlin", begin + hour * 3_600_000) - begin for hour in range(4)]
    assert [each // 60_000 for each in found] == [30, 90, 150, 210]
    assert times("0 * * * *", "Europe/Berlin", ms("2026-03-29T01:30", "Europe/Berlin"), 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T04:00+02:00",
    ]


def test_a_day_that_a_zone_left_out_is_due_when_its_clock_goes_on() -> None:
    found = times("0 7 30 12 *", "Pacific/Apia", ms("2011-12-29T08:00", "Pacific/Apia"), 1)
    assert found == ["2011-12-31T00:00+14:00"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "five fields"),
        ("0 7 * *", "five fields"),
        ("0 7 * * * *", "five fields"),
        ("60 7 * * *", "no minute"),
        ("0 24 * * *", "no hour"),
        ("0 7 0 * *", "no day of the month"),
        ("0 7 * 13 *", "no month"),
        ("0 7 * * 8", "no weekday"),
        ("0 7 * * FREITAG", "no weekday"),
        ("0 9-7 * * *", "backwards"),
        ("*/0 7 * * *", "no minute"),
        ("*/10 * * * *", "15 minutes"),
        ("0,5 7 * * *", "15 minutes"),
        ("0 7 30 2 *", "never comes"),
        ("٠ 7 * * *", "no minute"),
        ("1e1 7 * * *", "no minute"),
        ("-1 7 * * *", "no minute"),
        (", 7 * * *", "no minute"),
    ],
)
def test_other_lines_are_refused_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        next_due(line, "UTC", ms("2026-01-01T00:00"))


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "a" * 300, "x\0y"])
def test_other_zones_are_refused(zone: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        next_due("0 7 * * *", zone, 0)


MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2050, 1, 1)).map(
    lambda moment: int(moment.replace(tzinfo=UTC).timestamp() * 1000)
)


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), MOMENTS)
def test_a_daily_line_is_due_once_a_day_at_its_time_or_when_the_clock_goes_on(
    hour: int, minute: int, zone: str, after: int
) -> None:
    clock = ZoneInfo(zone)
    found: list[datetime] = []
    for _ in range(5):
        later = next_due(f"{minute} {hour} * * *", zone, after)
        assert later > after
        after = later
        found.append(datetime.fromtimestamp(after / 1000, clock))
    for each in found:
        wall = each.replace(tzinfo=None, fold=0)
        if (wall.hour, wall.minute) != (hour, minute):  # the minute before it is not on that clock
            before = wall - timedelta(minutes=1)
            assert before.replace(tzinfo=clock).astimezone(UTC).astimezone(clock).replace(tzinfo=None) != before
        assert each.fold == 0
    days = [each.date() for each in found]
    assert all(timedelta(0) < later - earlier <= timedelta(days=2) for earlier, later in pairwise(days))


@settings(deadline=None)
@given(
    st.sets(st.sampled_from(range(0, 60, 15)), min_size=1),
    st.sets(st.integers(0, 23), min_size=1),
    st.sampled_from(ZONES),
    MOMENTS,
)
def test_due_times_only_move_on_and_none_is_left_out(minutes: set[int], hours: set[int], zone: str, after: int) -> None:
    line = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    first = next_due(line, zone, after)
    assert first > after
    assert next_due(line, zone, first - 1) == first
    assert next_due(line, zone, (after + first) // 2) == first
    wall = datetime.fromtimestamp(first / 1000, ZoneInfo(zone))
    assert wall.second == 0


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_a_line_or_refused(line: str, zone: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert next_due(line, zone, 0) > 0
