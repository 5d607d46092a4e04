"""Warns of questions that look like a use that the AI Act regulates, where the settings ask for that."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.errors import ProhibitedUse
from eclair.schema.events import Notice
from eclair.schema.messages import Message
from eclair.settings import Settings
from eclair.text.intent.regulated_use import find_regulated_use

PROHIBITED = (
    "This looks like a use of AI that the AI Act prohibits (Art. 5). Ask whoever is responsible before you go on."
)
HIGH_RISK = (
    "This looks like a high-risk use under the AI Act (Annex III), such as judging people. A person must decide, and "
    "special duties apply."
)


def use_warning(history: Sequence[Message], settings: Settings) -> Notice | None:
    """Return the notice for the last question, if it needs one."""
    if settings.use_warnings == "off":
        return None
    question = next((message.text for message in reversed(history) if message.role == "user"), "")
    use = find_regulated_use(question)
    if use is None:
        return None
    return Notice("prohibited_use", PROHIBITED) if use.kind == "prohibited" else Notice("high_risk_use", HIGH_RISK)


def check_use(question: str, settings: Settings) -> None:
    """Raise ProhibitedUse for a question that looks prohibited, where the settings say that none is answered."""
    if settings.use_warnings == "block":
        use = find_regulated_use(question)
        if use is not None and use.kind == "prohibited":
            raise ProhibitedUse(PROHIBITED)
