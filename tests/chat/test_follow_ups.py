"""Questions that may follow an answer."""

from __future__ import annotations

import pytest

from eclair.chat.follow_ups import parse_follow_ups


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Why so?\nSince when?\nBy whom?\nAnd then?", ["Why so?", "Since when?", "By whom?"]),
        ("1. **Why so?**\n\n2) “Since when?”\n- By whom?", ["Why so?", "Since when?", "By whom?"]),
        ("Γιατί;\nΑπό πότε;", ["Γιατί;", "Από πότε;"]),
        ("Here are three questions:\nWhy so?", []),
        ("Why so?\nwhy so?\nWhat is bread?", ["Why so?"]),
        (f"{'Why ' * 40}?", []),
        ("<b>Why?", []),
        ("?", []),
        ("", []),
    ],
)
def test_a_reply_of_questions_alone_is_taken(reply: str, found: list[str]) -> None:
    assert parse_follow_ups(reply, "What is bread?") == found
