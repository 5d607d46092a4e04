"""`eclair draw`: pictures are made, or others changed, written to files and kept in the gallery."""

from __future__ import annotations

import argparse
import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.app import App, open_app
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import carry_out
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, NotFound, TooLarge, UserError
from eclair.images.gallery import Gallery
from eclair.images.inputs import Brought
from eclair.provenance.report import ImageForm
from eclair.schema.images import Finished, Picture, Underway, Waiting
from eclair.schema.messages import Wish
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.transfer.export_view import image_file_name

FORMS: dict[str, ImageForm] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_SIZE = re.compile(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drawn by which model, and where to; without an `output` into this folder, under its own name."""

    prompt: str
    wish: Wish
    model: str | None
    edit: tuple[Path, ...]
    mask: Path | None
    output: Path | None


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    wide, high = _size(arguments.size)
    wish = Wish(
        count=arguments.count,
        width=wide,
        height=high,
        seed=arguments.seed,
        steps=arguments.steps,
        guidance=arguments.guidance,
        style=arguments.style,
        negative=arguments.negative or "",
        strength=arguments.strength,
    )
    prompt, edit = " ".join(arguments.prompt), tuple(arguments.edit or ())
    wanted = Wanted(prompt, wish, arguments.model, edit, arguments.mask, arguments.output)
    return carry_out(_draw(settings, wanted, terminal))


async def _draw(settings: Settings, wanted: Wanted, terminal: Terminal) -> int:
    """Draw without what answers questions."""
    form = _form(wanted.output)
    most = settings.max_file_mb
    brought = Brought(
        tuple((str(path), _bytes(path, most)) for path in wanted.edit),
        _bytes(wanted.mask, most) if wanted.mask is not None else None,
    )
    alone = replace(settings, embedded=False, embedder="off", titles=False, tune=False)
    async with open_app(alone) as app:
        terminal.status("Looking who draws…")
        commission = await app.studio.wish(
            LOCAL_PRINCIPAL, wanted.prompt, wanted.wish, wanted.model, brought=brought, form=form
        )
        async with aclosing(app.studio.draw(commission)) as making:
            async for each in making:
                match each:
                    case Waiting(before=before):
                        terminal.status(f"Waiting until {before} other pictures are made…")
                    case Underway():
                        terminal.status(_progress(each, wanted.wish.count))
                    case Finished():
                        await _written(app, each, wanted, terminal)
    return 0


async def _written(app: App, made: Finished, wanted: Wanted, terminal: Terminal) -> None:
    picture = made.picture
    path = _place(wanted.output, picture, made.index, wanted.wish.count)
    terminal.line(str(await written(app.gallery, picture, path)))
    seed = f" · seed {picture.seed}" if picture.seed is not None else ""
    seconds = f" · {picture.milliseconds / 1000:.1f} s" if picture.milliseconds is not None else ""
    if picture.revised_prompt is not None and picture.revised_prompt != picture.prompt:
        terminal.aside(picture.revised_prompt)
    terminal.note(f"{picture.width} × {picture.height} · {picture.model}{seed}{seconds}")


async def written(gallery: Gallery, picture: Picture, path: Path) -> Path:
    """The path, with the picture written there. Raises UserError where it cannot be."""
    data = await gallery.bytes(picture)
    try:
        await asyncio.to_thread(path.write_bytes, data)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; the picture is kept as {picture.id}.") from error
    return path


def _progress(now: Underway, count: int) -> str:
    which = f" {now.index + 1} of {count}" if count > 1 else ""
    return f"Drawing{which}… step {now.done} of {now.of}"


def _place(output: Path | None, picture: Picture, index: int, count: int) -> Path:
    """Where a picture is written; several have a number behind their name."""
    if output is None:
        return Path(image_file_name(picture))
    return output if count == 1 else output.with_stem(f"{output.stem}-{index + 1}")


def _form(output: Path | None) -> ImageForm | None:
    """What the file's ending says. Raises UserError for one that a picture is not written as, or nowhere to write."""
    if output is None:
        return None
    if output.suffix.lower() not in FORMS:
        raise InvalidInput(f"{output} ends in no kind of picture that is written; end it in .png, .jpg or .webp.")
    if not output.absolute().parent.is_dir():
        raise NotFound(f"There is no folder {output.absolute().parent}; make it, or write elsewhere.")
    return FORMS[output.suffix.lower()]


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text!r} is no size; write width and height in pixels, such as 1024x768.")
    return int(found[1]), int(found[2])


def _bytes(path: Path, most_mb: int) -> bytes:
    """Raises UserError."""
    try:
        if path.stat().st_size > most_mb * 1_000_000:
            raise TooLarge(f"{path} is larger than {most_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}; check who may read it.") from error
    if not data:
        raise InvalidInput(f"{path} is empty; choose another file.")
    return data
