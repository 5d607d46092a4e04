"""`/api/pictures`: image models, image generation and the gallery."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from eclair.app import App
from eclair.errors import EclairError
from eclair.images.gallery import Gallery
from eclair.images.request import MAX_SOURCES
from eclair.images.styles import styles
from eclair.schema.images import (
    GeneratedImage,
    ImageFinished,
    ImageModel,
    ImageProgressed,
    ImageQueued,
    ImageRequest,
    ImageUpdate,
)
from eclair.server.api.exports import attachment_disposition
from eclair.server.blob_response import BlobResponse
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody, StrictModel
from eclair.server.sse import EventStream, encode_frame
from eclair.server.streaming import CLIENT_GONE, unless_disconnected
from eclair.transfer.export_view import image_file_name

IMMUTABLE_CACHE = "private, max-age=31536000, immutable"
"""The image of an id never changes."""

ImageId = Annotated[str, Field(min_length=1, max_length=100)]


class ImageRequestBody(StrictModel):
    """Options for generating images; the model decides what is left out."""

    model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    width: Annotated[int | None, Field(ge=1, le=100_000)] = None
    height: Annotated[int | None, Field(ge=1, le=100_000)] = None
    count: int = 1
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    style: str | None = None
    negative: str = ""
    sources: Annotated[tuple[ImageId, ...], Field(max_length=MAX_SOURCES)] = ()
    mask: ImageId | None = None
    strength: float | None = None

    def image_request(self) -> ImageRequest:
        given: dict[str, Any] = self.model_dump(include=set(ImageRequest.__dataclass_fields__))
        return ImageRequest(**given)


class NewImageBody(ImageRequestBody, RequestBody):
    """An image that belongs to no conversation."""

    prompt: str


class ImageBody(BaseModel):
    """A stored image. Times in milliseconds since 1970, UTC; width and height in pixels, `size` in bytes."""

    id: str
    conversation: str | None
    created: int
    prompt: str
    model: str
    media: str
    width: int
    height: int
    size: int
    seed: int | None
    steps: int | None
    guidance: float | None
    style: str | None
    negative: str
    source: str | None
    milliseconds: float | None
    revised_prompt: str | None

    @classmethod
    def from_image(cls, picture: GeneratedImage) -> ImageBody:
        return cls(**{name: getattr(picture, name) for name in cls.model_fields})


class ImageList(BaseModel):
    """A page of the gallery; pass `next` as `before` to get the next page."""

    pictures: list[ImageBody]
    next: str | None


@dataclass(frozen=True, slots=True)
class ImageModelBody(ImageModel):
    """An image model; see docs/images.md. `default` marks the one used if none is named."""

    default: bool = False


class StyleBody(BaseModel):
    name: str
    title: str


class ImageModelList(BaseModel):
    """The image models and styles."""

    models: list[ImageModelBody]
    styles: list[StyleBody]


class ImageFault(BaseModel):
    """An error that ended the work."""

    code: str
    message: str


class ImageQueuedFrame(BaseModel):
    event: Literal["waiting"] = "waiting"
    data: ImageQueued


class ImageProgressedFrame(BaseModel):
    event: Literal["progress"] = "progress"
    data: ImageProgressed


class ImageFinishedFrame(BaseModel):
    event: Literal["picture"] = "picture"
    data: ImageBody


class ImageFaultFrame(BaseModel):
    event: Literal["fault"] = "fault"
    data: ImageFault


ImageFrame = ImageQueuedFrame | ImageProgressedFrame | ImageFinishedFrame | ImageFaultFrame
"""A server-sent event by its name and its data."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/pictures", tags=["pictures"])
    gallery, images = app.gallery, app.images

    @api.get("/models")
    async def list_models() -> ImageModelList:
        models = await images.models()
        default = images.default_among(models)
        return ImageModelList(
            models=[ImageModelBody(**asdict(model), default=model is default) for model in models],
            styles=[StyleBody(name=style.name, title=style.title) for style in styles().values()],
        )

    @api.post("", response_class=EventStream, responses={200: {"model": ImageFrame}})
    async def draw(principal: Caller, body: NewImageBody, request: Request) -> Response:
        preparing = images.prepare(principal, body.prompt, body.image_request(), body.model)
        job = await unless_disconnected(request, preparing)
        return CLIENT_GONE if job is None else EventStream(_events(images.generate(job)))

    @api.get("")
    async def list_pictures(
        principal: Caller,
        q: Annotated[str, Query(max_length=500)] = "",
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ) -> ImageList:
        listed = await gallery.list_images(principal, limit, words=q, before=before)
        return ImageList(pictures=[ImageBody.from_image(each) for each in listed.pictures], next=listed.next)

    @api.get("/{id}")
    async def show_picture(principal: Caller, id: str) -> ImageBody:
        return ImageBody.from_image(await gallery.get_image(principal, id))

    @api.get("/{id}/content", response_class=BlobResponse)
    async def content(principal: Caller, id: str, download: bool = False) -> BlobResponse:
        return await image_response(gallery, await gallery.get_image(principal, id), download=download)

    @api.get("/{id}/thumbnail", response_class=BlobResponse)
    async def thumbnail(principal: Caller, id: str) -> BlobResponse:
        picture = await gallery.get_image(principal, id)
        headers = {"Cache-Control": IMMUTABLE_CACHE, "X-Content-Type-Options": "nosniff"}
        found = await gallery.find_blob(picture, thumbnail=True)
        return BlobResponse(found, media_type="image/webp", headers=headers)

    @api.get("/{id}/preview", response_class=Response)
    async def preview(principal: Caller, id: str) -> Response:
        found = images.preview(principal, id)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(found.image, media_type=found.media, headers=headers)

    @api.delete("/{id}", status_code=204)
    async def delete_picture(principal: Caller, id: str) -> None:
        await gallery.delete(principal, id)

    return api


async def image_response(gallery: Gallery, picture: GeneratedImage, *, download: bool = False) -> BlobResponse:
    """Serve an image to show or to save. Raises as `Gallery.find_blob` does."""
    found = await gallery.find_blob(picture)
    headers = {"Cache-Control": IMMUTABLE_CACHE, "X-Content-Type-Options": "nosniff"}
    if download:
        headers["Content-Disposition"] = attachment_disposition(image_file_name(picture))
    return BlobResponse(found, media_type=picture.media, headers=headers)


async def _events(updates: AsyncGenerator[ImageUpdate, None]) -> AsyncGenerator[bytes, None]:
    """Encode updates as server-sent events; an error becomes the last one."""
    try:
        async with aclosing(updates):
            async for update in updates:
                yield _encode(_frame(update))
    except EclairError as error:
        yield _encode(ImageFaultFrame(data=ImageFault(code=error.code, message=error.message)))


def _frame(update: ImageUpdate) -> ImageFrame:
    match update:
        case ImageQueued():
            return ImageQueuedFrame(data=update)
        case ImageProgressed():
            return ImageProgressedFrame(data=update)
        case ImageFinished():
            return ImageFinishedFrame(data=ImageBody.from_image(update.picture))


def _encode(frame: ImageFrame) -> bytes:
    return encode_frame(frame.data, frame.event)
