from __future__ import annotations

import email.utils
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.network.retry_after import parse_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1.5", 1.5),
        ("120", 120.0),
        ("-3", 0.0),
        (email.utils.formatdate(1030.0, usegmt=True), 30.0),
        (email.utils.formatdate(970.0, usegmt=True), 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, lambda: 1000.0) == seconds


@given(st.text())
def test_whatever_a_server_says_is_a_wait_or_none(value: str) -> None:
    wait = parse_retry_after(value, lambda: 1000.0)
    assert wait is None or 0 <= wait < math.inf
