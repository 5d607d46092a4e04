"""The book of drawings that the package carries: pictures with their measures, and their names in many languages.

`drawings/pack.py` makes it when the package is built. It is opened when it is first needed, and then stays open.
"""

from __future__ import annotations

import threading
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import orjson

from eclair.errors import ModelMissing

UNIT = 128
"""Pictures are squares with this side."""


@dataclass(frozen=True, slots=True)
class Icon:
    """`box` is where in its square it stands (left, top, right, bottom), and `colours` are pairs of a colour and its
    share of what is seen, the largest first. `char` is empty where no character stands for it."""

    number: int
    name: str
    char: str
    group: str
    box: tuple[int, int, int, int]
    colours: tuple[tuple[str, float], ...]

    @property
    def width(self) -> int:
        return max(1, self.box[2] - self.box[0])

    @property
    def height(self) -> int:
        return max(1, self.box[3] - self.box[1])


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers of icons by label and by keyword, folded."""

    labels: dict[str, list[int]]
    words: dict[str, list[int]]


class Book:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._reading = threading.Lock()
        self.icons = tuple(
            Icon(
                number,
                each["name"],
                each["char"],
                each["group"],
                tuple(each["box"]),
                tuple((colour, share) for colour, share in each["colours"]),
            )
            for number, each in enumerate(orjson.loads(archive.read("icons.json")))
        )
        self.languages = tuple(sorted(Path(name).stem for name in archive.namelist() if name.startswith("words/")))
        self.numbers = {icon.char: icon.number for icon in self.icons if icon.char}
        self.named = {icon.name: icon.number for icon in self.icons}

    def names(self, language: str) -> Names:
        found = orjson.loads(self._read(f"words/{language}.json"))
        return Names(found["labels"], found["words"])

    def svg(self, number: int) -> str:
        """What is inside of the picture's SVG."""
        return self._read(f"icons/{number}.svg").decode()

    def number(self, sign: str) -> int | None:
        """That of a character, or of a picture's name."""
        return self.numbers.get(sign.replace("\ufe0f", ""), self.named.get(sign))

    def _read(self, name: str) -> bytes:
        with self._reading:
            return self._archive.read(name)


@cache
def book() -> Book:
    """Raises ModelMissing where the package was built without it."""
    path = Path(str(resources.files("eclair.images.backends.clipart"))) / "drawings.zip"
    try:
        return Book(zipfile.ZipFile(path))
    except FileNotFoundError:
        raise ModelMissing("The drawings are missing from this installation; install Éclair again.") from None


def font() -> Path:
    """The file of the lettering's font."""
    return Path(str(resources.files("eclair.images.backends.clipart"))) / "lettering.ttf"
