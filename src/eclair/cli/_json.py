"""JSON output of commands, whose field names stay stable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from eclair.llm.servers.service import Server
from eclair.models.offers import Offer
from eclair.schema.models import Model

_MODEL = {
    "can_title": "titles",
    "reasoning": "thinks",
    "location": "place",
    "vision_pixels": "sees",
    "can_call_tools": "calls",
    "stated_tier": "tier",
}
_OFFER = {"downloaded_bytes": "part", "in_catalog": "known"}
_SERVER = {"has_key": "keyed", "location": "place"}


def model_json(model: Model) -> dict[str, Any]:
    """A model, as `eclair models --json` has it."""
    row = asdict(model)
    del row["reading_rate"]  # it changes from answer to answer
    return _renamed({**row, "stated_tier": model.tier}, _MODEL)


def offer_json(offer: Offer) -> dict[str, Any]:
    """A model of the catalog, as `eclair models --all --json` has it."""
    return _renamed(asdict(offer), _OFFER)


def server_json(server: Server) -> dict[str, Any]:
    """A server, as `eclair engines --json` has it."""
    row = asdict(server)
    return _renamed({**row, "location": _renamed(row["location"], {"kind": "where"})}, _SERVER)


def _renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in row.items()}
