"""`eclair draw`: generates or edits images; writes files and fills the gallery."""

from __future__ import annotations

import argparse
import asyncio
import re
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from eclair.app import open_app
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, NotFound, TooLarge, UserError
from eclair.images.gallery import Gallery
from eclair.images.inputs import ImageUploads
from eclair.provenance.provenance_report import ImageForm
from eclair.schema.images import GeneratedImage, ImageFinished, ImageProgressed, ImageQueued, ImageRequest
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.transfer.export_view import image_file_name

FORMATS: dict[str, ImageForm] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_SIZE = re.compile(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    wide, high = _size(arguments.size)
    request = ImageRequest(
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
    return run_async(_draw(settings, request, arguments, terminal))


async def _draw(settings: Settings, request: ImageRequest, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Generate the images without starting the engines that answer."""
    form = _format(arguments.output)
    max_mb = settings.max_file_mb
    uploads = ImageUploads(
        tuple((str(path), _bytes(path, max_mb)) for path in arguments.edit or ()),
        _bytes(arguments.mask, max_mb) if arguments.mask is not None else None,
    )
    alone = replace(settings, embedded=False, embedder="off", titles=False, tune=False)
    async with open_app(alone) as app:
        terminal.status("Choosing the model…")
        prompt = " ".join(arguments.prompt)
        job = await app.images.prepare(LOCAL_PRINCIPAL, prompt, request, arguments.model, uploads=uploads, form=form)
        async with aclosing(app.images.generate(job)) as updates:
            async for update in updates:
                match update:
                    case ImageQueued(before=ahead):
                        terminal.status(f"Waiting for {ahead} other images…")
                    case ImageProgressed():
                        terminal.status(_progress(update, request.count))
                    case ImageFinished(index=index, picture=image):
                        path = _output_path(arguments.output, image, index, request.count)
                        terminal.line(str(await write_image(app.gallery, image, path, terminal.umask)))
                        _report(image, terminal)
    return 0


def _report(image: GeneratedImage, terminal: Terminal) -> None:
    if image.revised_prompt is not None and image.revised_prompt != image.prompt:
        terminal.aside(image.revised_prompt)
    seed = f" · seed {image.seed}" if image.seed is not None else ""
    seconds = f" · {image.milliseconds / 1000:.1f} s" if image.milliseconds is not None else ""
    terminal.note(f"{image.width} × {image.height} · {image.model}{seed}{seconds}")


async def write_image(gallery: Gallery, picture: GeneratedImage, path: Path, umask: int) -> Path:
    """Write an image to a file with the person's `umask`, and return its path. Raises UserError where that fails."""
    data = await gallery.read_bytes(picture)

    def write() -> None:
        is_new = not path.exists()
        path.write_bytes(data)
        if is_new:
            path.chmod(0o666 & ~umask)

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; it is in the gallery as {picture.id}.") from error
    return path


def _progress(now: ImageProgressed, count: int) -> str:
    which = f" {now.index + 1} of {count}" if count > 1 else ""
    return f"Drawing{which}… step {now.done} of {now.of}"


def _output_path(output: Path | None, picture: GeneratedImage, index: int, count: int) -> Path:
    """Return the file for an image; several are numbered."""
    if output is None:
        return Path(image_file_name(picture))
    return output if count == 1 else output.with_stem(f"{output.stem}-{index + 1}")


def _format(output: Path | None) -> ImageForm | None:
    """Return the format by the file's ending. Raises UserError for another ending, or a missing folder."""
    if output is None:
        return None
    if output.suffix.lower() not in FORMATS:
        raise InvalidInput(f"{output} has no image format; use .png, .jpg or .webp.")
    if not output.absolute().parent.is_dir():
        raise NotFound(f"There is no folder {output.absolute().parent}; make it, or write elsewhere.")
    return FORMATS[output.suffix.lower()]


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text!r} is not a size; write width and height in pixels, such as 1024x768.")
    return int(found[1]), int(found[2])


def _bytes(path: Path, max_mb: int) -> bytes:
    """Read a file. Raises UserError."""
    try:
        if path.stat().st_size > max_mb * 1_000_000:
            raise TooLarge(f"{path} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; check the path.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}; check who may read it.") from error
    if not data:
        raise InvalidInput(f"{path} is empty; choose another file.")
    return data
