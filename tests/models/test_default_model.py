"""The default model is the best that is installed, and a better one is recommended where it would help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eclair.models import catalog, default_model, memory
from eclair.models.catalog import CatalogEntry, starter_entry
from eclair.models.default_model import choose_default, find_lack_of_room, recommended_download
from eclair.models.installed import InstalledModel
from eclair.schema.models import Tier
from eclair.settings import Settings

TINY: tuple[Tier, float] = ("tiny", 0.135)


def installed(id: str, tier: Tier | None, parameters: float | None, size: int = 1_000_000) -> InstalledModel:
    entry = replace(starter_entry(), id=id, tier=tier, parameters=parameters)
    return InstalledModel(entry, Path(entry.files[0].name), size, 128, True)


def chosen(settings: Settings, *models: InstalledModel) -> str:
    return choose_default({model.entry.id: model for model in models}, settings).id


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([], catalog.STARTER_MODEL),
        ([("a", "tiny", 0.1)], "a"),
        ([("a", "tiny", 0.1), ("b", "tiny", 0.5)], "b"),
        ([("a", "tiny", 0.1), ("b", "small", 1.5)], "b"),
        ([("a", "small", 1.5), ("b", "capable", 24.0), ("c", "capable", 3.4)], "c"),
        ([("a", "tiny", 0.1), ("b", None, None)], "b"),
        ([("a", None, 0.2), ("b", None, 7.0)], "b"),
    ],
)
def test_the_lightest_of_the_best_is_the_default(
    models: list[tuple[str, Tier | None, float | None]], expected: str
) -> None:
    assert chosen(Settings(), *(installed(*model) for model in models)) == expected


def test_a_named_model_is_the_default_if_it_is_installed() -> None:
    here = [installed("a", "tiny", 0.1), installed("b", "small", 1.5)]
    assert chosen(Settings(model="a"), *here) == "a"
    assert chosen(Settings(model="c"), *here) == "b"


def test_a_model_over_the_memory_budget_is_not_the_default() -> None:
    here = [installed("a", "tiny", 0.1), installed("b", "capable", 7.0, size=5_000_000_000)]
    assert chosen(Settings(embedded_memory=4000), *here) == "a"
    assert chosen(Settings(embedded_memory=40_000), *here) == "b"


@pytest.mark.parametrize(
    ("default", "settings", "is_recommended"),
    [
        (TINY, Settings(embedded_memory=8000), True),
        (("small", 1.5), Settings(embedded_memory=8000), False),
        (TINY, Settings(embedded_memory=2000), False),
        (TINY, Settings(embedded_memory=8000, model="mine"), False),
    ],
)
def test_a_better_model_is_recommended_beside_a_tiny_one_alone(
    default: tuple[Tier, float], settings: Settings, is_recommended: bool
) -> None:
    found = recommended_download(installed("a", *default).entry, settings)
    assert (found.id if found is not None else None) == (catalog.RECOMMENDED_MODEL if is_recommended else None)


def test_too_little_memory_or_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry: CatalogEntry = catalog.load_entries()[catalog.RECOMMENDED_MODEL]
    monkeypatch.setattr(memory, "available", lambda: 8_000_000_000)
    assert find_lack_of_room(entry, tmp_path) is None
    monkeypatch.setattr(default_model, "SPARE_DISK_BYTES", 1 << 60)
    assert "the disk has only" in (find_lack_of_room(entry, tmp_path) or "")
    monkeypatch.setattr(memory, "available", lambda: 1_500_000_000)
    assert find_lack_of_room(entry, tmp_path) == "only 1.5 GB of memory are free."


def test_free_memory_is_less_than_all_of_it() -> None:
    assert 0 < memory.available() <= memory.physical()
