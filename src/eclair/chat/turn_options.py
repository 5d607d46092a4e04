"""Options of a turn, as the person or client stated them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eclair.schema.messages import Mode, Sampling, Switch, Web


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """None leaves a choice to the conversation, the person's preferences and the settings.

    `mode` chooses a model, or tells a named model whether to reason. `draws` allows a model that calls tools to
    generate images. With `thorough`, long documents are read in full, however long that takes. A `spoken` answer is
    short and without lists, since it is read aloud in a conversation by voice. `memory` lets answers of stored
    conversations use and keep memories. `feeds` are ids of feeds whose newest entries the
    answer reads, `allowed_tools` those tools that may change something without asking. Nobody is there for a turn that
    `is_unattended`: what a person allowed beyond one call doesn't count in it. `mcp_servers` has
    ids of servers that are on or off for this turn alone.
    """

    model: str | None = None
    mode: Mode | None = None
    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    web: Web | None = None
    draws: bool | None = None
    thorough: bool = False
    memory: Switch | None = None
    feeds: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    is_unattended: bool = False
    mcp_servers: Mapping[str, bool] = field(default_factory=dict[str, bool])
    spoken: bool = False


NO_CHOICES = TurnOptions()
