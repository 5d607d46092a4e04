"""Sentences about sub-agents, for the terminal."""

from __future__ import annotations

from eclair.schema.agents import AgentEnding
from eclair.schema.events import AgentEnded

_ENDINGS: dict[AgentEnding, str] = {
    "done": "",
    "rounds": "It used up its rounds.",
    "tokens": "It used up its tokens.",
    "time": "It used up its time.",
    "repeated": "It asked for the same again and again, and had to stop.",
    "enough": "It was cut short for the report.",
    "stopped": "You stopped it.",
    "failed": "It failed.",
}


def describe_agent_end(event: AgentEnded) -> str:
    """Say how a sub-agent ended, as in `Question 2: 3 notes. It used up its time`."""
    count = len(event.notes)
    notes = "nothing found" if not event.passages else f"{count} note{'' if count == 1 else 's'}"
    why = event.fault if event.fault is not None else _ENDINGS[event.ending]
    return f"Question {event.agent}: {notes}. {why}".rstrip()
