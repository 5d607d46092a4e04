"""A model as the rest of Éclair sees it, whichever engine serves it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from eclair.schema.messages import Sampling

ReasoningSupport = Literal["enable_thinking", "thinking", "effort", "levels", "prompt", "always", "never"]
"""Ways to tell a model whether to reason first; `llm.reasoning` says what each means in a request."""

CallWay = Literal["native", "text", "forced", "none"]
"""Ways in which a model calls tools: as its engine defines calls, as text, if a grammar makes it, or not at all."""

Tier = Literal["tiny", "small", "capable"]
"""Classes of models by what they are trusted with.

A tiny model is not trusted to answer from sources in its own words: the best passages are quoted. A small one writes,
but leaves plans and search queries to rules. A capable one does all of it."""

OWN_LOCATIONS = ("machine", "network")
"""Locations of models whose servers are the house's own."""

SMALL_FROM_BILLIONS = 1.0
CAPABLE_FROM_BILLIONS = 3.0


def tier_of(parameters: float | None, active: float | None = None) -> Tier | None:
    """Derive the tier from billions of parameters; None if neither is known.

    A mixture of experts counts as a dense model of the geometric mean of all its parameters and the `active` ones.
    """
    total = parameters or active
    if total is None:
        return None
    dense = math.sqrt(total * (active or total))
    return "tiny" if dense < SMALL_FROM_BILLIONS else "small" if dense < CAPABLE_FROM_BILLIONS else "capable"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can answer. `context` is its window in tokens; None if the engine does not say.

    `sampling` is what its makers recommend. `languages` are those it knows, as BCP 47 tags; empty if unknown. `size` is
    the bytes of its file; None if it is not on this machine. `can_title` says whether it is good enough to name a
    conversation. `parameters` and `active` (those that a token uses) are in billions. `reasoning` is how it is told
    whether to reason; None if unknown. `location` is where it answers: `machine` (this one), `network`, the ISO code of
    a country, or `unknown`. `vision_pixels` is how many pixels of an image's longer side it uses; None if it has no
    vision. `can_call_tools` says whether it is known to call tools, `call_way` how it does, None if nobody knows, and
    `calls_well` whether it calls them when it should and not otherwise. One that `calls_on_demand` can't be left to
    choose, but writes the call of a tool that it is told to call. `stated_tier` is what the catalog states.
    `reading_rate` is the tokens of a prompt that it reads per second; None if unknown. `created` is when it was made,
    or came to this machine, in seconds since 1970; None if unknown.
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
    call_way: CallWay | None = None
    calls_well: bool = False
    calls_on_demand: bool = False
    stated_tier: Tier | None = None
    reading_rate: float | None = None
    created: int | None = None

    @property
    def tier(self) -> Tier | None:
        """The tier as stated, or as derived from its size; None if neither is known."""
        return self.stated_tier or tier_of(self.parameters, self.active)

    @property
    def only_quotes(self) -> bool:
        """Return whether answers from sources must be quotes: a tiny model would repeat, guess or babble."""
        return self.tier == "tiny"

    @property
    def can_plan(self) -> bool:
        """Return whether the model is trusted to plan: queries, questions, scenes. One of unknown size is."""
        return self.tier in ("capable", None)

    @property
    def makes_calls(self) -> bool:
        """Return whether tools are called while it answers: as it chooses, or on demand."""
        return self.can_call_tools or self.calls_on_demand

    @property
    def can_edit_canvases(self) -> bool:
        """Return whether the model is trusted to open and change canvases, by calls of tools."""
        return self.can_call_tools and self.can_plan

    @property
    def can_look_up(self) -> bool:
        """Return whether the model is trusted to decide what to look up, by calls of tools."""
        return self.can_call_tools and self.calls_well and self.can_plan
