"""Lists and comparisons that the program makes over all of the text, through the HTTP door."""

from __future__ import annotations

import re

import pytest

from eclair.documents import whole_documents
from eclair.settings import Settings
from eclair.text.intent.whole_document import compares_documents, listed_kind
from tests.server.test_documents import add, ready, sentence
from tests.server.test_whole_documents import log_book, noting
from tests.support import text_of

LEASE = """\
# Lease

## 1 Parties

The lessor is Adler GmbH. The lessee is Nora Klein.

## 2 Term

The lease begins on 1 April 2024 and ends on 31 March 2027.
Either party may give three months' notice in writing.

## 3 Rent

The monthly rent is €850.00, due on the third working day of each month.
The deposit is €2,550.00.

## 4 Pets

Cats may be kept in the flat.
"""
NEW_LEASE = """\
# Lease

## 1 Parties

The lessor is Adler GmbH. The lessee is Nora Klein.

## 2 Term

The lease begins on 1 April 2024 and ends on 31 March 2029.
Either party may give three months' notice in writing.

## 3 Rent

The monthly rent is €920.00, due on the third working day of each month.
The deposit is €2,550.00.

## 4 Garden

The lessee tends the garden in summer.

## 5 Pets

Cats may not be kept in the flat.
"""


@pytest.mark.parametrize("name", ["tiny-0.1b", "small-1.5b"])
async def test_all_differences_of_two_versions_come_as_a_table_with_both_sides_cited(
    settings: Settings, name: str
) -> None:
    async with noting(settings, name=name) as (server, model):
        one = await ready(server, await add(server, LEASE, "old.md"))
        two = await ready(server, await add(server, NEW_LEASE, "new.md"))
        message = await server.say(
            await server.begin(), "What are the differences between these two contracts?", files=[one["id"], two["id"]]
        )
        assert (model.parts, model.asked) == ([], [])
        (step,) = message["steps"]
        assert (step["title"], step["count"]) == ("Comparing every sentence of old.md and new.md", 4)
        rows = [re.sub(r" \[\d+\]", "", line) for line in text_of(message).strip().splitlines()]
        assert rows == [
            "| | old.md | new.md |",
            "|---|---|---|",
            "| 2 Term | The lease begins on 1 April 2024 and ends on 31 March 2027. "
            "| The lease begins on 1 April 2024 and ends on 31 March 2029. |",
            "| 3 Rent | The monthly rent is €850.00, due on the third working day of each month. "
            "| The monthly rent is €920.00, due on the third working day of each month. |",
            "| 5 Pets | Cats may be kept in the flat. | Cats may not be kept in the flat. |",
            "| 4 Garden | – | The lessee tends the garden in summer. |",
        ]
        assert len(message["citations"]) == 7
        names = {passage["number"]: passage["name"] for passage in message["passages"]}
        assert [names[citation["passage"]] for citation in message["citations"][:2]] == ["old.md", "new.md"]
        for citation in message["citations"]:
            assert sentence(message, citation) == citation["quote"]


async def test_files_of_the_question_are_compared_whatever_else_the_chat_has(settings: Settings) -> None:
    async with noting(settings, name="small-1.5b") as (server, _):
        library = (await server.post("/api/libraries", {"name": "rules"})).body
        await ready(server, await add(server, log_book(2), "rules.md", library["id"]))
        earlier = await ready(server, await add(server, log_book(1), "earlier.md"))
        one = await ready(server, await add(server, LEASE, "old.md"))
        two = await ready(server, await add(server, NEW_LEASE, "new.md"))
        conversation = await server.begin()
        await server.say(conversation, "When is the fee due?", files=[earlier["id"]], libraries=["rules"])
        both = [one["id"], two["id"]]
        message = await server.say(conversation, "Compare these two contracts", files=both, libraries=["rules"])
        assert text_of(message).startswith("| | old.md | new.md |")
        message = await server.say(conversation, "Summarise this contract", files=both[:1], libraries=["rules"])
        assert {passage["name"] for passage in message["passages"]} == {"old.md"}


async def test_a_capable_model_speaks_below_the_table_of_differences(settings: Settings) -> None:
    async with noting(settings) as (server, model):
        one = await ready(server, await add(server, LEASE, "old.md"))
        two = await ready(server, await add(server, NEW_LEASE, "new.md"))
        model.says = "The monthly rent is now €920.00."
        message = await server.say(await server.begin(), "Compare the two contracts", files=[one["id"], two["id"]])
        assert text_of(message).startswith("| | old.md | new.md |")
        assert text_of(message).endswith(model.says)
        shown = model.asked[0]["messages"][-1]["content"]
        assert "- 2 Term: “The lease begins on 1 April 2024 and ends on 31 March 2027.” [" in shown
        assert "- 4 Garden: nothing became “The lessee tends the garden in summer.” [" in shown


