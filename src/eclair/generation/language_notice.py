"""Suggests another model for a language that the answering model doesn't list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from eclair.errors import SettingsError
from eclair.llm.local.reading_rate import BILLIONS_PER_CORE_SECOND
from eclair.models import memory, throughput
from eclair.models.offers import Offer, list_offers
from eclair.schema.events import Notice
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.text.language import identify_language, language_names, lists_language
from eclair.util.cpu import available_cores
from eclair.util.humanize import format_size

MAX_LIGHT_ACTIVE_B = 10.0
"""Billions of active parameters above which a model is slow without a GPU, however many cores there are."""

MIN_READING_TOKENS_PER_S = 30.0
"""A slower model keeps a question on a document waiting for half a minute and more."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Models that list `language`: those available, and the best one to download.

    `offer` is None if none fits this machine. `seconds` is the expected download time at the rate of the last
    download, None if unknown.
    """

    language: str
    here: tuple[Model, ...]
    offer: Offer | None
    seconds: float | None


async def advise(language: str, models: Sequence[Model], settings: Settings) -> Advice:
    """Find models for a language. Reads the disk, in a thread. Raises SettingsError."""
    here = tuple(model for model in models if model.languages and lists_language(model.languages, language))
    offer = _best(
        await asyncio.to_thread(list_offers, settings), language, memory.budget(settings), _max_light_active(settings)
    )
    rate = await asyncio.to_thread(throughput.saved_line_rate, settings.data_dir)
    bytes = offer.size - offer.downloaded_bytes if offer is not None and offer.size is not None else None
    return Advice(language, here, offer, bytes / rate if bytes is not None and rate is not None else None)


async def language_notice(
    history: Sequence[Message], model: Model, models: Sequence[Model], settings: Settings
) -> Notice | None:
    """Warn that the model doesn't list the question's language, once per language."""
    question = next((message for message in reversed(history) if message.role == "user"), None)
    language = identify_language(question.text) if question is not None and model.languages else None
    if language is None or lists_language(model.languages, language) or _was_warned(history, model, language):
        return None
    try:
        advice = await advise(language, models, settings)
    except SettingsError:  # the owner's catalog is at fault, which `eclair models` says; no answer fails of that
        return None
    return Notice("language", _sentence(model, advice), language)


def _was_warned(history: Sequence[Message], model: Model, language: str) -> bool:
    in_stored = any(
        message.model == model.id and any(remark.language == language for remark in message.remarks)
        for message in history
    )
    # A temporary chat's answers carry no model.
    is_temporary = any(message.role == "assistant" and message.model is None for message in history)
    return in_stored or (
        is_temporary
        and any(message.role == "user" and identify_language(message.text) == language for message in history[:-1])
    )


def _max_light_active(settings: Settings) -> float:
    """Return the billions of active parameters up to which a model is fast enough on this machine's cores."""
    cores = settings.embedded_threads or available_cores()
    return min(MAX_LIGHT_ACTIVE_B, BILLIONS_PER_CORE_SECOND * cores / MIN_READING_TOKENS_PER_S)


def _best(offers: Sequence[Offer], language: str, budget: int, max_active: float) -> Offer | None:
    """Choose the European model to suggest for a language.

    The largest light one, unrestricted licenses first, then the catalog's order. If none is light, the lightest
    that fits, rather one that doesn't reason first.
    """
    suitable = [
        offer
        for offer in offers
        if offer.entry.is_european
        and offer.entry.languages
        and lists_language(offer.entry.languages, language)
        and offer.fits
        and not offer.installed
    ]
    light = [offer for offer in suitable if (offer.memory or 0) <= budget and _active(offer) <= max_active]
    if not light:
        return min(
            suitable,
            key=lambda offer: (bool(offer.entry.restricts), "reasoning" in offer.entry.can, offer.memory or 0),
            default=None,
        )
    return max(light, key=lambda offer: (not offer.entry.restricts, round(_active(offer))))


def _active(offer: Offer) -> float:
    return offer.entry.active or offer.entry.parameters or 0


def _sentence(model: Model, advice: Advice) -> str:
    name = language_names()[advice.language]
    warning = f"{model.name} does not list {name} among its languages, so this answer may be poor"
    if advice.here:
        other = advice.here[0]
        return f"{warning}; {other.name}, which is here, does: choose the model {other.id}."
    if advice.offer is None:
        return f"{warning}; `eclair models --all` shows others."
    entry = advice.offer.entry
    facts = [f"{entry.maker} ({entry.country})", f"{len(entry.languages)} languages"]
    facts += [format_size(advice.offer.size)] if advice.offer.size is not None else []
    facts += [f"about {_time(advice.seconds)} on your line"] if advice.seconds is not None else []
    return f"{warning}; `eclair pull {entry.id}` fetches one that does ({', '.join(facts)})."


def _time(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
