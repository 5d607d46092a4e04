"""Questions that a server asks the person in the middle of a call: a form to fill in, or an address to visit.

The person's answer goes to that server alone; neither a model nor the log of the run is shown it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ElicitationAction = Literal["accept", "decline", "cancel"]
FieldKind = Literal["text", "number", "integer", "boolean", "choice", "choices"]
TextFormat = Literal["email", "uri", "date", "date-time"]
FieldValue = str | bool | int | float | list[str]


@dataclass(frozen=True, slots=True)
class FieldOption:
    value: str
    title: str


@dataclass(frozen=True, slots=True)
class ElicitationField:
    """A field of a form. `minimum` and `maximum` bound a number, or count characters or choices.

    `default` has one text, `true` or `false` for a boolean, and several for choices; it is empty if there is none.
    """

    name: str
    kind: FieldKind
    title: str
    description: str = ""
    is_required: bool = False
    format: TextFormat | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: tuple[str, ...] = ()
    options: tuple[FieldOption, ...] = ()


@dataclass(frozen=True, slots=True)
class Elicitation:
    """A question, by its `number` in the call from 1, in the words of the `server`.

    It asks the person to fill in `fields`, or to visit `url`. Without an `action` it is open.
    """

    number: int
    server: str
    message: str
    fields: tuple[ElicitationField, ...] = ()
    url: str | None = None
    action: ElicitationAction | None = None


@dataclass(frozen=True, slots=True)
class ElicitationAnswer:
    """The person's answer to question `number`, which the server knows by `key`."""

    number: int
    key: str
    action: ElicitationAction
    content: Mapping[str, FieldValue] | None = None


@dataclass(frozen=True, slots=True)
class CallInput:
    """Answers with which a call goes on, and the `state` that its server wants back with them."""

    state: str | None
    answers: tuple[ElicitationAnswer, ...]