async def test_equal_documents_have_no_difference(settings: Settings) -> None:
    async with noting(settings) as (server, model):
        one = await ready(server, await add(server, LEASE, "old.md"))
        two = await ready(server, await add(server, LEASE + "\n", "new.md"))
        both = [one["id"], two["id"]]
        for question, text in (
            ("Compare the two contracts", "no difference."),
            ("Was ist der Unterschied zwischen den beiden Verträgen?", "keinen Unterschied."),
        ):
            message = await server.say(await server.begin(), question, files=both)
            assert [step["count"] for step in message["steps"]] == [0]
            assert text_of(message).endswith(text)
            assert message["status"] == "finished"
        assert (model.parts, model.asked) == ([], [])


async def test_every_deadline_of_a_long_document_is_listed(settings: Settings) -> None:
    async with noting(settings, name="small-1.5b") as (server, model):
        file = await ready(server, await add(server, log_book(100), "log.md"))
        message = await server.say(await server.begin(), "List all deadlines", files=[file["id"]])
        assert (model.parts, model.asked) == ([], [])
        text = text_of(message)
        assert len(re.findall(r"^- The fee of \w+ is due on \d+ March 2031\. \[\d+\]$", text, re.MULTILINE)) == 100
        (step,) = message["steps"]
        assert step["title"] == "Looked through all of log.md: 100 sentences with dates or periods"
        assert step["count"] == 100
        assert len(message["citations"]) == 100
        for citation in message["citations"]:
            assert sentence(message, citation).removeprefix("- ") == citation["quote"]
        assert message["doubts"] == message["remarks"] == []


async def test_a_long_file_has_the_room_that_short_ones_leave(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with noting(settings, name="small-1.5b") as (server, _):
        book = await ready(server, await add(server, log_book(12), "log.md"))
        lease = await ready(server, await add(server, LEASE, "lease.md"))
        for room, codes in ((book["chunks"] + lease["chunks"], []), (book["chunks"], ["partly_read"])):
            monkeypatch.setattr(whole_documents, "MAX_CHUNKS", room)
            both = [book["id"], lease["id"]]
            message = await server.say(await server.begin(), "List all deadlines", files=both)
            listed = re.findall(r"The fee of \w+ is due", text_of(message))
            assert (len(listed) == 12) == (codes == [])
            assert [remark["code"] for remark in message["remarks"]] == codes
        assert re.search(r"up to page \d of log\.md; ask", message["remarks"][0]["message"])


async def test_what_is_listed_can_be_about_something(settings: Settings) -> None:
    async with noting(settings, name="small-1.5b") as (server, _):
        file = await ready(server, await add(server, log_book(100), "log.md"))
        message = await server.say(await server.begin(), "List all due dates for Dover", files=[file["id"]])
        text = text_of(message)
        assert text.count("\n- ") == text.count("Dover") - text.count("**log.md")
        (remark,) = message["remarks"]
        assert remark["message"].endswith(" of 100 sentences with dates or periods are listed.")


async def test_a_capable_model_words_the_list_if_it_fits(settings: Settings) -> None:
    async with noting(settings) as (server, model):
        file = await ready(server, await add(server, log_book(), "log.md"))
        model.says = "The fee of Bruges is due on 1 March 2031."
        message = await server.say(await server.begin(), "List all deadlines", files=[file["id"]])
        assert model.parts == []
        assert text_of(message) == model.says
        shown = model.asked[0]["messages"][-1]["content"]
        assert len(re.findall(r"^- The fee of \w+ is due on \d+ March 2031\. \[\d+\]$", shown, re.MULTILINE)) == 12


KINDS = {
    "deadlines": ["List all deadlines", "Liste alle Fristen auf", "Liste toutes les échéances", "Noem alle deadlines"],
    "amounts": ["Find all amounts of money", "Nenne alle Beträge", "Donne-moi tous les montants"],
    "dates": ["List every date in the file", "Nenne alle Termine", "Liste toutes les dates"],
    "emails": ["List all e-mail addresses", "Liste alle E-Mail-Adressen auf"],
    "phones": ["List all phone numbers", "Nenne alle Telefonnummern"],
    "percentages": ["List all percentages", "Nenne alle Prozentsätze"],
    "links": ["List all links"],
}


@pytest.mark.parametrize(("kind", "question"), [(kind, each) for kind, asked in KINDS.items() for each in asked])
def test_what_is_to_be_listed_is_told(kind: str, question: str) -> None:
    assert listed_kind(question) == kind


@pytest.mark.parametrize(
    "question", ["Summarise the fees", "When does the deadline end?", "List all parties", "Compare all prices"]
)
def test_nothing_else_is_listed_by_the_program(question: str) -> None:
    assert listed_kind(question) is None


@pytest.mark.parametrize(
    "question",
    [
        "Compare these two contracts",
        "What are the differences between these two versions?",
        "Vergleiche die beiden Verträge",
        "Compare ces deux contrats",
        "Compara estos dos contratos",
        "Confronta i due contratti",
        "Vergelijk deze twee",
        "Porównaj te dwa dokumenty",
        "Compare os dois contratos",
    ],
)
def test_a_comparison_is_asked_for(question: str) -> None:
    assert compares_documents(question)
    assert not compares_documents("Summarise these two contracts")
