"""How a turn is to be answered, as far as the person says."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclair.schema.messages import Mode, Sampling, Web


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What is None is left to the conversation, the person's preferences and the settings.

    `mode` tells a named model whether to think, and chooses a model where none is named. With `draws`, a model that
    calls tools may have pictures drawn.
    """

    model: str | None = None
    mode: Mode | None = None
    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    web: Web | None = None
    draws: bool | None = None
