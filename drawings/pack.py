"""Pack what clip art is made of into one archive in the package: pictures, and their names in many languages.

The pictures are Noto Emoji, their names those of Unicode's CLDR, which npm brings, and of `names.toml`; `words.toml`
has the other words of prompts. Names are sorted out here: one that could mean several pictures is marked as such.
"""

# The font, the pictures and the names are JSON and bytes of others.
# pyright: reportAny=false

from __future__ import annotations

import importlib.util
import io
import json
import math
import re
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "is", "it", "lt", "lv", "mt"),
    *("nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sv", "tr", "uk"),
)
FOLDER = Path("src", "eclair", "images", "backends", "clipart")
ARCHIVE = FOLDER / "clipart.zip"
NOTO, CLDR = Path("node_modules", "@iconify-json", "noto"), Path("node_modules", "cldr-annotations-full")

MAX_SVG_CHARS = 40_000
"""One picture is larger, and four times as large as the next."""
MAX_NAME_WORDS = 4
AMBIGUOUS = -1
MEASURED_COLORS = 8
CELL_PIXELS, CELLS = 64, 16
"""Colors are measured on sheets of `CELLS` by `CELLS` pictures."""

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.60, 0.23, 27),
    "orange": (0.74, 0.18, 55),
    "yellow": (0.87, 0.17, 95),
    "green": (0.64, 0.18, 145),
    "blue": (0.58, 0.19, 257),
    "violet": (0.54, 0.20, 300),
    "pink": (0.76, 0.15, 355),
    "brown": (0.47, 0.09, 52),
    "black": (0.27, 0.008, 270),
    "white": (0.97, 0.004, 90),
    "gray": (0.65, 0.008, 260),
    "turquoise": (0.76, 0.13, 192),
    "gold": (0.80, 0.15, 85),
    "silver": (0.82, 0.012, 250),
}
"""Colors in OKLCH, where equal steps look equal, in the order of `colors` in `words.toml`."""

KINDS = (
    *("describing", "frame", "little", "without", "right", "left"),
    *("below", "above", "large", "small", "several"),
)
"""Tables of `words.toml`; a word that is in several is of the last, or a color or number."""

LIGHT_STEPS = 40
CHROMA_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Lights and shades of a color are told apart in so many steps of lightness and parts of its chroma."""

SAME_HUE = 48.0
"""Degrees within which hues are one color in its lights and shades."""
GRAY_CHROMA = 0.045
MIN_HUED_SHARE = 0.22
"""The share from which on a hue, rather than gray or white, is a picture's own color."""

MORE = ("lighthouse", "treasure-chest", "meteor", "monarch-butterfly", "pickle", "eraser")
"""Pictures whose characters have no names yet."""

_ID = re.compile(r'\bid="([^"]+)"')
_PAINT = re.compile(r"\b(?:fill|stroke|stop-color)=\"(#[0-9a-fA-F]{3,8})\"")
_SIGN = re.compile(r".\ufe0f?(?:\u200d.\ufe0f?)*", re.DOTALL)
_DATE = (1980, 1, 1, 0, 0, 0)

Oklch = tuple[float, float, float]
"""Lightness 0 to 1, chroma 0 to about 0.3, hue in degrees."""


def pack(root: Path) -> int:
    """Write the archive again and return its size in bytes."""
    here = root / "drawings"
    fold = _fold_words(root)
    labels = {language: _labels(here, language) for language in LANGUAGES}
    curated = tomllib.loads((here / "names.toml").read_text("utf-8"))
    pictures = list(_pictures(here, labels["en"], curated))
    files: dict[str, str | bytes] = {"pictures.json": _json([[name, char] for name, char, _ in pictures])}
    rules = tomllib.loads((here / "words.toml").read_text("utf-8"))
    for language in LANGUAGES:
        names = _names(pictures, labels[language], curated, language, fold)
        files[f"languages/{language}.json"] = _json({"names": names, **_rules(rules[language], fold)})
    bodies = [body for *_, body in pictures]
    files["tints.json"] = _json([_tint(body, colors) for body, colors in zip(bodies, _colors(bodies), strict=True)])
    files["colors.json"] = _json({name: _ramp(color) for name, color in COLORS.items()})
    files |= {f"pictures/{number}.svg": body for number, body in enumerate(bodies)}
    files |= {
        "licenses/noto-emoji.txt": (root / "LICENSE").read_text("utf-8"),
        "licenses/cldr.txt": (here / CLDR / "LICENSE").read_text("utf-8"),
    }
    with zipfile.ZipFile(root / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED, 9)
    return (root / ARCHIVE).stat().st_size


