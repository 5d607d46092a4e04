"""Chooses up to three models to suggest on this machine: a fast, a balanced and the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eclair.llm.tuning.expected import SpeedEstimator
from eclair.models import catalog, memory, throughput
from eclair.models.catalog import Ability, CatalogEntry
from eclair.models.default_model import TIER_RANKS
from eclair.models.offers import Offer, list_offers
from eclair.schema.models import tier_of
from eclair.settings import Settings
from eclair.text.language import lists_language
from eclair.util.cpu import available_cores

BYTES_READ_PER_CORE_S = 8e9
"""Bytes of weights that a core reads in a second while it writes, where nothing was measured."""

MAX_BYTES_READ_PER_S = 40e9
"""The bandwidth of memory that more cores don't raise."""

MIN_TELLING_BYTES = 500_000_000
"""The speed of a smaller model tells little about larger ones."""

WORDS_PER_TOKEN = 0.69

MIN_BALANCED_WORDS_PER_S = 8.0

MIN_WORDS_PER_S = 4.0
"""About as fast as people read; a slower model is suggested only where no other has what is asked for."""

MIN_SPEEDUP = 1.5
"""A fast model that is less than so much faster than the best one isn't suggested beside it."""

USEFUL_ABILITIES: frozenset[Ability] = frozenset({"tools", "vision"})

ChoiceRole = Literal["fast", "balanced", "best"]


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model to suggest. `seconds` is how long its download takes at the last rate, None if unknown."""

    role: ChoiceRole
    offer: Offer
    words_per_second: float
    is_measured: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    offer: Offer
    words_per_second: float
    is_measured: bool

    @property
    def merit(self) -> tuple[int, int, float]:
        entry = self.offer.entry
        tier = entry.tier or tier_of(entry.parameters, entry.active)
        return (
            TIER_RANKS[tier],
            len(USEFUL_ABILITIES.intersection(entry.can)),
            entry.parameters or 0.0,
        )


def choose_models(
    settings: Settings, language: str, measured: Mapping[str, float], ability: Ability | None = None
) -> list[ModelChoice]:
    """Choose models that list `language`, and have `ability` if one is named; the fastest first.

    `measured` are words per second of models that answered here. Reads the disk. Raises SettingsError.
    """
    offers = list_offers(settings)
    speeds = _WordSpeeds(settings, offers, measured)
    candidates = [
        candidate
        for offer in offers
        if _is_suitable(offer, language, ability) and (candidate := speeds.candidate(offer)) is not None
    ]
    budget = memory.budget(settings)
    light = [found for found in candidates if (found.offer.memory or 0) <= budget]
    rate = throughput.saved_line_rate(settings.data_dir)
    return [
        ModelChoice(role, found.offer, found.words_per_second, found.is_measured, _seconds(found.offer, rate))
        for role, found in _assign_roles(light or sorted(candidates, key=lambda found: found.offer.memory or 0)[:1])
    ]


def _is_suitable(offer: Offer, language: str, ability: Ability | None) -> bool:
    entry = offer.entry
    return (
        bool(offer.fits)
        and (entry.is_european or entry.id == catalog.RECOMMENDED_MODEL)
        and entry.restricts == ""
        and "audio" not in entry.can
        and ("reasoning" not in entry.can or entry.reasoning_support not in (None, "always"))
        and (entry.tier or tier_of(entry.parameters, entry.active)) != "tiny"
        and bool(entry.languages)
        and lists_language(entry.languages, language)
        and (ability is None or ability in entry.can)
    )


def _assign_roles(candidates: Sequence[_Candidate]) -> list[tuple[ChoiceRole, _Candidate]]:
    """Give each role to one candidate. A model with several keeps the one that says most."""
    if not candidates:
        return []
    fast = max(candidates, key=lambda found: found.words_per_second)
    best = max(_at_least(candidates, MIN_WORDS_PER_S), key=lambda found: found.merit, default=fast)
    balanced = max(_at_least(candidates, MIN_BALANCED_WORDS_PER_S), key=lambda found: found.merit, default=fast)
    roles: dict[str, tuple[ChoiceRole, _Candidate]] = {best.offer.entry.id: ("best", best)}
    if fast.words_per_second >= MIN_SPEEDUP * best.words_per_second:
        roles.setdefault(fast.offer.entry.id, ("fast", fast))
    if balanced.words_per_second >= MIN_SPEEDUP * best.words_per_second:
        roles.setdefault(balanced.offer.entry.id, ("balanced", balanced))
    return sorted(roles.values(), key=lambda pair: -pair[1].words_per_second)


def _at_least(candidates: Sequence[_Candidate], words_per_second: float) -> list[_Candidate]:
    return [found for found in candidates if found.words_per_second >= words_per_second]


def _seconds(offer: Offer, rate: float | None) -> float | None:
    if offer.installed or offer.size is None or rate is None:
        return None
    return max(0, offer.size - offer.downloaded_bytes) / rate


class _WordSpeeds:
    """The words per second of models here: measured, tuned, or estimated from the largest measured one or the cores."""

    def __init__(self, settings: Settings, offers: Sequence[Offer], measured: Mapping[str, float]) -> None:
        self._measured = measured
        self._tuned = SpeedEstimator.from_profiles(settings)
        telling = [
            (size, measured[offer.entry.id] * size)
            for offer in offers
            if offer.installed
            and offer.entry.id in measured
            and (size := _bytes_per_token(offer.entry, offer.size)) is not None
            and size >= MIN_TELLING_BYTES
        ]
        cores = settings.embedded_threads or available_cores()
        bytes_per_s = min(BYTES_READ_PER_CORE_S * cores, MAX_BYTES_READ_PER_S)
        self._bytes_per_word_s = max(telling)[1] if telling else bytes_per_s * WORDS_PER_TOKEN

    def candidate(self, offer: Offer) -> _Candidate | None:
        """Return the offer with its speed; None if its size is unknown."""
        entry = offer.entry
        if offer.installed and entry.id in self._measured:
            return _Candidate(offer, self._measured[entry.id], is_measured=True)
        expected = self._tuned.estimate(entry, offer.size)
        if expected is not None and expected.basis != "limit":
            return _Candidate(offer, expected.rate * WORDS_PER_TOKEN, expected.basis == "measured")
        size = _bytes_per_token(entry, offer.size)
        return _Candidate(offer, self._bytes_per_word_s / size, is_measured=False) if size else None


def _bytes_per_token(entry: CatalogEntry, size: int | None) -> float | None:
    if size is None:
        return None
    return size * (entry.active / entry.parameters if entry.active and entry.parameters else 1)
