"""Sources are numbered 1, 2, 3 in the order in which an answer cites them."""

from __future__ import annotations

from dataclasses import replace

from eclair.schema.messages import AnswerNotice, Citation, Doubt, Message, Part, Passage
from eclair.transfer.source_numbers import number_sources

TEXT = "🧀 fell [12]. It rose [7][4]. Nobody knew [9]. `a[7]`\n\n[7](x) [^7] [^4]\n\n```\n[7]\n```\n\n[^4]: Own."
"""The same text as in ui/tests/sourceNumbers.test.ts."""


def _cites(sentence: str, passage: int) -> Citation:
    start = TEXT.index(sentence)
    return Citation(0, start, start + len(sentence), passage, "so", 0, 2, 1.0)


def _answer() -> Message:
    doubted = TEXT.index("Nobody")
    return Message(
        "msg_1",
        "conv_1",
        None,
        "assistant",
        (Part("text", TEXT), Part("reasoning", "See [7].")),
        0,
        passages=tuple(Passage(n, f"file_{n}", "a.md", 1, "", (), 0, 2, "so") for n in (4, 7, 8, 12)),
        citations=(_cites("It rose [7][4].", 7), _cites("🧀 fell [12].", 12)),
        doubts=(Doubt(0, doubted, doubted + len("Nobody knew [9]."), "", 8),),
        remarks=(AnswerNotice("contradicted", "Sources contradict each other: [12] says so, [8] doesn't."),),
    )


def test_cited_sources_come_first_in_order_and_the_rest_follow() -> None:
    numbered = number_sources(_answer())
    assert [(each.number, each.file) for each in numbered.passages] == [
        (1, "file_12"),
        (2, "file_7"),
        (3, "file_4"),
        (4, "file_8"),
    ]
    assert [each.passage for each in numbered.citations] == [2, 1]
    assert numbered.doubts[0].passage == 4
    assert numbered.remarks[0].message == "Sources contradict each other: [1] says so, [4] doesn't."


def test_numbers_in_the_text_follow_and_marks_keep_their_sentences() -> None:
    numbered = number_sources(_answer())
    text = numbered.parts[0].text
    assert text == (
        "🧀 fell [1]. It rose [2][3]. Nobody knew [9]. `a[7]`\n\n[7](x) [^2] [^4]\n\n```\n[7]\n```\n\n[^4]: Own."
    )
    assert numbered.parts[1].text == "See [7]."
    marked = (*numbered.citations, *numbered.doubts)
    assert [text[each.start : each.end] for each in marked] == [
        "It rose [2][3].",
        "🧀 fell [1].",
        "Nobody knew [9].",
    ]


def test_an_answer_that_is_in_order_stays_as_it_is() -> None:
    answer = number_sources(_answer())
    assert number_sources(answer) is answer
    alone = replace(answer, passages=(), citations=(), doubts=())
    assert number_sources(alone) is alone
