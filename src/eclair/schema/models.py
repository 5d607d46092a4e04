"""A model as the rest of Éclair sees it, whichever engine serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eclair.schema.messages import Sampling

Thinks = Literal["enable_thinking", "thinking", "effort", "levels", "prompt", "always", "never"]
"""How a model is told whether to reason before it answers; `llm.reasoning` says what each means in a request."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked. `context` is its window in tokens, None where the engine does not say.

    `sampling` is what its makers recommend; `languages` are those it knows, as BCP 47 tags, empty where
    unknown; `size` is the bytes of its file, None where it is not on this machine; `titles` says whether it can be
    trusted to name a conversation. `parameters` and `active` (those that a token uses) are billions. `thinks` says how
    it is told whether to think; None is unknown. `place` is where it answers: `machine` (this one), `network`, an ISO
    code of a country, or `unknown`. `sees` is how many pixels of the longer side of a picture it uses, None where it
    sees none; `calls` whether it is known to call tools.
    """

    id: str
    name: str
    engine: str
    context: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    maker: str | None = None
    country: str | None = None
    licence: str | None = None
    languages: tuple[str, ...] = ()
    size: int | None = None
    titles: bool = True
    parameters: float | None = None
    active: float | None = None
    thinks: Thinks | None = None
    place: str = "machine"
    sees: int | None = None
    calls: bool = False
