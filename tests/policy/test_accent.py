"""The accent color: whatever it is, text in it and on it can be read in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eclair.policy.accent import (
    DARK_GROUNDS,
    LIGHT_GROUNDS,
    MIN_CONTRAST,
    accent_style,
    adjust_accent,
    check_color,
    contrast,
)

TOKENS = Path(__file__).parents[2] / "ui" / "src" / "styles" / "tokens.css"


@pytest.mark.parametrize("color", ["#000000", "#ffffff", "#ffff00", "#0000ff", "#777777", "#834317", "#00ff88"])
def test_a_color_is_adjusted_until_it_can_be_read(color: str) -> None:
    shades = adjust_accent(color)
    for shade, grounds in ((shades.light, LIGHT_GROUNDS), (shades.dark, DARK_GROUNDS)):
        assert min(contrast(shade.color, ground) for ground in grounds) >= MIN_CONTRAST
        assert shade.contrast >= MIN_CONTRAST
        assert contrast(shade.text, shade.color) >= MIN_CONTRAST
        assert contrast(shade.text, shade.strong) >= MIN_CONTRAST


def test_one_that_can_be_read_stays_as_it_is() -> None:
    assert adjust_accent("#834317").light.color == "#834317"
    assert "--accent: #834317;" in accent_style("#834317")


def test_contrast_is_that_of_wcag() -> None:
    assert round(contrast("#000000", "#ffffff"), 1) == 21.0
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    with pytest.raises(ValueError, match="is no color"):
        check_color("red; } body { display: none")


def test_the_grounds_are_those_of_the_page() -> None:
    named = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\);", TOKENS.read_text("utf-8"))
    found = dict(reversed(named))  # the first ones; those for more contrast come later
    grounds = [found[name].split(", ") for name in ("paper", "paper-low", "hover", "chosen")]
    assert {light for light, _ in grounds} <= set(LIGHT_GROUNDS)
    assert {dark for _, dark in grounds} <= set(DARK_GROUNDS)
