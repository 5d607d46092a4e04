"""The packaged pictures and their words; `drawings/pack.py` makes the archive."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from eclair.errors import ModelMissing

AMBIGUOUS = -1  # in place of a picture: a name of several things
_PAINT = re.compile(r"\b(fill|stroke|stop-color)=\"(#[0-9a-fA-F]{3,8})\"")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Rules for reading prompts in a language. All phrases are folded; `drawings/words.toml` explains the fields."""

    language: str
    names: dict[str, int]
    words: dict[str, tuple[str, str]]
    endings: list[str]
    plural: list[str]
    verbal: list[str]
    flags: list[str]
    captions: list[str]

    def word(self, phrase: str) -> tuple[str, str] | None:
        """The kind and value of a phrase."""
        if phrase.isdecimal():
            return "number", phrase[:4]
        stems = (f"{phrase[: len(phrase) - cut]}~" for cut in range(min(4, len(phrase.split(" ")[-1]))))
        return next((self.words[form] for form in (phrase, *stems) if form in self.words), None)

    def picture(self, phrase: str) -> tuple[int, str] | None:
        """The one picture that a phrase names, and that name, of which the phrase may be another form."""
        forms = [phrase] if phrase in self.names else []
        for ending in self.endings:
            stem = phrase.removesuffix(ending)
            if not forms and phrase.endswith(ending) and len(stem) > 1:
                others = self.endings if len(stem) > 2 else self.endings[:1]
                forms = [stem + other for other in others if stem + other in self.names]
        meant = {self.names[form] for form in forms}
        return (meant.pop(), forms[0]) if len(meant) == 1 and AMBIGUOUS not in meant else None


class PictureBook:
    """`pictures` are pairs of Noto's name and the character, which may be empty; numbers are their places.

    `colors` has each color in its lights and shades. A picture is 128 units wide and high.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.pictures: list[tuple[str, str]] = self._json("pictures.json")
        self.languages = sorted(Path(name).stem for name in archive.namelist() if name.startswith("languages/"))
        self.colors: dict[str, list[str]] = self._json("colors.json")
        self._tints: list[dict[str, int]] = self._json("tints.json")

    @cache  # noqa: B019 (there is one book)
    def vocabulary(self, language: str) -> Vocabulary:
        return Vocabulary(language, **self._json(f"languages/{language}.json"))

    def svg(self, number: int, color: str | None = None) -> str:
        """The elements of a picture; in another color, its own is exchanged and keeps its lights and shades."""
        svg = self._archive.read(f"pictures/{number}.svg").decode()
        if color is None:
            return svg
        ramp, tints = self.colors[color], self._tints[number]
        return _PAINT.sub(lambda each: f'{each[1]}="{ramp[tints[each[2]]]}"' if each[2] in tints else each[0], svg)

    def _json(self, name: str) -> Any:
        return orjson.loads(self._archive.read(name))


@cache
def book() -> PictureBook:
    """Open the archive once. Raises ModelMissing where the package was built without it."""
    try:
        return PictureBook(zipfile.ZipFile(str(resources.files("eclair.images.backends.clipart") / "clipart.zip")))
    except FileNotFoundError:
        raise ModelMissing("The clip art is missing from this installation; install Éclair again.") from None
