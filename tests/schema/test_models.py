"""The tier of a model: what it is trusted with, by its size or as the catalog states it."""

from __future__ import annotations

import pytest

from eclair.models import catalog
from eclair.schema.models import Model, tier_of


@pytest.mark.parametrize(
    ("parameters", "tier"),
    [
        (None, None),
        (0.135, "tiny"),
        (1.0, "small"),
        (1.5, "small"),
        (3.0, "capable"),
        (4.0, "capable"),
        (70.0, "capable"),
    ],
)
def test_the_tier_follows_from_the_size(parameters: float | None, tier: str | None) -> None:
    assert tier_of(parameters) == tier
    assert Model("x", "X", "x", parameters=parameters).tier == tier


def test_a_mixture_of_experts_counts_between_all_and_active_parameters() -> None:
    assert tier_of(30.0, 3.0) == "capable"
    assert tier_of(3.0, 0.8) == "small"
    assert tier_of(1.0, 0.4) == "tiny"
    assert tier_of(None, 3.0) == "capable"


def test_what_is_stated_comes_first() -> None:
    assert Model("x", "X", "x", parameters=70.0, stated_tier="tiny").tier == "tiny"


def test_the_catalog_states_a_tier_for_each_of_its_models() -> None:
    for entry in catalog.load_entries().values():
        assert entry.tier is not None, entry.id
        assert entry.to_model("x", 4096, None).tier == entry.tier == tier_of(entry.parameters, entry.active), entry.id
