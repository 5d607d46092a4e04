"""Styles: words that a name adds to a prompt."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from eclair.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """`suffix` is English and follows the prompt."""

    name: str
    title: str
    suffix: str


@cache
def styles() -> dict[str, ImageStyle]:
    """Read all styles, by name."""
    table = tomllib.loads((resources.files("eclair.images") / "styles.toml").read_text("utf-8"))
    return {name: ImageStyle(name, **fields) for name, fields in table.items()}


def find_style(name: str) -> ImageStyle:
    """Find a style by name. Raises InvalidInput where there is none."""
    found = styles().get(name)
    if found is None:
        raise InvalidInput(f"There is no style {name!r}. Available: {', '.join(styles())}.", param="style")
    return found
