"""`/v1/images`: OpenAI's dialect over the image service (reference: OpenAI's API reference, images).

What is made is kept in the gallery, as everything that is drawn. What Éclair cannot honour is refused by name.
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
from eclair.provenance.report import ImageForm
from eclair.schema.images import GeneratedImage, ImageFinished, ImageProgressed, ImageRequest, ImageUpdate
from eclair.schema.principal import Principal
from eclair.server.openai import errors
from eclair.server.openai.files import shown
from eclair.server.principal import Caller
from eclair.server.request_body import Body
from eclair.server.sse import EventStream
from eclair.server.streaming import GONE, unless_gone

USAGE: JSON = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""Nothing is counted in tokens; OpenAI's clients expect the numbers at the end of a stream."""

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


class ImagesRequest(Body):
    """What both routes have. `seed`, `steps`, `guidance` and `negative_prompt` are Éclair's own."""

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

    def wish(self) -> ImageRequest:
        """Raises InvalidInput for what does not go together."""
        if self.output_compression not in (None, 100) and self.form == "png":
            raise InvalidInput("A PNG loses nothing; leave `output_compression` out.", param="output_compression")
        if self.stream and self.response_format == "url":
            raise InvalidInput("A stream has the pictures themselves; leave `response_format` out.", param="stream")
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
    def kept_quality(self) -> int:
        """100 is as little loss as nobody sees."""
        return max(1, min(95, 95 if self.output_compression is None else self.output_compression))


class EditsRequest(ImagesRequest):
    """The fields of the form, without its pictures."""

    input_fidelity: Literal["low", "high"] | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/images", tags=["OpenAI"])

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
            raise InvalidInput(f"The body is no form with pictures: {error.detail}") from error
        except OSError as error:
            raise StoreError(f"The pictures cannot be kept while they come: {error.strerror}.") from error
        return await answer(principal, body, request, "image_edit", uploads)

    async def answer(
        principal: Principal, body: ImagesRequest, request: Request, kind: str, uploads: ImageUploads
    ) -> Response:
        preparing = app.images.prepare(
            principal, body.prompt, body.wish(), body.model, uploads=uploads, form=body.form, quality=body.kept_quality
        )
        job = await unless_gone(request, preparing)
        if job is None:
            return GONE
        reply = _Reply(app, body, job, kind, str(request.base_url), int(time.time()))
        if body.stream:
            return EventStream(reply.events())
        whole = await unless_gone(request, reply.whole())
        return GONE if whole is None else JSONResponse(whole)

    return api


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply being made: `kind` is what its events are called, `address` where Éclair is."""

    app: App
    body: ImagesRequest
    job: ImageJob
    kind: str
    address: str
    created: int

    def making(self) -> AsyncGenerator[ImageUpdate, None]:
        return self.app.images.generate(self.job)

    async def whole(self) -> JSON:
        data: list[JSON] = []
        size = ""
        async with aclosing(self.making()) as making:
            async for each in making:
                if isinstance(each, ImageFinished):
                    revised = each.picture.revised_prompt
                    said: JSON = {} if revised is None else {"revised_prompt": revised}
                    data.append({**await self._image(each.picture), **said})
                    size = _size(each.picture)
        return {"created": self.created, "data": data, "background": "opaque", **self._about(size)}

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The pictures as they are done, each after as many looks at it as are wanted and there are."""
        looks = 0
        try:
            async with aclosing(self.making()) as making:
                async for each in making:
                    match each:
                        case ImageProgressed() if self._is_wanted(each, looks):
                            yield self._preview(each.picture, looks)
                            looks += 1
                        case ImageFinished():
                            yield await self._completed(each.picture)
                            looks = 0
                        case _:
                            pass
        except EclairError as error:
            yield _event("error", {"type": "error", **errors.body(error)})

    def _is_wanted(self, underway: ImageProgressed, looks: int) -> bool:
        """Whether it is time for look number `looks`, which are spread over the steps."""
        wanted = self.body.partial_images or 0
        if looks >= wanted or underway.preview is None or underway.done >= underway.of:
            return False
        return underway.done * (wanted + 1) >= underway.of * (looks + 1)

    def _preview(self, id: str, number: int) -> bytes:
        preview = self.app.images.preview(self.job.principal, id)
        size = f"{self.job.width}x{self.job.height}"
        about: JSON = {**self._about(size), "output_format": preview.media.rpartition("/")[2]}
        return self._event("partial_image", preview.image, **about, partial_image_index=number)

    async def _completed(self, picture: GeneratedImage) -> bytes:
        data = await self.app.gallery.read_bytes(picture)
        return self._event("completed", data, **self._about(_size(picture)), usage=USAGE)

    def _event(self, what: str, data: bytes, **more: object) -> bytes:
        type = f"{self.kind}.{what}"
        encoded = base64.b64encode(data).decode()
        return _event(
            type, {"type": type, "b64_json": encoded, "created_at": self.created, "background": "opaque", **more}
        )

    def _about(self, size: str) -> JSON:
        return {"output_format": self.body.form, "size": size, "quality": self.body.quality or "auto"}

    async def _image(self, picture: GeneratedImage) -> JSON:
        if self.body.response_format == "url":
            return {"url": f"{self.address}api/pictures/{picture.id}/content"}
        return {"b64_json": base64.b64encode(await self.app.gallery.read_bytes(picture)).decode()}


async def _uploads(form: FormData, most_mb: int) -> ImageUploads:
    """The pictures of a form: `image`, or several `image[]`, and a `mask`. Raises InvalidInput and TooLarge."""
    pictures: list[tuple[str, bytes]] = []
    mask: bytes | None = None
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            continue
        if name not in ("image", "image[]", "mask"):
            raise InvalidInput(f"Éclair does not know the field {name!r}; leave it out.", param=name)
        called = shown(value.filename or f"Picture {len(pictures) + 1}")
        if (value.size or 0) > most_mb * 1_000_000:
            raise TooLarge(f"{called} is larger than {most_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).", param=name)
        data = await value.read()
        if not data:
            raise InvalidInput(f"{called} is empty; choose another file.", param=name)
        if name == "mask":
            mask = data
        else:
            pictures.append((called, data))
    if not pictures:
        raise InvalidInput("The field 'image' is missing; send the picture that is to be edited.", param="image")
    return ImageUploads(tuple(pictures), mask)


def _fields(form: FormData) -> EditsRequest:
    """Raises RequestValidationError."""
    given = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    try:
        return EditsRequest.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _size(picture: GeneratedImage) -> str:
    return f"{picture.width}x{picture.height}"


def _event(type: str, body: JSON) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (type.encode(), orjson.dumps(body))
