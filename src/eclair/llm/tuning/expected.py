"""Expected speeds of models here: measured, estimated, or an upper limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eclair.llm.local import profile
from eclair.llm.local.profile import Tuning
from eclair.models import catalog, installed
from eclair.models.catalog import CatalogEntry
from eclair.settings import Settings

MIN_BYTES_PER_TOKEN = 50_000_000
"""A model that reads less per token tells little about others."""

Basis = Literal["measured", "reckoned", "limit"]


@dataclass(frozen=True, slots=True)
class ExpectedSpeed:
    """Tokens per second.

    "reckoned" is estimated from how fast measured models read their weights; "limit" is what the memory bandwidth
    allows, of which an engine reaches a part.
    """

    rate: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class SpeedEstimator:
    """The measured models of this machine, and its memory bandwidth in bytes per second."""

    measured: Mapping[str, Tuning]
    bandwidth: float | None

    @classmethod
    def from_profiles(cls, settings: Settings, bandwidth: float | None = None) -> SpeedEstimator:
        """Build from the tunings and a bandwidth measured just now. Reads the disk."""
        measured: dict[str, Tuning] = {}
        for id, model in installed.installed_models(catalog.load_entries(settings.catalog), settings.data_dir).items():
            found = profile.find_tuning(settings.data_dir, id, model.path)
            if found is not None:
                measured[id] = found
        return cls(measured, bandwidth or max((found.bandwidth for found in measured.values()), default=None))

    def estimate(self, entry: CatalogEntry, size: int | None) -> ExpectedSpeed | None:
        """Estimate a model's speed from its file size; None if nothing tells."""
        if entry.id in self.measured:
            return ExpectedSpeed(self.measured[entry.id].after.decode, "measured")
        if size is None:
            return None
        read = size * (entry.active / entry.parameters if entry.active and entry.parameters else 1)
        largest = max(self.measured.values(), key=lambda found: found.bytes, default=None)
        if largest is not None and largest.bytes > MIN_BYTES_PER_TOKEN:
            return ExpectedSpeed(largest.bytes * largest.after.decode / read, "reckoned")
        return ExpectedSpeed(self.bandwidth / read, "limit") if self.bandwidth else None


def describe_speed(expected: ExpectedSpeed | None) -> str:
    """Describe a speed, such as `about 12 tokens/s`; empty for None."""
    if expected is None:
        return ""
    rate = f"{expected.rate:.0f}" if expected.rate >= 10 else f"{expected.rate:.1f}"
    return {"measured": "", "reckoned": "about ", "limit": "at most "}[expected.basis] + f"{rate} tokens/s"
