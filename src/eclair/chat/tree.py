"""Locates a turn in a conversation's tree: parent, history, resumed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.errors import InvalidInput, NotFound
from eclair.schema.images import ImageRequest
from eclair.schema.messages import Conversation, Message, Part, branch


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """Asks for images as the answer, by `model` or the default image model."""

    request: ImageRequest
    model: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A new message below `parent`, else below the displayed branch.

    `at_root` starts a new branch. `files` are ids of attached files, `libraries` names or ids of libraries to search
    from now on. `research` holds the questions of a report to write from the web. With `draw` the answer is images,
    and the files are edited. Several `models` answer it side by side; if it is `blind`, in an order by chance.
    """

    text: str
    parent: str | None = None
    at_root: bool = False
    id: str | None = None
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    research: tuple[str, ...] = ()
    draw: DrawOptions | None = None
    models: tuple[str, ...] = ()
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Regenerate:
    """Asks for another answer to the user message `message`."""

    message: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Asks for the rest of the answer `message`, which was stopped, interrupted or cut off."""

    message: str


TurnAction = NewMessage | Regenerate | Resume


@dataclass(frozen=True, slots=True)
class TurnPosition:
    """The place of an answer in the tree: its history, its parent, what it resumes."""

    history: list[Message]
    parent: str | None
    question: Message | None = None
    resumes: Message | None = None

    @property
    def image_request(self) -> ImageRequest | None:
        """The image request of the message that is answered, if it has one."""
        return self.history[-1].wish if self.history else None

    @property
    def asked(self) -> list[Message]:
        """The history up to the question, without the answer to resume."""
        return self.history[:-1] if self.resumes is not None else self.history


def locate_turn(
    conversation: Conversation, tree: dict[str, Message], action: TurnAction, id: str, now: int
) -> TurnPosition:
    """Locate a turn in the tree. Raises InvalidInput and NotFound.

    A new message gets the given `id`, unless it has its own, and time.
    """
    match action:
        case NewMessage():
            parent = None if action.at_root else action.parent or _answered(tree, conversation.leaf)
            if parent is not None and _find(tree, parent).role != "assistant":
                raise InvalidInput("The parent of a message must be an answer.", param="parent")
            question = _question(conversation, parent, action, id, now)
            return TurnPosition([*branch(tree, parent), question], question.id, question)
        case Regenerate():
            if _find(tree, action.message).role != "user":
                raise InvalidInput("Only your own messages can be answered again.", param="retry")
            return TurnPosition(branch(tree, action.message), action.message)
        case Resume():
            answer = _find(tree, action.message)
            if answer.role != "assistant" or not _unfinished(answer):
                raise InvalidInput("Only an answer that was cut off can be continued.", param="continue")
            if answer.parent is not None and _find(tree, answer.parent).wish is not None:
                raise InvalidInput("Images cannot be continued; generate them again.", param="continue")
            return TurnPosition(branch(tree, answer.id), answer.parent, resumes=answer)


def last_question(history: Sequence[Message]) -> str:
    return next((message.text for message in reversed(history) if message.role == "user"), "")


def has_answer(messages: Sequence[Message]) -> bool:
    return any(message.role == "assistant" and message.status == "finished" for message in messages)


def _question(conversation: Conversation, parent: str | None, action: NewMessage, id: str, now: int) -> Message:
    return Message(
        id=action.id or id,
        conversation=conversation.id,
        parent=parent,
        role="user",
        parts=(Part("text", action.text),),
        created=now,
        wish=action.draw.request if action.draw is not None else None,
    )


def _find(tree: dict[str, Message], id: str) -> Message:
    if id not in tree:
        raise NotFound(f"There is no message {id!r} in this conversation.")
    return tree[id]


def _answered(tree: dict[str, Message], leaf: str | None) -> str | None:
    """Return the leaf; if that is a message whose answers were deleted, the answer above."""
    shown = _find(tree, leaf) if leaf is not None else None
    return shown.parent if shown is not None and shown.role == "user" else leaf


def _unfinished(message: Message) -> bool:
    return message.status in ("stopped", "interrupted", "failed") or message.finish_reason == "length"
