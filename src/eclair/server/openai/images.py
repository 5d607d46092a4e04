"""`/v1/images`: OpenAI's images API over the image service.

Images are stored in the gallery, like all others. Unsupported fields are rejected by name.
"""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import EclairError, InvalidInput, StoreError, TooLarge
from eclair.images.inputs import NO_UPLOADS, ImageUploads
from eclair.images.job import ImageJob
from eclair.images.request import MAX_SOURCES
from eclair.llm.base import JSON
from eclair.provenance.provenance_report import ImageForm
from eclair.schema.images import GeneratedImage, ImageFinished, ImageProgressed, ImageRequest, ImageUpdate
from eclair.schema.principal import Principal
from eclair.server.openai import errors
from eclair.server.openai.files import safe_file_name
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream
from eclair.server.streaming import CLIENT_GONE, unless_disconnected

ZERO_USAGE: JSON = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""Images are not counted in tokens, but OpenAI's clients expect numbers at the end of a stream."""

_FILE = {"type": "string", "format": "binary"}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "prompt"],
                    "properties": {
                        "image": {"type": "array", "items": _FILE},
                        "mask": _FILE,
                        "prompt": {"type": "string"},
                    },
                }
            }
        },
    }
}


class ImagesRequest(RequestBody):
    """Fields of both routes. `seed`, `steps`, `guidance` and `negative_prompt` are Éclair's own."""

    prompt: str
    model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    n: Annotated[int | None, Field(ge=1, le=10)] = None
    size: Annotated[str | None, Field(pattern=r"^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$")] = None
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"] | None = None
    background: Literal["opaque", "auto"] | None = None
    moderation: Literal["low", "auto"] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: ImageForm | None = None
    output_compression: Annotated[int | None, Field(ge=0, le=100)] = None
    partial_images: Annotated[int | None, Field(ge=0, le=3)] = None
    stream: bool | None = None
    style: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    negative_prompt: str | None = None

    def image_request(self) -> ImageRequest:
        """Build the image request. Raises InvalidInput for fields that contradict each other."""
        if self.output_compression not in (None, 100) and self.form == "png":
            raise InvalidInput("A PNG is lossless; leave `output_compression` out.", param="output_compression")
        if self.stream and self.response_format == "url":
            raise InvalidInput("A stream has the images themselves; leave `response_format` out.", param="stream")
        wide, _, high = (self.size or "").partition("x")
        return ImageRequest(
            count=self.n or 1,
            width=int(wide) if high else None,
            height=int(high) if high else None,
            seed=self.seed,
            steps=self.steps,
            guidance=self.guidance,
            style=self.style,
            negative=self.negative_prompt or "",
        )

    @property
    def form(self) -> ImageForm:
        return self.output_format or "png"

    @property
    def encoding_quality(self) -> int:
        """JPEG or WebP quality, at most 95: above that, files only grow."""
        return max(1, min(95, 95 if self.output_compression is None else self.output_compression))


class EditsRequest(ImagesRequest):
    """Fields of the form, without its images."""

    input_fidelity: Literal["low", "high"] | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/images", tags=["OpenAI"])
    public = PublicAddress.from_settings(app.settings)

    @api.post("/generations")
    async def generate(principal: Caller, body: ImagesRequest, request: Request) -> Response:
        return await answer(principal, body, request, "image_generation", NO_UPLOADS)

    @api.post("/edits", openapi_extra=_FORM)
    async def edit(principal: Caller, request: Request) -> Response:
        try:
            async with request.form(max_files=MAX_SOURCES + 1, max_fields=40) as form:
                uploads = await _uploads(form, app.settings.max_file_mb)
                body = _fields(form)
        except HTTPException as error:
            raise InvalidInput(f"The body is not a form with images: {error.detail}") from error
        except OSError as error:
            raise StoreError(f"The upload cannot be stored: {error.strerror}.") from error
        return await answer(principal, body, request, "image_edit", uploads)

    async def answer(
        principal: Principal, body: ImagesRequest, request: Request, kind: str, uploads: ImageUploads
    ) -> Response:
        preparing = app.images.prepare(
            principal,
            body.prompt,
            body.image_request(),
            body.model,
            uploads=uploads,
            form=body.form,
            quality=body.encoding_quality,
        )
        job = await unless_disconnected(request, preparing)
        if job is None:
            return CLIENT_GONE
        renderer = _ImageRenderer(app, body, job, kind, public.absolute_url(request, ""), int(time.time()))
        if body.stream:
            return EventStream(renderer.events())
        response = await unless_disconnected(request, renderer.full_response())
        return CLIENT_GONE if response is None else JSONResponse(response)

    return api


