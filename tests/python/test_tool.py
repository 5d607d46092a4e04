"""A model that answers runs Python by a tool, and reads what comes out."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from eclair.python.python_service import PythonRun
from eclair.storage.workspaces import WorkspaceFile
from eclair.tools.run_python import describe_run
from tests.support import JSON, Server, text_of


def call(code: str) -> str:
    """The line that makes the scripted model run code."""
    arguments = orjson.dumps({"code": code}).decode().replace(" ", "\\u0020")
    return f"script: tool=run_python{arguments}"


def part(message: JSON, kind: str) -> Any:
    (found,) = [each for each in message["parts"] if each["kind"] == kind]
    return found


async def test_a_model_computes_and_answers(server: Server) -> None:
    id = await server.begin()
    answer = await server.say(id, call("total = 19 * 4\nopen('a.txt', 'w').write('x')\ntotal"))
    assert answer["status"] == "finished"
    (made,) = answer["calls"]
    assert (made["tool"], made["access"], made["outcome"]) == ("run_python", "compute", "done")
    assert made["summary"] == "Run 3 lines of Python"
    result = part(answer, "tool_result")["text"]
    assert result == "Output:\n76\n\nFiles made:\n- a.txt (text/plain, version 1, 1 bytes)"
    assert text_of(answer)
    again = await server.say(id, call("total + 1"))
    assert "77" in part(again, "tool_result")["text"], "the session is that of the conversation"
    files = (await server.get(f"/api/conversations/{id}/workspace")).body["files"]
    assert [file["name"] for file in files] == ["a.txt"]


async def test_a_model_reads_its_error(server: Server) -> None:
    answer = await server.say(await server.begin(), call("x = 1\nx / 0"))
    assert part(answer, "tool_result")["text"].startswith("Error in line 2:\nTraceback")
    assert answer["calls"][0]["outcome"] == "failed"
    lost = await server.say(await server.begin(), call("open('sales.csv').read()"))
    assert "FileNotFoundError" in part(lost, "tool_result")["text"]


async def test_a_stopped_call_is_ended_and_says_nothing_later(server: Server) -> None:
    id = await server.begin()
    await server.say(id, call("kept = 6"))
    run = (await server.ask(id, call("import time\ntime.sleep(9)\nprint('late')\nkept = 0")))["run"]
    async with asyncio.timeout(60):
        while not (calls := (await server.message(run))["calls"]) or not calls[0]["has_begun"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await server.post(f"/api/runs/{run}/stop")
    assert (await server.answered(run))["calls"][0]["outcome"] == "stopped"
    again = await server.say(id, call("kept * 7"))
    assert part(again, "tool_result")["text"] == "Output:\n42\n\nFiles made: none"


async def test_a_missing_data_tool_is_said_with_what_to_do(server: Server) -> None:
    answer = await server.say(await server.begin(), call("import pandas"))
    assert "pandas is not installed here" in part(answer, "tool_result")["text"]


def test_the_description_is_short_and_ends_with_the_files() -> None:
    file = WorkspaceFile("chart.png", 2, 10, "image/png", 1, "", "Sales. Euro")
    found = PythonRun("wasi", "x" * 100_000, "Trace\nValueError: no", 3, (file,), (), True, None, 1)
    text = describe_run(found)
    assert len(text.encode()) < 24_000
    assert text.startswith("Note: The variables of earlier calls are gone")
    assert "\n\nError in line 3:\nTrace\nValueError: no\n\n" in text
    assert text.endswith("Files made:\n- chart.png (image/png, version 2, 10 bytes): Sales. Euro")
    assert describe_run(PythonRun("monty", "", None, None, (), (), False, None, 1)).startswith("Output:\n(nothing)")
