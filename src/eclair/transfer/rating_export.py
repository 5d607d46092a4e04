"""Ratings and choices as JSON Lines, each with its question and its answers, as tools that evaluate models read them.

A line of kind `rating` has one answer and a verdict; one of kind `preference` has the answer that was kept of those
side by side, and those that were not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import orjson

from eclair.errors import NotFound
from eclair.schema.messages import AnswerComparison, Message, Rating, branch
from eclair.schema.principal import Principal
from eclair.storage.base import Storage


async def export_ratings(storage: Storage, principal: Principal) -> AsyncGenerator[bytes, None]:
    """Yield a line for each rating and choice, the conversation with the latest one first."""
    for conversation, judged in (await storage.ratings.list_judged(principal)).items():
        try:
            _, messages = await storage.conversations.get_tree(principal, conversation)
        except NotFound:  # it was deleted meanwhile
            continue
        tree = {message.id: message for message in messages}
        for id in judged:
            message = tree.get(id)
            if message is None:
                continue
            if message.rating is not None and message.parent is not None:
                yield _line(_describe_rating(tree, message, message.rating))
            elif message.comparison is not None and (pair := _describe_choice(tree, message, message.comparison)):
                yield _line(pair)


def _describe_rating(tree: dict[str, Message], answer: Message, rating: Rating) -> dict[str, Any]:
    return {
        "kind": "rating",
        "created": rating.created,
        "value": rating.value,
        "reason": rating.reason,
        "comment": rating.comment,
        "conversation": answer.conversation,
        "prompt": _prompt(tree, answer.parent),
        "answer": _answer(answer),
    }


def _describe_choice(
    tree: dict[str, Message], question: Message, comparison: AnswerComparison
) -> dict[str, Any] | None:
    """Describe a choice; None where nothing complete stands against the kept answer."""
    compared = [tree[id] for id in comparison.answers if id in tree]
    chosen = next((answer for answer in compared if answer.id == comparison.kept), None)
    rejected = [answer for answer in compared if answer is not chosen and answer.status == "finished"]
    if chosen is None or not rejected:
        return None
    return {
        "kind": "preference",
        "created": comparison.decided,
        "blind": comparison.blind,
        "conversation": question.conversation,
        "prompt": _prompt(tree, question.id),
        "chosen": _answer(chosen),
        "rejected": [_answer(answer) for answer in rejected],
    }


def _prompt(tree: dict[str, Message], leaf: str | None) -> Sequence[Mapping[str, str]]:
    return [{"role": message.role, "content": message.text} for message in branch(tree, leaf)]


def _answer(answer: Message) -> Mapping[str, str | None]:
    return {"message": answer.id, "model": answer.model, "text": answer.text}


def _line(values: dict[str, Any]) -> bytes:
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)
