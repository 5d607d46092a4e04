"""A small model that can't be left to choose is told which tool to call, through the HTTP door; a stand-in writes."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from typing import Any

import openpyxl
import orjson
import pytest_asyncio

from eclair.settings import Settings
from tests.documents.files import xlsx
from tests.llm.servers import Speaking
from tests.llm.standin import Call
from tests.server.test_documents import add, reading, ready
from tests.support import JSON, Server, text_of

MODEL = "qwen2.5-coder-1.5b"
SALES = "region,quarter,revenue\nNorth,1,120\nSouth,1,80\nNorth,2,150\n"


class Told(Speaking):
    """Writes the arguments or the code that are next in `writes` where it is asked for them, or else `says`."""

    writes: list[str]

    async def chat(self, call: Call) -> None:
        body = call.json
        last = body["messages"][-1]
        is_asked = "response_format" in body or (last["role"] == "assistant" and last["content"] == "```python\n")
        content = self.writes.pop(0) if is_asked else self.says
        frame = {
            "model": body["model"],
            "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": "stop"}],
        }
        await call.stream(b"data: " + orjson.dumps(frame) + b"\n\n", b"data: [DONE]\n\n")

    @property
    def bodies(self) -> list[JSON]:
        """Return the requests for answers, without those for titles and the like."""
        asked = [call.json for call in self.standin.calls if call.path == "/v1/chat/completions"]
        return [body for body in asked if "Eclair" in str(body["messages"][0]["content"])]


@pytest_asyncio.fixture
async def told(settings: Settings) -> AsyncGenerator[tuple[Server, Told]]:
    async with reading(settings, MODEL, Told, titles=False) as (server, model):
        assert isinstance(model, Told)
        yield server, model


def results(answer: JSON) -> list[str]:
    return [part["text"] for part in answer["parts"] if part["kind"] == "tool_result"]


async def attach(server: Server, text: str, name: str) -> str:
    return str((await ready(server, await add(server, text, name)))["id"])


async def test_a_sum_is_worked_out_by_a_call(told: tuple[Server, Told]) -> None:
    server, model = told
    model.writes, model.says = ['{"expression":"20% of 65"}'], "It is 13."
    answer = await server.say(await server.begin(), "What is 20 % of 65?")
    assert [(call["tool"], call["outcome"]) for call in answer["calls"]] == [("calculate", "done")]
    assert results(answer) == ["20% of 65 = 13"]
    assert text_of(answer) == "It is 13."
    first, second = model.bodies
    assert "tools" not in first
    assert "tools" not in second
    assert second["messages"][: len(first["messages"])] == first["messages"], "what was read stays in the cache"


async def test_a_date_is_worked_out_by_a_call(told: tuple[Server, Told]) -> None:
    server, model = told
    model.writes = ['{"operation":"describe","date":"2027-10-03"}']
    answer = await server.say(await server.begin(), "Welcher Wochentag ist der 3. Oktober 2027?")
    assert results(answer)[0].startswith("Sunday, 3 October 2027")


async def test_a_plain_question_is_asked_as_ever(told: tuple[Server, Told]) -> None:
    server, model = told
    answer = await server.say(await server.begin(), "What is the capital of France?")
    assert answer["calls"] == []
    (body,) = model.bodies
    assert not {"tools", "tool_choice", "response_format"} & body.keys()
    assert body["messages"][-1] == {"role": "user", "content": "What is the capital of France?"}


async def test_code_makes_a_file_of_a_table_and_mends_its_error(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, SALES, "sales.csv")
    right = "import json\nrows = open('sales.csv').read().split()\nopen('sales.json', 'w').write(json.dumps(rows))"
    model.writes, model.says = ["open('sale.csv')", right], "The table is in sales.json."
    id = await server.begin()
    answer = await server.say(id, "Convert the table to JSON.", files=[file])
    assert [call["outcome"] for call in answer["calls"]] == ["failed", "done"]
    assert "FileNotFoundError" in results(answer)[0]
    assert "sales.json (application/json" in results(answer)[1]
    assert answer["passages"] == [], "code reads the file"
    first, again, last = model.bodies
    assert "sales.csv, which begins:\nregion,quarter,revenue\nNorth,1,120" in first["messages"][-2]["content"]
    assert "FileNotFoundError" in again["messages"][-2]["content"]
    assert last["messages"][-1]["role"] == "user"
    made = (await server.get(f"/api/conversations/{id}/workspace/sales.json")).raw
    assert orjson.loads(made)[0] == "region,quarter,revenue"


async def test_after_three_corrections_it_says_that_it_failed(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, SALES, "sales.csv")
    model.writes, model.says = ["1 / 0"] * 4, "It did not work."
    answer = await server.say(await server.begin(), "Save it as JSON.", files=[file])
    assert [call["outcome"] for call in answer["calls"]] == ["failed"] * 4
    assert text_of(answer) == "It did not work."


async def test_what_a_rule_computes_needs_no_code(told: tuple[Server, Told]) -> None:
    server, _ = told
    file = await attach(server, SALES, "sales.csv")
    answer = await server.say(await server.begin(), "What is the total revenue?", files=[file])
    assert answer["calls"] == []
    assert "350" in answer["passages"][0]["text"]


async def test_a_chart_is_drawn_of_a_table(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, SALES, "sales.csv")
    model.writes = ["bar_chart(['North', 'South'], [270, 80], 'Revenue by region')"]
    answer = await server.say(await server.begin(), "make a bar chart of the total revenue by region", files=[file])
    asked = model.bodies[0]["messages"][-2]["content"]
    assert "bar_chart(labels, values, title)" in asked
    assert "write_workbook" not in asked
    assert "chart.svg (image/svg+xml" in results(answer)[0]
    assert "Revenue by region" in results(answer)[0]


async def test_a_table_becomes_a_workbook(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, SALES, "sales.csv")
    model.writes = ["import csv\nwrite_workbook('sales.xlsx', list(csv.DictReader(open('sales.csv'))))"]
    id = await server.begin()
    answer = await server.say(id, "Convert the table to XLSX.", files=[file])
    asked = model.bodies[0]["messages"][-2]["content"]
    assert "write_workbook('table.xlsx', rows)" in asked
    assert "chart" not in asked
    assert "- sales.xlsx (" in results(answer)[0]
    data = (await server.get(f"/api/conversations/{id}/workspace/sales.xlsx")).raw
    (sheet,) = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    assert [*sheet.iter_rows(values_only=True)][:2] == [("region", "quarter", "revenue"), ("North", 1, 120)]


async def test_a_workbook_is_shown_to_the_model_and_read_by_code(told: tuple[Server, Told]) -> None:
    server, model = told
    book = xlsx({"Sales": [("region", "revenue"), ("North", 120), ("South", 80), ("West", 60)], "Notes": [("a", "b")]})
    file = (await ready(server, await add(server, book, "sales.xlsx")))["id"]
    model.writes = ["print(sum(row[1] for row in read_workbook('sales.xlsx')[1:]))"]
    answer = await server.say(await server.begin(), "Convert the workbook to CSV.", files=[file])
    asked = model.bodies[0]["messages"][-2]["content"]
    assert "sales.xlsx, which begins:\nsheet 'Sales':\n['region', 'revenue']\n['North', 120]\n" in asked
    assert "built-in read_workbook(name), which returns a list of rows" in asked
    assert results(answer)[0].startswith("Output:\n260\n")


async def test_words_are_counted_by_code(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, "One two three.\n", "letter.txt")
    model.writes = ["print(len(open('letter.txt').read().split()))"]
    answer = await server.say(await server.begin(), "How many words has the letter?", files=[file])
    assert results(answer)[0].startswith("Output:\n3")


async def test_text_in_a_file_asks_for_no_call(told: tuple[Server, Told]) -> None:
    server, model = told
    file = await attach(server, "The offer is valid until May. What is 20 % of 65?\n", "letter.txt")
    answer = await server.say(await server.begin(), "Until when is the offer valid?", files=[file])
    assert answer["calls"] == []
    assert model.bodies


async def test_a_client_with_tools_of_its_own_is_asked_as_ever(told: tuple[Server, Told]) -> None:
    server, model = told
    tools: list[Any] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is 20 % of 65?"}], "tools": tools}
    assert (await server.post("/v1/chat/completions", body)).status == 200
    asked = [call.json for call in model.standin.calls if call.path == "/v1/chat/completions"]
    assert asked[-1]["tools"][0]["function"]["name"] == "f"
