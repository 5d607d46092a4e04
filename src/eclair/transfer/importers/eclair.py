"""Éclair's own JSON export, ids included, so that importing twice adds nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.schema.ids import derived_id
from eclair.schema.messages import (
    MAX_ANSWER_TOKENS,
    MAX_COMMENT_CHARS,
    MAX_SYSTEM_PROMPT_CHARS,
    MAX_TEMPERATURE,
    MODES,
    AnswerComparison,
    Conversation,
    Message,
    Rating,
)
from eclair.transfer.json_fields import JSON, MAX_TIME_MS, as_list, as_object, as_text
from eclair.transfer.normalize import MAX_TITLE_CHARS, ImportedConversation, make_title, sort_by_parent, valid_tags

_MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
_ID = re.compile(r"(?:asst|conv|msg)_[0-9a-hjkmnp-tv-z]{26}")


def matches(data: JSON) -> bool:
    return "eclair" in data and isinstance(data.get("conversation"), dict)


def read(data: JSON, now: int) -> ImportedConversation:
    given = as_object(data.get("conversation"))
    source = as_text(given.get("id")) or as_text(given.get("title"))
    id = _own("conv", source)
    found: dict[str, Message] = {}
    left_out: list[str] = []
    for value in as_list(data.get("messages")):
        message = _message(as_object(value), id)
        if message is None or message.id in found:
            left_out.append("messages that are not as Éclair writes them")
        else:
            found[message.id] = message
    messages = tuple(
        replace(found[name], parent=parent)
        for name, parent in sort_by_parent({name: message.parent for name, message in found.items()})
    )
    created = _time(given.get("created")) or min((message.created for message in messages), default=now)
    leaf = _own("msg", as_text(given.get("leaf")), id)
    return ImportedConversation(
        Conversation(
            id=id,
            owner="",
            title=make_title(as_text(given.get("title")), messages),
            created=created,
            updated=_time(given.get("updated")) or created,
            leaf=leaf if leaf in found else messages[-1].id if messages else None,
            pinned=given.get("pinned") is True,
            archived=given.get("archived") is True,
            tags=valid_tags(as_list(given.get("tags"))),
            model=as_text(given.get("model"))[:MAX_TITLE_CHARS] or None,
            mode=next((mode for mode in MODES if mode == given.get("mode")), None),
            temperature=_temperature(given.get("temperature")),
            max_tokens=_max_tokens(given.get("max_tokens")),
            system=as_text(given.get("system"))[:MAX_SYSTEM_PROMPT_CHARS] or None,
            branched_from=origin if (origin := as_text(given.get("branched_from"))) and _ID.fullmatch(origin) else None,
            assistant_id=own if (own := as_text(given.get("assistant_id"))) and _ID.fullmatch(own) else None,
        ),
        messages,
        tuple(left_out),
    )


def _message(value: JSON, conversation: str) -> Message | None:
    try:
        message = _MESSAGE.validate_python({**value, "conversation": conversation, "run": None})
    except (ValidationError, UnicodeEncodeError):
        return None
    if _time(message.created) is None:
        return None
    message = replace(
        message,
        id=_own("msg", message.id, conversation),
        parent=None if message.parent is None else _own("msg", message.parent, conversation),
        parts=tuple(replace(part, text=as_text(part.text)) for part in message.parts),
        status="interrupted" if message.is_open else message.status,
        rating=_rating(message.rating),
        comparison=_comparison(message.comparison, conversation),
    )
    try:
        orjson.dumps(message)
    except TypeError:  # a number past 64 bits
        return None
    return message


def _rating(rating: Rating | None) -> Rating | None:
    if rating is None or _time(rating.created) is None:
        return None
    return replace(rating, comment=as_text(rating.comment)[:MAX_COMMENT_CHARS])


def _comparison(comparison: AnswerComparison | None, conversation: str) -> AnswerComparison | None:
    """Return a comparison with the answers' own ids; None for one that can't have been made here."""
    if comparison is None or (comparison.decided is not None and _time(comparison.decided) is None):
        return None
    answers = tuple(_own("msg", answer, conversation) for answer in comparison.answers)
    kept = None if comparison.kept is None else _own("msg", comparison.kept, conversation)
    return replace(comparison, answers=answers, kept=kept)


def _time(value: object) -> int | None:
    """Return a time in milliseconds, as Éclair exports it; None for anything else."""
    return value if isinstance(value, int) and 0 < value <= MAX_TIME_MS else None


def _temperature(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= MAX_TEMPERATURE else None


def _max_tokens(value: object) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= MAX_ANSWER_TOKENS else None


def _own(prefix: str, id: str, *within: str) -> str:
    """Keep a valid id of ours; derive a stable one from any other."""
    if id.startswith(f"{prefix}_") and _ID.fullmatch(id):
        return id
    return derived_id(prefix, "eclair", *within, id)
