"""Packs what drawings are made of into one archive in the package: pictures, their names in many languages, a font.

The pictures are Noto Emoji, the names those of Unicode's CLDR, the font is Comfortaa; npm brings all three. Of each
picture is measured where in its square it stands and which colours it has, so that nothing is to be measured later.
"""

# The font, the pictures and the names are JSON and bytes of others.
# pyright: reportAny=false

from __future__ import annotations

import importlib.util
import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "is", "it", "lt", "lv", "mt"),
    *("nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sv", "tr", "uk"),
)
FOLDER = Path("src", "eclair", "images", "backends", "clipart")
ARCHIVE, LETTERING = FOLDER / "drawings.zip", FOLDER / "lettering.ttf"

NOTO, CLDR, FONT = (
    Path("node_modules", *names)
    for names in (("@iconify-json", "noto"), ("cldr-annotations-full",), ("@expo-google-fonts", "comfortaa"))
)

LARGEST = 40_000
"""Characters of a picture: one is larger, and four times as large as the next."""
VAGUE = 40
"""A word of more pictures than this names none of them."""
COLOURS = 8
SIDE, ACROSS = 64, 16
"""Pictures are measured on sheets of `ACROSS` by `ACROSS`, each `SIDE` pixels wide."""

_LETTER = re.compile(r"letter-([a-z])")
_ID = re.compile(r'\bid="([^"]+)"')
_DATE = (1980, 1, 1, 0, 0, 0)

Words = dict[str, list[int]]


def pack(root: Path) -> int:
    """Write the archive anew; how many bytes it has."""
    here = root / "drawings"
    folded = _folding(root)
    names = {language: _annotations(here, language) for language in LANGUAGES}
    icons = list(_icons(here, names["en"]))
    measured = _measured([body for *_, body in icons])
    index = [
        {"name": name, "char": char, "group": group, **measures}
        for (name, char, group, _), measures in zip(icons, measured, strict=True)
    ]
    chars = [char for _, char, _, _ in icons]
    files: dict[str, str | bytes] = {"icons.json": _json(index)}
    files |= {
        f"words/{language}.json": _json(_words(chars, names[language], language, folded)) for language in LANGUAGES
    }
    files |= {f"icons/{number}.svg": body for number, (*_, body) in enumerate(icons)}
    files |= {
        "licences/noto-emoji.txt": (root / "LICENSE").read_text("utf-8"),
        "licences/cldr.txt": (here / CLDR / "LICENSE").read_text("utf-8"),
        "licences/comfortaa.txt": (here / FONT / "LICENSE_FONT").read_text("utf-8"),
    }
    with zipfile.ZipFile(root / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED, 9)
    (root / LETTERING).write_bytes((here / FONT / "700Bold" / "Comfortaa_700Bold.ttf").read_bytes())
    return (root / ARCHIVE).stat().st_size


def _folding(root: Path) -> Callable[[str], str]:
    """The package's own folding of words; the package is not installed where it is built."""
    spec = importlib.util.spec_from_file_location("folding", root / FOLDER / "folding.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.folded


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _annotations(here: Path, language: str) -> dict[str, tuple[list[str], list[str]]]:
    """The label and the keywords of each character."""
    path = here / CLDR / "annotations" / language / "annotations.json"
    listed = json.loads(path.read_text("utf-8"))["annotations"]["annotations"]
    return {_bare(char): (each.get("tts", []), each.get("default", [])) for char, each in listed.items()}


def _bare(char: str) -> str:
    return char.replace("\ufe0f", "")


def _icons(here: Path, named: Iterable[str]) -> Iterable[tuple[str, str, str, str]]:
    """Name, character, group and SVG of each picture that has a name in words, or that stands for a letter."""
    pictures = json.loads((here / NOTO / "icons.json").read_text("utf-8"))["icons"]
    chars = json.loads((here / NOTO / "chars.json").read_text("utf-8"))
    groups = json.loads((here / NOTO / "metadata.json").read_text("utf-8"))["categories"]
    group_of = {name: group for group, names in groups.items() for name in names}
    known, seen = set(named), set[str]()
    for code, name in chars.items():
        char = _bare("".join(chr(int(part, 16)) for part in code.split("-")))
        body = pictures.get(name, {}).get("body", "")
        more = name in MORE
        if name in seen or not (char in known or more) or not 0 < len(body) <= LARGEST:
            continue
        seen.add(name)
        yield name, "" if more else char, group_of.get(name, ""), body


MORE = ("lighthouse", "treasure-chest", "meteor", "monarch-butterfly", "pickle", "eraser")
"""Pictures whose characters have no names yet."""


def _words(
    chars: list[str], names: dict[str, tuple[list[str], list[str]]], language: str, folded: Callable[[str], str]
) -> dict[str, Words]:
    """The numbers of the pictures by label, and by keyword."""
    labels, words = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for number, char in enumerate(chars):
        label, keywords = names.get(char, ([], []))
        for text in label:
            labels[folded(text)].append(number)
        for text in keywords:
            if language != "de" or text[:1].isupper():  # in German what is written small is no thing
                words[folded(text)].append(number)
    few = {word: list(dict.fromkeys(numbers)) for word, numbers in words.items() if len(set(numbers)) <= VAGUE}
    return {"labels": dict(labels), "words": few}


def _measured(bodies: list[str]) -> Iterable[dict[str, Any]]:
    """Of each picture its box (left, top, right, bottom, of 128) and its colours with their shares."""
    for start in range(0, len(bodies), ACROSS * ACROSS):
        some = bodies[start : start + ACROSS * ACROSS]
        cells = "".join(_cell(number, body) for number, body in enumerate(some))
        side = ACROSS * 128
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {side} {side}">{cells}</svg>'
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, width=ACROSS * SIDE, skip_system_fonts=True)
        sheet = Image.open(io.BytesIO(png)).convert("RGBA")
        for number in range(len(some)):
            left, top = number % ACROSS * SIDE, number // ACROSS * SIDE
            yield _measures(sheet.crop((left, top, left + SIDE, top + SIDE)))


def _cell(number: int, body: str) -> str:
    """A picture on the sheet. Names are its own, and nothing of it is seen outside its cell."""
    for name in set(_ID.findall(body)):
        body = re.sub(rf'(id="|url\(#|href="#){re.escape(name)}(?=["\)])', rf"\g<1>{name}_{number}", body)
    left, top = number % ACROSS * 128, number // ACROSS * 128
    return f'<svg x="{left}" y="{top}" width="128" height="128" viewBox="0 0 128 128">{body}</svg>'


def _measures(image: Image.Image) -> dict[str, Any]:
    alpha = image.getchannel("A").point([0 if value < 100 else 255 for value in range(256)])
    box = alpha.getbbox() or (0, 0, SIDE, SIDE)
    few = image.convert("RGB").quantize(32, kmeans=2)
    palette = few.getpalette() or []
    seen = Counter(index for index, there in zip(few.tobytes(), alpha.tobytes(), strict=True) if there)
    total = max(1, seen.total())
    colours = [
        [f"#{bytes(palette[3 * index : 3 * index + 3]).hex()}", round(count / total, 3)]
        for index, count in seen.most_common(COLOURS * 2)
        if count / total >= 0.015
    ]
    return {"box": [edge * 128 // SIDE for edge in box], "colours": colours}


if __name__ == "__main__":
    print(pack(Path(__file__).resolve().parent.parent))
