"""The speed of a replica as it was measured, kept in the data folder.

Answers are made one at a time, then several at once; a straight line through the time of a token gives the time of a
step and what each further answer adds. A long prompt gives the rate at which prompts are read, and what its keys and
values add to a step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from eclair.capacity.figures import quantile
from eclair.capacity.replica import ReplicaSpeed
from eclair.errors import StoreError, UpstreamError

FILE = "capacity.json"

LEAST_STEP_S = 1e-6
LEAST_READ_S = 1e-4


@dataclass(frozen=True, slots=True)
class MeasuredAnswer:
    """An answer among so many at once. Its prompt had `read_tokens` that weren't cached; times are in seconds."""

    at_once: int
    read_tokens: int
    held_tokens: int
    first_s: float
    token_s: float


@dataclass(frozen=True, slots=True)
class MeasuredSpeed:
    """The speed of a model's server, measured on a day, with so many answers at once at most."""

    model: str
    measured: date
    speed: ReplicaSpeed
    answers: tuple[MeasuredAnswer, ...]


_MEASURED_CODEC = TypeAdapter(list[MeasuredSpeed])


def fit_speed(answers: Sequence[MeasuredAnswer], slots: int, kv_tokens: float, chunk_tokens: int) -> ReplicaSpeed:
    """Return the speed that explains the answers: at least one alone, one with a longer prompt, and several at once.

    Raises UpstreamError if there is none of them.
    """
    alone = sorted((each for each in answers if each.at_once == 1), key=lambda each: each.read_tokens)
    together = [each for each in answers if each.at_once > 1]
    if len(alone) < 2 or not together or alone[0].read_tokens == alone[-1].read_tokens:
        raise UpstreamError("Too few answers came to measure the model; try again when it is reachable and idle.")
    short, long = alone[0], alone[-1]
    read_s = max(LEAST_READ_S, long.first_s - short.first_s) / (long.read_tokens - short.read_tokens)
    held = max(1, long.held_tokens - short.held_tokens)
    kv_s = max(0.0, long.token_s - short.token_s) / held
    points: dict[int, list[float]] = {1: [short.token_s - kv_s * short.held_tokens]}
    for each in together:
        points.setdefault(each.at_once, []).append(each.token_s - kv_s * each.held_tokens * each.at_once)
    medians = [(float(count), quantile(times, 0.5)) for count, times in sorted(points.items())]
    fixed, slope = _line(medians)
    return ReplicaSpeed(
        fixed_s=max(LEAST_STEP_S, fixed),
        weights_s=0.0,
        answer_s=slope,
        kv_token_s=kv_s,
        prompt_tokens_per_s=1 / read_s,
        slots=slots,
        kv_tokens=kv_tokens,
        chunk_tokens=chunk_tokens,
    )


def load_measured(data_dir: Path) -> dict[str, MeasuredSpeed]:
    """Return what was measured, by model; nothing if the file is missing or of another version."""
    try:
        kept = _MEASURED_CODEC.validate_json((data_dir / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}
    return {each.model: each for each in kept}


def save_measured(data_dir: Path, measured: MeasuredSpeed) -> None:
    """Keep what was measured in place of an earlier measurement of the model. Raises StoreError."""
    kept = {**load_measured(data_dir), measured.model: measured}
    place = data_dir / FILE
    fresh = place.with_suffix(f".{os.getpid()}")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(_MEASURED_CODEC.dump_json(list(kept.values()), indent=2))
        fresh.replace(place)
    except OSError as error:
        raise StoreError(f"{place} cannot be written: {error.strerror}; measure again once it can.") from error


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return a line's value at 0 and its slope, neither below 0, by least squares of relative errors."""
    weights = [1 / max(LEAST_STEP_S, y) ** 2 for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    joint = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    slope = max(0.0, joint / spread) if spread > 0 else 0.0
    at_zero = mean_y - slope * mean_x
    if at_zero < 0:
        return 0.0, mean_y / mean_x
    return at_zero, slope
