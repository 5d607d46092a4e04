"""Sentences of mails about schedules, in the language of the question."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from eclair.text.language import identify_language

_TEXTS = TypeAdapter(dict[str, dict[str, str]])


def mail_texts(question: str) -> Mapping[str, str]:
    """Return the sentences for each status, and `made_by_ai`; in English where the language isn't known."""
    texts = _all_texts()
    return texts.get(identify_language(question) or "en", texts["en"])


@cache
def _all_texts() -> dict[str, dict[str, str]]:
    return _TEXTS.validate_json(resources.files("eclair.schedules").joinpath("mail_texts.json").read_bytes())
