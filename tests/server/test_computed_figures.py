"""Figures that a calculation of the answer gave count as a source, with the line that they came from."""

from __future__ import annotations

import orjson
import pytest

from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


def script(tool: str, said: str, **arguments: object) -> str:
    written = orjson.dumps(arguments).decode().replace(" ", "\\u0020")
    return f"script: tool={tool}{written}\nscript: say={said}"


def backed(answer: JSON) -> list[tuple[str, str]]:
    """The sentences with computed figures, each with its line."""
    found: list[tuple[str, str]] = []
    for figure in answer["computed_figures"]:
        text = answer["parts"][figure["index"]]["text"]
        found.append((text[figure["start"] : figure["end"]].strip(), figure["line"]))
        assert figure["call"] == answer["calls"][0]["call"]
    return found


async def test_a_figure_that_python_printed_is_backed_by_its_line(server: Server) -> None:
    code = "print('total', 19 * 4)\nprint('mean', 76 / 7)"
    said = "The total is 76. The mean is 10.86. The rest is 55."
    answer = await server.say(await server.begin(), script("run_python", said, code=code))
    assert backed(answer) == [("The total is 76.", "total 76"), ("The mean is 10.86.", "mean 10.857142857142858")]
    assert (answer["doubts"], answer["citations"]) == ([], [])


async def test_a_failed_calculation_backs_nothing(server: Server) -> None:
    answer = await server.say(await server.begin(), script("run_python", "It is 76.", code="print(76)\nx / 0"))
    assert (answer["calls"][0]["outcome"], answer["computed_figures"]) == ("failed", [])


async def test_a_shared_page_shows_the_line(server: Server) -> None:
    id = await server.begin()
    await server.say(id, script("run_python", "The total is 76.", code="print('total', 76)"))
    share = (await server.post(f"/api/conversations/{id}/shares", {})).body
    shown = (await server.get(f"/api/shared/{share['id']}")).body["messages"][-1]
    (figure,) = shown["computed_figures"]
    assert (shown["parts"][figure["index"]]["text"], figure["line"]) == ("The total is 76.", "total 76")
