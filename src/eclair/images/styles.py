"""Styles: words that are added to a prompt, by a name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from eclair.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Style:
    """`suffix` is English, and goes behind the prompt."""

    name: str
    title: str
    suffix: str


@cache
def styles() -> dict[str, Style]:
    """All there are, by name."""
    table = tomllib.loads((resources.files("eclair.images") / "styles.toml").read_text("utf-8"))
    return {name: Style(name, **fields) for name, fields in table.items()}


def style(name: str) -> Style:
    """Raises InvalidInput where there is none of that name."""
    found = styles().get(name)
    if found is None:
        raise InvalidInput(f"There is no style {name!r}; there are {', '.join(styles())}.", param="style")
    return found
