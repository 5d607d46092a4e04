"""Progress of servers, read within bounds and passed on a few times a second."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.mcp_servers.progress import MAX_TEXT_CHARS, read_progress
from eclair.schema.messages import CallProgress
from eclair.tools.call_progress import MIN_INTERVAL_S, ProgressThrottle


@given(st.floats(), st.none() | st.floats(), st.none() | st.text())
def test_whatever_a_server_tells_is_within_bounds(done: float, total: float | None, text: str | None) -> None:
    read = read_progress(done, total, text)
    if read is not None:
        assert read.share is None or 0 <= read.share <= 1
        assert len(read.text) <= MAX_TEXT_CHARS
        assert not any(unicodedata.category(char)[0] == "C" for char in read.text)
        assert (read.share, read.text) != (None, "")


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ((1.0, 4.0, "Reading the map"), CallProgress(0.25, "Reading the map")),
        ((3.0, None, "Reading"), CallProgress(None, "Reading")),
        ((3.0, None, None), None),
        ((3.0, 0.0, None), None),
        ((9.0, 4.0, None), CallProgress(1.0)),
        ((-9.0, 4.0, None), CallProgress(0.0)),
        ((float("nan"), 4.0, "  a\n\x1b[31m\u202eb  "), CallProgress(None, "a [31mb")),
        ((float("inf"), 4.0, None), None),
    ],
)
def test_a_share_is_of_a_total_and_a_text_is_one_line(
    told: tuple[float, float | None, str | None], read: CallProgress | None
) -> None:
    assert read_progress(*told) == read


async def test_the_first_and_the_last_report_get_through_and_few_of_the_others() -> None:
    passed = asyncio.Queue[CallProgress]()
    throttle = ProgressThrottle(passed.put_nowait)
    began = asyncio.get_running_loop().time()
    throttle.report(CallProgress(0.0))
    assert await passed.get() == CallProgress(0.0)
    for number in range(1, 1_001):
        throttle.report(CallProgress(number / 1_000))
    assert await passed.get() == CallProgress(1.0)
    assert asyncio.get_running_loop().time() - began >= MIN_INTERVAL_S
    throttle.report(CallProgress(1.0))
    throttle.report(CallProgress(0.5))
    throttle.close()
    assert passed.empty()
