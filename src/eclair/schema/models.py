"""A model as the rest of Éclair sees it, whichever engine serves it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from eclair.schema.messages import Sampling

ReasoningSupport = Literal["enable_thinking", "thinking", "effort", "levels", "prompt", "always", "never"]
"""How a model is told whether to reason before it answers; `llm.reasoning` says what each means in a request."""

Tier = Literal["tiny", "small", "capable"]
"""What a model is trusted with. A tiny one is not trusted to answer from sources in its own words: what answers best
is quoted. A small one writes, but leaves plans and search queries to rules. A capable one does all of it."""

SMALL_FROM_BILLIONS = 1.0
CAPABLE_FROM_BILLIONS = 3.0


def tier_of(parameters: float | None, active: float | None = None) -> Tier | None:
    """Derive the tier from billions of parameters; None where nobody says how many.

    A mixture of experts counts as a dense model of the geometric mean of all its parameters and the `active` ones.
    """
    total = parameters or active
    if total is None:
        return None
    dense = math.sqrt(total * (active or total))
    return "tiny" if dense < SMALL_FROM_BILLIONS else "small" if dense < CAPABLE_FROM_BILLIONS else "capable"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked. `context` is its window in tokens, None where the engine does not say.

    `sampling` is what its makers recommend; `languages` are those it knows, as BCP 47 tags, empty where
    unknown; `size` is the bytes of its file, None where it is not on this machine; `titles` says whether it can be
    trusted to name a conversation. `parameters` and `active` (those that a token uses) are billions. `thinks` says how
    it is told whether to think; None is unknown. `place` is where it answers: `machine` (this one), `network`, an ISO
    code of a country, or `unknown`. `sees` is how many pixels of the longer side of a picture it uses, None where it
    sees none; `calls` whether it is known to call tools. `stated_tier` is the catalogue's word on its tier.
    """

    id: str
    name: str
    engine: str
    context: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    maker: str | None = None
    country: str | None = None
    license: str | None = None
    languages: tuple[str, ...] = ()
    size: int | None = None
    can_title: bool = True
    parameters: float | None = None
    active: float | None = None
    reasoning: ReasoningSupport | None = None
    location: str = "machine"
    vision_pixels: int | None = None
    can_call_tools: bool = False
    stated_tier: Tier | None = None

    @property
    def tier(self) -> Tier | None:
        """The tier as stated, or as derived from its size; None where neither is known."""
        return self.stated_tier or tier_of(self.parameters, self.active)
