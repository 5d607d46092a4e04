"""Chooses the quantization of a model that suits this machine, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eclair.errors import InvalidInput
from eclair.models import memory
from eclair.models.catalog import CatalogEntry, ModelFile
from eclair.settings import Settings
from eclair.util.humanize import format_size

BALANCED_BITS_PER_WEIGHT = 5.0
"""More bits per weight make hardly better answers: Q4_K_M is just below."""


QuantizationReason = Literal["only", "largest", "balanced", "asked"]
"""Why it was chosen: no other exists; no larger fits; larger is hardly better; requested."""


@dataclass(frozen=True, slots=True)
class QuantizationOption:
    """A quantization that may be chosen: its name, its size and the memory it needs."""

    quant: str
    size: int | None
    memory: int | None

    @classmethod
    def of_entry(cls, entry: CatalogEntry, file: ModelFile, settings: Settings) -> QuantizationOption:
        return cls(file.quant, memory.file_size(entry, file), memory.estimate(entry, file, settings))

    @classmethod
    def of_file(cls, quant: str, size: int | None, settings: Settings) -> QuantizationOption:
        """Make the option of a file of which nothing else is known."""
        need = memory.needed(size, memory.kv_bytes_per_token(None, size, quant), settings) if size is not None else None
        return cls(quant, size, need)


@dataclass(frozen=True, slots=True)
class QuantizationChoice:
    """The option at `index`; `why` tells the reason to a person."""

    index: int
    reason: QuantizationReason
    why: str


def choose_quantization(
    name: str, options: Sequence[QuantizationOption], quant: str | None = None
) -> QuantizationChoice:
    """Choose one of a model's quantizations. A requested one is taken whatever it needs.

    Raises InvalidInput if the requested one doesn't exist, or if none fits this machine.
    """
    machine = format_size(memory.physical())
    if quant is not None:
        for at, option in enumerate(options):
            if option.quant.upper() == quant.upper():
                small = option.memory is not None and not memory.fits(option.memory)
                why = f"{option.quant}, as you asked" + (f"; {machine} of memory are too little" if small else "")
                return QuantizationChoice(at, "asked", why)
        there = ", ".join(option.quant for option in options)
        raise InvalidInput(f"{name} is not available as {quant}. Available: {there}.", param="name")
    fit = [at for at, option in enumerate(options) if option.memory is None or memory.fits(option.memory)]
    if not fit:
        least = min(option.memory for option in options if option.memory is not None)
        raise InvalidInput(
            f"{name} needs about {format_size(least)} of memory and this machine has {machine}; choose a smaller model "
            "with `eclair models --all`.",
            param="name",
        )
    balanced = [at for at in fit if memory.bits_per_weight(options[at].quant) < BALANCED_BITS_PER_WEIGHT]
    chosen = (
        max(balanced, key=lambda at: _weight(options[at]))
        if balanced
        else min(fit, key=lambda at: _weight(options[at]))
    )
    return _chosen(options, chosen, fit, machine)


def _weight(option: QuantizationOption) -> tuple[float, int]:
    return memory.bits_per_weight(option.quant), option.size or 0


def _chosen(options: Sequence[QuantizationOption], chosen: int, fit: Sequence[int], machine: str) -> QuantizationChoice:
    option = options[chosen]
    needs = f"needs about {format_size(option.memory)} of this machine's {machine}" if option.memory is not None else ""
    if len(options) == 1:
        reason: QuantizationReason = "only"
    elif len(fit) < len(options) and max(fit, key=lambda at: _weight(options[at])) == chosen:
        reason = "largest"
    else:
        reason = "balanced"
    why = f"{option.quant or 'This file'}: " + "; ".join(part for part in (needs, _REASONS[reason]) if part)
    return QuantizationChoice(chosen, reason, why)


_REASONS: dict[QuantizationReason, str] = {
    "only": "the only one there is",
    "largest": "the best that fits this machine",
    "balanced": "larger ones answer more slowly and hardly better",
}
