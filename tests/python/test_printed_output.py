"""The last printed lines of code are shown while it runs, a few times a second, until its result is there."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from eclair.python.printed_output import MAX_SHOWN_CHARS, MAX_SHOWN_LINES, shown_end
from eclair.schema.events import CallProgressed
from tests.python.test_tool import call, part
from tests.support import Server, check_log, parse

GOES_ON = """
import time
kept = 1
print('Reading', 3, 'tables')
print('0 %\\r50 %')
print('.', end='', flush=True)
time.sleep(9)
print('not reached')
"""
TOLD = "Reading 3 tables\n50 %\n."


async def tell_while_it_runs(server: Server) -> None:
    """Assert that a call tells what it has printed so far, and nothing of it once it was stopped."""
    id = await server.begin()
    assert (await server.say(id, call("kept = 0\nprint('earlier', end='')")))["calls"][0]["outcome"] == "done"
    run = (await server.ask(id, call(GOES_ON)))["run"]
    told_now = {"share": None, "text": TOLD}
    async with asyncio.timeout(60):
        while not (calls := (await server.message(run))["calls"]) or calls[0]["progress"] != told_now:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert calls[0]["outcome"] is None
    await server.post(f"/api/runs/{run}/stop")
    stopped = await server.answered(run)
    assert (stopped["calls"][0]["progress"], stopped["calls"][0]["outcome"]) == (None, "stopped")
    events = [event for _, event in parse(await server.stream(run))]
    check_log(events)
    told = [event.progress.text for event in events if isinstance(event, CallProgressed)]
    assert told[-1] == TOLD
    assert all(TOLD.startswith(each) for each in told), "nothing of the call before"
    again = await server.say(id, call("6 * 7"))
    assert "Output:\n42" in part(again, "tool_result")["text"]


async def test_what_code_prints_is_told_while_it_runs(server: Server) -> None:
    await tell_while_it_runs(server)


async def flood_within_bounds(server: Server) -> None:
    """Assert that a flood is told within bounds, and that the output is whole."""
    code = "import time\nfor second in range(12):\n    for i in range(200): print(i)\n    time.sleep(0.1)\nprint('end')"
    run = (await server.ask(await server.begin(), call(code)))["run"]
    answer = await server.answered(run)
    lines = [str(i) for i in range(200)] * 12
    assert part(answer, "tool_result")["text"] == "\n".join(["Output:", *lines, "end", "", "Files made: none"])
    told = [event.progress.text for _, event in parse(await server.stream(run)) if isinstance(event, CallProgressed)]
    assert 1 <= len(told) <= 1 + answer["calls"][0]["milliseconds"] / 400
    assert all(len(text.split("\n")) <= MAX_SHOWN_LINES + 1 for text in told)
    assert told[-1].startswith("…\n")


async def test_a_flood_is_told_within_bounds(server: Server) -> None:
    await flood_within_bounds(server)


@given(st.text(alphabet=st.characters() | st.sampled_from("\r\n\t\x1b"), max_size=6000))
def test_any_output_is_shown_within_bounds(printed: str) -> None:
    shown = shown_end(printed)
    assert len(shown) <= MAX_SHOWN_CHARS + 2
    assert len(shown.split("\n")) <= MAX_SHOWN_LINES + 1
    assert all(char.isprintable() or char in "\t\n" or char.isspace() for char in shown)


def test_the_end_is_shown_as_a_terminal_shows_it() -> None:
    assert shown_end("one\r\ntwo\n") == "one\ntwo"
    assert shown_end("10 %\r20 %\r\n\x1b[1mdone\x1b[0m") == "20 %\n[1mdone[0m"
    assert shown_end("10 %\r") == "10 %"
    assert shown_end("\n".join(map(str, range(100)))) == "\n".join(["…", *map(str, range(88, 100))])
    assert shown_end("x" * 5000) == f"…\n{'x' * MAX_SHOWN_CHARS}"
