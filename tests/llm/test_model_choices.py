"""Models are suggested by the person's language, the memory and the speed of this machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.llm.model_choices import MIN_WORDS_PER_S, choose_models
from eclair.models import catalog, memory, throughput
from eclair.settings import Settings
from tests.support import Server


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(memory, "physical", lambda: 24_000_000_000)
    return monkeypatch


def chosen(settings: Settings, language: str, cores: int) -> dict[str, str]:
    found = choose_models(replace(settings, embedded_threads=cores), language, {})
    return {choice.role: choice.offer.entry.id for choice in found}


@pytest.mark.parametrize(
    ("cores", "language", "roles"),
    [
        (2, "en", {"fast": catalog.RECOMMENDED_MODEL, "best": "ministral-3-3b"}),
        (4, "en", {"fast": catalog.RECOMMENDED_MODEL, "balanced": "ministral-3-3b", "best": "ministral-3-8b"}),
        (2, "de", {"best": "ministral-3-3b"}),
    ],
)
def test_what_is_suggested_is_as_large_as_the_cores_carry(
    machine: pytest.MonkeyPatch, settings: Settings, cores: int, language: str, roles: dict[str, str]
) -> None:
    assert chosen(settings, language, cores) == roles


def test_what_does_not_run_here_is_not_suggested(machine: pytest.MonkeyPatch, settings: Settings) -> None:
    machine.setattr(memory, "physical", lambda: 8_000_000_000)
    assert chosen(settings, "en", 8) == {"best": catalog.RECOMMENDED_MODEL}
    machine.setattr(memory, "physical", lambda: 1_000_000_000)
    assert chosen(settings, "en", 8) == {}


def test_a_slow_model_is_suggested_only_where_no_other_has_what_is_asked_for(
    machine: pytest.MonkeyPatch, settings: Settings
) -> None:
    two = replace(settings, embedded_threads=2)
    for choice in choose_models(two, "en", {}):
        assert choice.words_per_second >= MIN_WORDS_PER_S
    (finnish,) = choose_models(two, "fi", {})
    assert finnish.words_per_second < MIN_WORDS_PER_S


def test_a_model_that_sees_is_suggested_for_photos(machine: pytest.MonkeyPatch, settings: Settings) -> None:
    found = choose_models(replace(settings, embedded_threads=2), "en", {}, "vision")
    assert [choice.offer.entry.id for choice in found] == ["ministral-3-3b"]


def test_the_time_to_download_is_told_once_the_rate_is_known(machine: pytest.MonkeyPatch, settings: Settings) -> None:
    assert {choice.seconds for choice in choose_models(settings, "en", {})} == {None}
    (settings.data_dir / "models").mkdir(parents=True)
    throughput.save_line_rate(settings.data_dir, 10_000_000)
    for choice in choose_models(settings, "en", {}):
        assert choice.seconds == pytest.approx((choice.offer.size or 0) / 10_000_000)


async def test_the_choices_are_told_with_their_facts(server: Server, machine: pytest.MonkeyPatch) -> None:
    (best, *_) = reversed((await server.get("/api/catalog/choices?language=de")).body["choices"])
    assert best["role"] == "best"
    assert best["model"]["fits"] is True
    assert "de" in best["model"]["languages"]
    assert best["measured"] is False
    seeing = (await server.get("/api/catalog/choices?can=vision")).body["choices"]
    assert all("vision" in choice["model"]["can"] for choice in seeing)
    assert (await server.get("/api/catalog/choices?language=german")).status == 400
    assert (await server.get("/api/catalog/choices?can=fly")).status == 400
