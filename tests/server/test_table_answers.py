"""Questions that the program computes from tables, through the HTTP door."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from eclair.settings import EngineSettings, Settings
from tests.documents.files import xlsx
from tests.llm.servers import Speaking
from tests.llm.standin import Call, StandIn, standing_in
from tests.server.test_documents import add, ready, sentence
from tests.support import Server, serving, text_of

JSON = dict[str, Any]
REGIONS = ("North", "South", "East", "West")


def sales(rows: int = 1300) -> str:
    """Sales of many pages; the sum of the North is that of every fourth row."""
    lines = [f'2024-{n % 12 + 1:02}-05,{REGIONS[n % 4]},Customer {n % 7},"{n + 1000:,}.50"' for n in range(rows)]
    return "Date,Region,Client,Amount\n" + "\n".join(lines) + "\n"


class Choosing(Speaking):
    """Chooses computations as it was told, and notes what it was shown."""

    def __init__(self, standin: StandIn) -> None:
        super().__init__(standin)
        self.chooses: JSON = {}
        self.choices: list[JSON] = []
        self.asked: list[str] = []

    async def chat(self, call: Call) -> None:
        said = call.json["messages"][-1]["content"]
        if not said.startswith("<table>"):
            self.asked.append(said)
            await super().chat(call)
            return
        self.choices.append(call.json)
        choice = {
            "operation": "none",
            "column": "",
            "group_by": "",
            "date_part": "",
            "filter_column": "",
            "comparison": "is",
            "value": "",
            "top": 0,
        }
        text = orjson.dumps({**choice, **self.chooses}).decode()
        frame = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
        await call.stream(b"data: " + orjson.dumps(frame) + b"\n\n", b"data: [DONE]\n\n")


@asynccontextmanager
async def choosing(settings: Settings, name: str = "reader") -> AsyncGenerator[tuple[Server, Choosing]]:
    async with standing_in() as stand:
        model = Choosing(stand)
        model.lists = model.has = [name]
        engines = {"one": EngineSettings(model.url, context=8192)}
        async with serving(replace(settings, engines=engines, model=name, embedder="off")) as server:
            yield server, model


async def test_a_sum_over_all_rows_is_computed_shown_and_cited(settings: Settings) -> None:
    expected = sum(n + 1000.5 for n in range(1300) if n % 4 == 0)
    async with choosing(settings) as (server, model):
        file = await ready(server, await add(server, sales(), "sales.csv"))
        model.says = f"The total amount of the North is {expected:,.2f}. It is 17 for the South."
        message = await server.say(await server.begin(), "What is the total amount in the North?", files=[file["id"]])
        words = "Sum of Amount over 325 rows of sales.csv where Region = North"
        (step,) = message["steps"]
        assert (step["kind"], step["title"], step["count"]) == ("read", words, 325)
        (passage,) = message["passages"]
        assert (passage["text"], passage["computation"]) == (f"{words}: {expected:.2f}.", words)
        assert f"{words}: {expected:.2f}." in model.asked[0]
        assert model.choices == []
        (citation,) = message["citations"]
        assert sentence(message, citation).startswith("The total amount of the North is")
        assert citation["computation"] == words
        assert (citation["quote_start"], citation["quote_end"]) == (passage["start"], passage["end"])
        assert len(message["doubts"]) == 1


async def test_a_sheet_of_a_library_is_computed_too(settings: Settings) -> None:
    async with choosing(settings) as (server, model):
        library = (await server.post("/api/libraries", {"name": "books"})).body
        await ready(server, await add(server, sales(8), "sales.csv", library["id"]))
        await ready(server, await add(server, "# Staff\n\nNora sells boats.\n", "staff.md", library["id"]))
        ask = partial(server.say, libraries=["books"])
        message = await ask(await server.begin(), "What is the total amount in the North?")
        words = "Sum of Amount over 2 rows of sales.csv where Region = North"
        assert [passage["text"] for passage in message["passages"]] == [f"{words}: 2005.00."]
        message = await ask(await server.begin(), "How many boats does Nora sell on average?")
        assert model.choices == [], "the words are none of the sheet's"
        assert not any(passage["computation"] for passage in message["passages"])


async def test_groups_come_as_a_table_whose_figures_are_checked(settings: Settings) -> None:
    async with choosing(settings) as (server, model):
        file = await ready(server, await add(server, sales(8), "sales.csv"))
        model.says = "The North had 2005.00 and the South 2007.00."
        message = await server.say(await server.begin(), "Show the total amount by region", files=[file["id"]])
        lines = message["passages"][0]["text"].splitlines()
        assert lines == [
            "Sum of Amount by Region over 8 rows of sales.csv:",
            "Region | Sum of Amount | Rows",
            "West | 2011.00 | 2",
            "East | 2009.00 | 2",
            "South | 2007.00 | 2",
            "North | 2005.00 | 2",
        ]
        assert message["passages"][0]["computation"].startswith("Sum of Amount by Region")


async def test_the_model_chooses_where_the_words_of_the_question_are_not_the_tables(settings: Settings) -> None:
    async with choosing(settings) as (server, model):
        file = await ready(server, await add(server, sales(8), "sales.csv"))
        model.chooses = {"operation": "average", "column": "Amount", "filter_column": "Region", "value": "east"}
        message = await server.say(
            await server.begin(), "Wie hoch ist der durchschnittliche Umsatz im Osten?", files=[file["id"]]
        )
        words = "Durchschnitt von Amount über 2 Zeilen von sales.csv, mit Region = East"
        assert message["steps"][0]["title"] == words
        assert message["passages"][0]["text"] == f"{words}: 1004,5000."
        (choice,) = model.choices
        schema = choice["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["column"]["enum"] == ["", "Date", "Region", "Client", "Amount"]
        assert "Region (text): North, South, East, West" in choice["messages"][-1]["content"]


async def test_a_choice_that_the_table_cannot_answer_is_not_computed(settings: Settings) -> None:
    async with choosing(settings) as (server, model):
        file = await ready(server, await add(server, sales(8), "sales.csv"))
        for choice in (
            {"operation": "none"},
            {"operation": "sum", "column": "Region"},
            {"operation": "sum", "column": "Amount", "filter_column": "Region", "value": "Center"},
        ):
            model.chooses = choice
            message = await server.say(await server.begin(), "How much turnover was that?", files=[file["id"]])
            assert message["passages"]
            assert not any(passage["computation"] for passage in message["passages"])


async def test_a_tiny_model_quotes_what_was_computed(settings: Settings) -> None:
    async with choosing(settings, "tiny-0.1b") as (server, model):
        book = xlsx({"Rents": [("Tenant", "Rent"), *((f"Tenant {n}", 500 + n) for n in range(40))]})
        file = await ready(server, await add(server, book, "rents.xlsx"))
        message = await server.say(await server.begin(), "What is the average rent?", files=[file["id"]])
        words = "Average Rent over 40 rows of rents.xlsx, Rents"
        assert text_of(message).startswith(f"> {words}: 519.50. [")
        assert message["citations"][0]["computation"] == words
        assert model.choices == []


async def test_what_is_computed_is_said_in_the_language_of_the_question(settings: Settings) -> None:
    async with choosing(settings, "reader-1.5b") as (server, model):
        text = "Datum,Region,Umsatz\n" + "".join(f"2024-01-0{n + 1},{REGIONS[n % 2]},{n}.50\n" for n in range(8))
        file = await ready(server, await add(server, text, "umsatz.csv"))
        question = "Wie hoch ist die Summe von Umsatz nach Region?"
        message = await server.say(await server.begin(), question, files=[file["id"]])
        assert model.asked == []
        words = "Summe von Umsatz nach Region über 8 Zeilen von umsatz.csv"
        assert message["steps"][0]["title"] == words
        assert text_of(message).splitlines() == [
            f"{words}: [1]",
            "",
            "| Region | Summe von Umsatz | Zeilen |",
            "|---|---|---|",
            "| South | 18,00 | 4 |",
            "| North | 14,00 | 4 |",
        ]


async def test_a_question_on_one_row_is_answered_from_it(settings: Settings) -> None:
    async with choosing(settings) as (server, model):
        file = await ready(server, await add(server, sales(8), "sales.csv"))
        message = await server.say(await server.begin(), "Who bought on 2024-03-05?", files=[file["id"]])
        assert model.choices == []
        assert not any(passage["computation"] for passage in message["passages"])


async def test_a_small_model_is_asked_what_to_compute_of_sheets_alone(settings: Settings) -> None:
    rows = [("Region", "Amount", "Weight"), *((REGIONS[n % 4], f"{n + 3}.5", f"{n + 20}.25") for n in range(8))]
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    page, sheet = f"<h1>Sales</h1><table>{cells}</table>", "".join(f"{','.join(row)}\n" for row in rows)
    for model_name, name, text, asked in (
        ("reader", "sales.html", page, 1),
        ("reader-1.5b", "sales.html", page, 0),
        ("reader-1.5b", "sales.csv", sheet, 1),
    ):
        async with choosing(settings, model_name) as (server, model):
            file = await ready(server, await add(server, text, name))
            message = await server.say(await server.begin(), "What is the average in the North?", files=[file["id"]])
            assert (message["status"], len(model.choices)) == ("finished", asked)
            assert message["passages"]
