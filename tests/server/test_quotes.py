"""What is quoted before a small model's words, through the HTTP door."""

from __future__ import annotations

import pytest

from eclair.settings import Settings
from tests.server.test_documents import add, reading, ready, sentence
from tests.support import text_of

BRIDGE = """\
The old bridge was designed by Anna Roth. The old bridge was painted by Bert Klee. Boats pass below it in summer. A
ferry crosses the lake on Sundays, and the ferryman is called Carl Winter.
"""


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("Who worked on the old bridge?", ["Anna Roth", "Bert Klee"]),
        ("What is the ferryman called who crosses the lake on Sundays?", ["Carl Winter"]),
    ],
)
async def test_a_second_sentence_is_quoted_only_where_it_may_as_well_answer(
    settings: Settings, question: str, quoted: list[str]
) -> None:
    async with reading(settings, name="tiny-0.1b") as (server, _):
        file = await ready(server, await add(server, BRIDGE, "bridge.txt"))
        message = await server.say(await server.begin(), question, files=[file["id"]])
        assert text_of(message).count("> ") == len(message["citations"]) == len(quoted)
        for citation, words in zip(message["citations"], quoted, strict=True):
            assert words in citation["quote"]
            assert sentence(message, citation) == " ".join(citation["quote"].split())
