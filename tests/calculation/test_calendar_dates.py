"""Calendar arithmetic, held to Python's own calendar and to counting day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.calculation.calendar_dates import (
    Calendar,
    DateSpan,
    add_months,
    add_working_days,
    age,
    count_working_days,
    find_zone,
)
from eclair.errors import InvalidInput

TODAY = datetime(2026, 11, 29, 7, 30, tzinfo=UTC)
CALENDAR = Calendar(lambda: TODAY)
DAYS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


def test_a_date_is_described() -> None:
    assert CALENDAR.describe(CALENDAR.read_date("2027-01-01")) == (
        "Friday, 1 January 2027: ISO week 53 of 2026, day 1 of 365, quarter 1; 364 days of the year left. "
        "2027 is not a leap year. That is 33 days from now (2026-11-29)."
    )
    assert "That is today." in CALENDAR.describe(CALENDAR.read_date("today"))


def test_the_time_between_dates() -> None:
    said = CALENDAR.between(date(1990, 2, 28), CALENDAR.read_date("today"))
    assert "36 years, 9 months and 1 day" in said
    assert "Public holidays are not taken into account." in said
    back = CALENDAR.between(date(2026, 12, 24), date(2026, 11, 29))
    assert "25 days, that is 3 weeks and 4 days" in back
    assert "The second date is the earlier one." in back


def test_one_born_on_29_february_is_older_on_1_march() -> None:
    assert age(date(2004, 2, 29), date(2022, 2, 28)) == (17, 11, 30)
    assert age(date(2004, 2, 29), date(2022, 3, 1)) == (18, 0, 0)


def test_times_are_added() -> None:
    assert CALENDAR.add(date(2026, 1, 31), DateSpan(months=1)).startswith("Saturday, 28 February 2026 (2026-02-28)")
    assert CALENDAR.add(date(2026, 11, 28), DateSpan(working_days=1)).startswith("Monday, 30 November 2026")
    assert CALENDAR.add(date(2026, 11, 29), DateSpan(working_days=-1)).startswith("Friday, 27 November 2026")
    assert CALENDAR.add(date(2024, 2, 29), DateSpan(years=1, weeks=1, days=1)).startswith("Saturday, 8 March 2025")
    with pytest.raises(InvalidInput, match="outside the years"):
        CALENDAR.add(date(9999, 12, 1), DateSpan(months=1))
    with pytest.raises(InvalidInput, match="outside the years"):
        CALENDAR.add(date(2026, 1, 1), DateSpan(working_days=4_000_000))


def test_times_are_converted() -> None:
    assert CALENDAR.convert("2026-07-01 09:00", "Europe/Paris", "America/New_York") == (
        "Wednesday, 1 July 2026, 09:00 (Europe/Paris, UTC+02:00) is Wednesday, 1 July 2026, 03:00 (America/New_York, "
        "UTC-04:00)."
    )
    assert "13:00 (Asia/Kolkata, UTC+05:30)" in CALENDAR.convert("now", None, "Asia/Kolkata")
    assert "doesn't exist" in CALENDAR.convert("2026-03-29 02:30", "Berlin", "utc")
    assert "comes twice" in CALENDAR.convert("2026-10-25T02:30", "europe/berlin", "UTC")


@pytest.mark.parametrize("text", ["", "31.03.2026", "2026-02-30", "2026-13-01", "tomorrow", "0000-01-01"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"date|calendar"):
        CALENDAR.read_date(text)


@pytest.mark.parametrize("text", ["", "2026-03-31", "2026-03-31 25:00", "noon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"date|calendar"):
        CALENDAR.convert(text, None, "UTC")


def test_zones_are_found_by_name_and_city() -> None:
    assert find_zone("new york").key == "America/New_York"
    assert find_zone("EUROPE/LISBON").key == "Europe/Lisbon"
    with pytest.raises(InvalidInput, match="no time zone 'Atlantis'"):
        find_zone("Atlantis")


@given(DAYS, DAYS)
def test_working_days_are_counted_one_by_one(start: date, end: date) -> None:
    start, end = min(start, end), max(start, end)
    end = min(end, start + timedelta(days=400))
    days = [start + timedelta(days=each) for each in range((end - start).days)]
    assert count_working_days(start, end) == sum(day.weekday() < 5 for day in days)


@given(DAYS, st.integers(-600, 600).filter(bool))
def test_working_days_are_added_one_by_one(day: date, count: int) -> None:
    found, step = day, 1 if count > 0 else -1
    left = abs(count)
    while left:
        found += timedelta(days=step)
        left -= found.weekday() < 5
    assert add_working_days(day, count) == found


@given(DAYS, DAYS)
def test_an_age_leads_from_one_date_to_the_other(start: date, end: date) -> None:
    start, end = min(start, end), max(start, end)
    years, months, days = age(start, end)
    assert 0 <= months < 12
    assert 0 <= days < 31
    begun = add_months(start, years * 12 + months)
    assert end - begun - timedelta(days=days) in (timedelta(), timedelta(days=1))