@dataclass(frozen=True, slots=True)
class _ImageRenderer:
    """Runs an image job and renders its images; `kind` is the prefix of its events' names."""

    app: App
    body: ImagesRequest
    job: ImageJob
    kind: str
    base_url: str
    created: int

    def updates(self) -> AsyncGenerator[ImageUpdate, None]:
        return self.app.images.generate(self.job)

    async def full_response(self) -> JSON:
        data: list[JSON] = []
        size = ""
        async with aclosing(self.updates()) as updates:
            async for update in updates:
                if isinstance(update, ImageFinished):
                    prompt = update.picture.revised_prompt
                    revised: JSON = {} if prompt is None else {"revised_prompt": prompt}
                    data.append({**await self._image(update.picture), **revised})
                    size = _size(update.picture)
        return {"created": self.created, "data": data, "background": "opaque", **self._image_fields(size)}

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Yield each image when it is done, after as many previews as were asked for and exist."""
        previews = 0
        try:
            async with aclosing(self.updates()) as updates:
                async for update in updates:
                    match update:
                        case ImageProgressed() if self._is_preview_due(update, previews):
                            yield self._preview(update.picture, previews)
                            previews += 1
                        case ImageFinished():
                            yield await self._completed(update.picture)
                            previews = 0
                        case _:
                            pass
        except EclairError as error:
            yield _event("error", {"type": "error", **errors.body(error)})

    def _is_preview_due(self, progress: ImageProgressed, sent: int) -> bool:
        """Return True if the next preview is due after `sent` ones; they are spread over the steps."""
        wanted = self.body.partial_images or 0
        if sent >= wanted or progress.preview is None or progress.done >= progress.of:
            return False
        return progress.done * (wanted + 1) >= progress.of * (sent + 1)

    def _preview(self, id: str, number: int) -> bytes:
        preview = self.app.images.preview(self.job.principal, id)
        size = f"{self.job.width}x{self.job.height}"
        about: JSON = {**self._image_fields(size), "output_format": preview.media.rpartition("/")[2]}
        return self._event("partial_image", preview.image, **about, partial_image_index=number)

    async def _completed(self, picture: GeneratedImage) -> bytes:
        data = await self.app.gallery.read_bytes(picture)
        return self._event("completed", data, **self._image_fields(_size(picture)), usage=ZERO_USAGE)

    def _event(self, what: str, data: bytes, **more: object) -> bytes:
        type = f"{self.kind}.{what}"
        encoded = base64.b64encode(data).decode()
        return _event(
            type, {"type": type, "b64_json": encoded, "created_at": self.created, "background": "opaque", **more}
        )

    def _image_fields(self, size: str) -> JSON:
        return {"output_format": self.body.form, "size": size, "quality": self.body.quality or "auto"}

    async def _image(self, picture: GeneratedImage) -> JSON:
        if self.body.response_format == "url":
            return {"url": f"{self.base_url}/api/pictures/{picture.id}/content"}
        return {"b64_json": base64.b64encode(await self.app.gallery.read_bytes(picture)).decode()}


async def _uploads(form: FormData, max_mb: int) -> ImageUploads:
    """Read a form's images: `image`, or several `image[]`, and a `mask`. Raises InvalidInput and TooLarge."""
    images: list[tuple[str, bytes]] = []
    mask: bytes | None = None
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            continue
        if name not in ("image", "image[]", "mask"):
            raise InvalidInput(f"Éclair does not know the field {name!r}; leave it out.", param=name)
        file_name = safe_file_name(value.filename or f"Image {len(images) + 1}")
        if (value.size or 0) > max_mb * 1_000_000:
            raise TooLarge(f"{file_name} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).", param=name)
        data = await value.read()
        if not data:
            raise InvalidInput(f"{file_name} is empty; choose another file.", param=name)
        if name == "mask":
            mask = data
        else:
            images.append((file_name, data))
    if not images:
        raise InvalidInput("The field 'image' is missing; send the image that is to be edited.", param="image")
    return ImageUploads(tuple(images), mask)


def _fields(form: FormData) -> EditsRequest:
    """Validate a form's text fields. Raises RequestValidationError."""
    given = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    try:
        return EditsRequest.model_validate(given, strict=False)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _size(picture: GeneratedImage) -> str:
    return f"{picture.width}x{picture.height}"


def _event(type: str, body: JSON) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (type.encode(), orjson.dumps(body))