def _fold_words(root: Path) -> Callable[[str], str]:
    """The package's own folding of words; the package is not installed where it is built."""
    spec = importlib.util.spec_from_file_location("folding", root / FOLDER / "folding.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fold_words


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _labels(here: Path, language: str) -> dict[str, str]:
    """The name of each character in that language."""
    path = here / CLDR / "annotations" / language / "annotations.json"
    listed = json.loads(path.read_text("utf-8"))["annotations"]["annotations"]
    return {_bare(char): each["tts"][0] for char, each in listed.items() if each.get("tts")}


def _bare(char: str) -> str:
    return char.replace("\ufe0f", "")


def _pictures(here: Path, labeled: Iterable[str], curated: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, character and SVG of each picture that shows a thing with a name."""
    pictures = json.loads((here / NOTO / "icons.json").read_text("utf-8"))["icons"]
    chars = json.loads((here / NOTO / "chars.json").read_text("utf-8"))
    groups = json.loads((here / NOTO / "metadata.json").read_text("utf-8"))["categories"]
    group_of = {name: group for group, names in groups.items() for name in names}
    unnamed, named = (set(map(_bare, _SIGN.findall(curated[key]))) for key in ("unnamed", "named"))
    known, seen = set(labeled) - unnamed, set[str]()
    for code, name in chars.items():
        char = _bare("".join(chr(int(part, 16)) for part in code.split("-")))
        body = pictures.get(name, {}).get("body", "")
        more = name in MORE
        hidden = group_of.get(name) in curated["unnamed_groups"] and char not in named
        if hidden or name in seen or not (char in known or more) or not 0 < len(body) <= MAX_SVG_CHARS:
            continue
        seen.add(name)
        yield name, "" if more else char, body


def _names(
    pictures: list[tuple[str, str, str]],
    labels: dict[str, str],
    curated: dict[str, Any],
    language: str,
    fold: Callable[[str], str],
) -> dict[str, int]:
    """The number of the picture that each name means; AMBIGUOUS for a name of several things."""
    numbers = {sign: number for number, (name, char, _) in enumerate(pictures) for sign in (name, char) if sign}
    found: dict[str, int] = {}
    for number, (_, char, _) in enumerate(pictures):
        label = labels.get(char, "")
        name = "" if set("(/") & set(label) else fold(label)  # of a person: two names in one
        if 0 < len(name.split()) <= MAX_NAME_WORDS:
            found[name] = number if found.get(name, number) == number else AMBIGUOUS
    for entry in curated["names"].get(language, "").split(","):
        name, _, sign = entry.strip().rpartition(" ")
        if name:
            found[fold(name)] = AMBIGUOUS if sign == "-" else numbers[_bare(sign)]
    return found | {fold(word): AMBIGUOUS for word in curated["homonyms"].get(language, "").split(",") if word.strip()}


def _rules(table: dict[str, Any], fold: Callable[[str], str]) -> dict[str, Any]:
    """The language's table with its words by phrase: `[kind, value]`."""
    words: dict[str, tuple[str, str]] = {}

    def add(phrases: Iterable[str], kind: str, value: str = "") -> None:
        for phrase in map(str.strip, phrases):
            words[fold(phrase.replace("_", " ")) + ("~" if phrase.endswith("~") else "")] = (kind, value)

    for kind in KINDS:
        add(filter(None, table.get(kind, "").split(",")), kind)
    for color, alike in zip(COLORS, table["colors"].split(), strict=False):
        add(alike.split("/"), "color", color)
    for number, alike in enumerate(table["numbers"].split(), 1):
        add(alike.split("/"), "number", str(number))
    endings = ["", *sorted(map(fold, table["endings"].split()), key=len)]
    flags = [key for key in ("compounds", "capitals", "color_follows") if table.get(key)]
    plural, verbal = (table.get(key, "").split() for key in ("plural", "verb_endings"))
    rest = {"flags": flags, "captions": [table["drawn"], table["undrawn"]]}
    return {"words": words, "endings": endings, "plural": plural, "verbal": verbal, **rest}


def _colors(bodies: list[str]) -> Iterator[list[tuple[str, float]]]:
    """The colors of each picture with their shares of what is seen."""
    for start in range(0, len(bodies), CELLS * CELLS):
        some = bodies[start : start + CELLS * CELLS]
        cells = "".join(_cell(number, body) for number, body in enumerate(some))
        side = CELLS * 128
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {side} {side}">{cells}</svg>'
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, width=CELLS * CELL_PIXELS, skip_system_fonts=True)
        sheet = Image.open(io.BytesIO(png)).convert("RGBA")
        for number in range(len(some)):
            left, top = number % CELLS * CELL_PIXELS, number // CELLS * CELL_PIXELS
            yield _measured(sheet.crop((left, top, left + CELL_PIXELS, top + CELL_PIXELS)))


def _cell(number: int, body: str) -> str:
    """A picture on the sheet, with ids of its own."""
    for name in set(_ID.findall(body)):
        body = re.sub(rf'(id="|url\(#|href="#){re.escape(name)}(?=["\)])', rf"\g<1>{name}_{number}", body)
    left, top = number % CELLS * 128, number // CELLS * 128
    return f'<svg x="{left}" y="{top}" width="128" height="128" viewBox="0 0 128 128">{body}</svg>'


def _measured(image: Image.Image) -> list[tuple[str, float]]:
    alpha = image.getchannel("A").point([0 if value < 100 else 255 for value in range(256)])
    few = image.convert("RGB").quantize(32, kmeans=2)
    palette = few.getpalette() or []
    seen = Counter(index for index, there in zip(few.tobytes(), alpha.tobytes(), strict=True) if there)
    total = max(1, seen.total())
    return [
        (f"#{bytes(palette[3 * index : 3 * index + 3]).hex()}", count / total)
        for index, count in seen.most_common(MEASURED_COLORS * 2)
        if count / total >= 0.015
    ]


def _ramp(color: Oklch) -> list[str]:
    """A color in all its lights and shades, in the order of the numbers that `_tint` gives."""
    light, chroma, hue = color
    spread = 0.55 if chroma < 0.02 else 0.8
    return [
        _hex((min(0.98, max(0.1, light + (2 * step / LIGHT_STEPS - 1) * spread)), chroma * ratio, hue))
        for step in range(LIGHT_STEPS + 1)
        for ratio in CHROMA_RATIOS
    ]


def _tint(body: str, colors: list[tuple[str, float]]) -> dict[str, int]:
    """Each paint that has the picture's own color, with the place of its light or shade in a ramp.

    The rest keeps its color when the picture is tinted: the leaf of a blue apple is green.
    """
    own, is_hued = _own_color(colors)
    found: dict[str, int] = {}
    for paint in set(_PAINT.findall(body)):
        light, chroma, hue = _oklch(paint)
        if is_hued:
            near = chroma >= 0.03 and (light >= 0.42 or chroma >= 0.07)  # else an outline, or nearly gray
            if not near or _apart(hue, own[2]) > SAME_HUE * (1 if chroma > 0.1 else 1.2):
                continue
        elif chroma > GRAY_CHROMA or light <= 0.4:
            continue
        ratio = chroma / own[1] if is_hued and own[1] else 1.0
        nearest = min(range(len(CHROMA_RATIOS)), key=lambda place: abs(CHROMA_RATIOS[place] - ratio))
        found[paint] = round((light - own[0] + 1) / 2 * LIGHT_STEPS) * len(CHROMA_RATIOS) + nearest
    return dict(sorted(found.items()))


def _own_color(colors: list[tuple[str, float]]) -> tuple[Oklch, bool]:
    """The color that most of a picture has in its lights and shades, and that it has a hue."""
    known = [(_oklch(color), share) for color, share in colors]
    hued = [(color, share) for color, share in known if color[1] > GRAY_CHROMA]
    most, best = 0.0, hued
    for center, _ in hued:
        group = [(color, share) for color, share in hued if _apart(color[2], center[2]) <= SAME_HUE * 0.75]
        total = sum(share for _, share in group)
        if total > most:
            most, best = total, group
    gray = [(color, share) for color, share in known if color[1] <= GRAY_CHROMA and color[0] > 0.35]
    is_hued = most >= MIN_HUED_SHARE or not gray
    chosen = best if is_hued else gray
    if not chosen:
        return (0.5, 0.0, 0.0), False
    total = sum(share for _, share in chosen)
    light = sum(color[0] * share for color, share in chosen) / total
    a = sum(color[1] * math.cos(math.radians(color[2])) * share for color, share in chosen) / total
    b = sum(color[1] * math.sin(math.radians(color[2])) * share for color, share in chosen) / total
    return (light, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360), is_hued


def _oklch(color: str) -> Oklch:
    """Of `#rgb` or `#rrggbb` (Björn Ottosson's Oklab)."""
    digits = color[1:]
    if len(digits) in (3, 4):
        digits = "".join(2 * digit for digit in digits)
    r, g, b = (_linear(int(digits[i : i + 2], 16) / 255) for i in (0, 2, 4))
    l_ = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    m_ = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s_ = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    light = 0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_
    a = 1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_
    b = 0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_
    return light, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _hex(color: Oklch) -> str:
    """An OKLCH color as `#rrggbb`; with less chroma where the screen has no such color."""
    low, high = 0.0, color[1]
    for _ in range(12):
        middle = (low + high) / 2
        is_shown = all(-0.001 <= each <= 1.001 for each in _channels((color[0], middle, color[2])))
        low, high = (middle, high) if is_shown else (low, middle)
    values = (_gamma(min(1.0, max(0.0, each))) for each in _channels((color[0], low, color[2])))
    return "#" + "".join(f"{round(255 * value):02x}" for value in values)


def _channels(color: Oklch) -> tuple[float, float, float]:
    light, chroma, hue = color
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l3 = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m3 = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s3 = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
        -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
        -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3,
    )


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _apart(first: float, second: float) -> float:
    """Degrees between two hues."""
    return abs((first - second + 180) % 360 - 180)


if __name__ == "__main__":
    print(pack(Path(__file__).resolve().parent.parent))
