"""The speed of a replica as it was measured, kept in the data folder.

Answers are made one at a time, then several at once. What fits the times of their tokens best is the time of a step,
what each answer adds to it, and what each token in the cache does; each round counts as much as any other. A long
prompt gives the rate at which prompts are read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy import float64
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

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


def fit_speed(
    answers: Sequence[MeasuredAnswer], slots: int, kv_tokens: float, chunk_tokens: int, *, shares_cache: bool = False
) -> ReplicaSpeed:
    """Return the speed that explains the answers: at least one alone, one with a longer prompt, and several at once.

    Raises UpstreamError if there is none of them.
    """
    alone = sorted((each for each in answers if each.at_once == 1), key=lambda each: each.read_tokens)
    together = [each for each in answers if each.at_once > 1]
    if len(alone) < 2 or not together or alone[0].read_tokens == alone[-1].read_tokens:
        raise UpstreamError("Too few answers came to measure the model; try again when it is reachable and idle.")
    short, long = alone[0], alone[-1]
    read_s = max(LEAST_READ_S, long.first_s - short.first_s) / (long.read_tokens - short.read_tokens)
    steps = [(1.0, float(each.at_once), _kv_read(each, shares_cache=shares_cache)) for each in answers]
    weights = [1 / (math.sqrt(each.at_once) * max(LEAST_STEP_S, each.token_s)) for each in answers]
    fixed_s, answer_s, kv_token_s = _fit(steps, [each.token_s for each in answers], weights)
    return ReplicaSpeed(
        fixed_s=max(LEAST_STEP_S, fixed_s),
        weights_s=0.0,
        answer_s=answer_s,
        kv_token_s=kv_token_s,
        prompt_tokens_per_s=1 / read_s,
        slots=slots,
        kv_tokens=kv_tokens,
        chunk_tokens=chunk_tokens,
        shares_cache=shares_cache,
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


def _kv_read(answer: MeasuredAnswer, *, shares_cache: bool) -> float:
    """Return the tokens whose keys and values are read in a step of this answer and of those beside it."""
    return answer.held_tokens * answer.at_once * (answer.at_once if shares_cache else 1)


def _fit(steps: Sequence[tuple[float, ...]], seconds: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the price of each column of `steps`, none below 0, by weighted least squares."""
    rows: NDArray[float64] = np.array(steps) * np.array(weights)[:, None]
    wanted: NDArray[float64] = np.array(seconds) * np.array(weights)
    scale: NDArray[float64] = rows.max(axis=0)
    rows /= scale
    used = list(range(rows.shape[1]))
    while True:
        inverse = np.linalg.pinv(rows[:, used])
        prices = dict(zip(used, (inverse @ wanted).tolist(), strict=True))
        least = min(prices, key=lambda column: prices[column])
        if prices[least] >= 0:
            return [prices.get(column, 0.0) / float(scale[column]) for column in range(len(scale))]
        used.remove(least)
