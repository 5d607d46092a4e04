"""Where in a conversation's tree a turn goes: under which message, after which others, taking up which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.errors import InvalidInput, NotFound
from eclair.schema.images import ImageRequest
from eclair.schema.messages import Conversation, Message, Part, branch


@dataclass(frozen=True, slots=True)
class Draw:
    """The answer is to be pictures, made as wished by `model`, or by the one that draws when none is named."""

    wish: ImageRequest
    model: str | None = None


@dataclass(frozen=True, slots=True)
class New:
    """A new message under `parent`, or else under the branch that is shown; `at_root` starts a branch.

    `files` are ids of those that go along, `libraries` names or ids of those that are searched from now on. With
    `research` the answer is a report, for which these questions are looked into on the web; with `draw` it is pictures,
    and the files are edited.
    """

    text: str
    parent: str | None = None
    at_root: bool = False
    id: str | None = None
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    research: tuple[str, ...] = ()
    draw: Draw | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Another answer to the user's message `message`."""

    message: str


@dataclass(frozen=True, slots=True)
class Continue:
    """The rest of the answer `message`, which was stopped, interrupted or cut by its length."""

    message: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the tree an answer goes: after which messages, under which, taking up which."""

    history: list[Message]
    parent: str | None
    question: Message | None = None
    continues: Message | None = None

    @property
    def wish(self) -> ImageRequest | None:
        """That of the message that is answered, where it asks for pictures."""
        return self.history[-1].wish if self.history else None

    @property
    def asked(self) -> list[Message]:
        """The history up to the question, without the answer that is taken up."""
        return self.history[:-1] if self.continues is not None else self.history


def placed(
    conversation: Conversation, tree: dict[str, Message], what: New | Retry | Continue, id: str, now: int
) -> Place:
    """A new message gets that `id`, unless it has one, and time. Raises InvalidInput and NotFound."""
    match what:
        case New():
            parent = None if what.at_root else what.parent or _answered(tree, conversation.leaf)
            if parent is not None and _find(tree, parent).role != "assistant":
                raise InvalidInput("A message goes under an answer, not under another message.", param="parent")
            question = _question(conversation, parent, what, id, now)
            return Place([*branch(tree, parent), question], question.id, question)
        case Retry():
            if _find(tree, what.message).role != "user":
                raise InvalidInput("Only a message of yours can be answered again.", param="retry")
            return Place(branch(tree, what.message), what.message)
        case Continue():
            answer = _find(tree, what.message)
            if answer.role != "assistant" or not _unfinished(answer):
                raise InvalidInput("Only an answer that was cut off can be continued.", param="continue")
            if answer.parent is not None and _find(tree, answer.parent).wish is not None:
                raise InvalidInput("Pictures cannot be continued; have them made again.", param="continue")
            return Place(branch(tree, answer.id), answer.parent, continues=answer)


def last_question(history: Sequence[Message]) -> str:
    return next((message.text for message in reversed(history) if message.role == "user"), "")


def has_answer(messages: Sequence[Message]) -> bool:
    return any(message.role == "assistant" and message.status == "finished" for message in messages)


def _question(conversation: Conversation, parent: str | None, what: New, id: str, now: int) -> Message:
    return Message(
        id=what.id or id,
        conversation=conversation.id,
        parent=parent,
        role="user",
        parts=(Part("text", what.text),),
        created=now,
        wish=what.draw.wish if what.draw is not None else None,
    )


def _find(tree: dict[str, Message], id: str) -> Message:
    if id not in tree:
        raise NotFound(f"There is no message {id!r} in this conversation.")
    return tree[id]


def _answered(tree: dict[str, Message], leaf: str | None) -> str | None:
    """The leaf, or where that is a message whose answers were deleted, the answer above it."""
    shown = _find(tree, leaf) if leaf is not None else None
    return shown.parent if shown is not None and shown.role == "user" else leaf


def _unfinished(message: Message) -> bool:
    return message.status in ("stopped", "interrupted", "failed") or message.finish_reason == "length"
