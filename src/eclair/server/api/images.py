"""`/api/pictures`: what draws, pictures made outside a conversation as they come, and the gallery of all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, Response

from eclair.app import App
from eclair.errors import EclairError, NotFound
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
from eclair.server.api.exports import attached
from eclair.server.principal import Caller
from eclair.server.request_body import Body, Fields
from eclair.server.sse import EventStream
from eclair.server.streaming import GONE, unless_gone
from eclair.transfer.export_view import image_file_name

FOR_EVER = "private, max-age=31536000, immutable"
"""What is kept under an id never changes."""

Id = Annotated[str, Field(min_length=1, max_length=100)]


class WishBody(Fields):
    """How pictures are to be made; what is left out is the model's affair."""

    model: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    width: Annotated[int | None, Field(ge=1, le=100_000)] = None
    height: Annotated[int | None, Field(ge=1, le=100_000)] = None
    count: int = 1
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    style: str | None = None
    negative: str = ""
    sources: Annotated[tuple[Id, ...], Field(max_length=MAX_SOURCES)] = ()
    mask: Id | None = None
    strength: float | None = None

    def wish(self) -> ImageRequest:
        given: dict[str, Any] = self.model_dump(include=set(ImageRequest.__dataclass_fields__))
        return ImageRequest(**given)


class PictureWanted(WishBody, Body):
    """A picture that belongs to no conversation."""

    prompt: str


class PictureBody(BaseModel):
    """A picture that is kept. Times are milliseconds since 1970, UTC; sizes are in pixels, `size` is in bytes."""

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
    def of(cls, picture: GeneratedImage) -> PictureBody:
        return cls(**{name: getattr(picture, name) for name in cls.model_fields})


class Pictures(BaseModel):
    """A page of the gallery; `next` is what `before` is to be for the one after it."""

    pictures: list[PictureBody]
    next: str | None


@dataclass(frozen=True, slots=True)
class PictureModelBody(ImageModel):
    """What draws; see docs/pictures.md. `default` is the one that does when none is named."""

    default: bool = False


class StyleBody(BaseModel):
    name: str
    title: str


class PictureModels(BaseModel):
    """What draws, and the styles there are."""

    models: list[PictureModelBody]
    styles: list[StyleBody]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/pictures", tags=["pictures"])
    gallery, images = app.gallery, app.images

    @api.get("/models")
    async def list_models() -> PictureModels:
        models = await images.models()
        default = images.default_among(models)
        return PictureModels(
            models=[PictureModelBody(**asdict(model), default=model is default) for model in models],
            styles=[StyleBody(name=style.name, title=style.title) for style in styles().values()],
        )

    @api.post("", response_class=EventStream)
    async def draw(principal: Caller, body: PictureWanted, request: Request) -> Response:
        preparing = images.prepare(principal, body.prompt, body.wish(), body.model)
        job = await unless_gone(request, preparing)
        return GONE if job is None else EventStream(_events(images.generate(job)))

    @api.get("")
    async def list_pictures(
        principal: Caller,
        q: Annotated[str, Query(max_length=500)] = "",
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ) -> Pictures:
        listed = await gallery.list_images(principal, limit, words=q, before=before)
        return Pictures(pictures=[PictureBody.of(each) for each in listed.pictures], next=listed.next)

    @api.get("/{id}")
    async def show_picture(principal: Caller, id: str) -> PictureBody:
        return PictureBody.of(await gallery.get_image(principal, id))

    @api.get("/{id}/content", response_class=FileResponse)
    async def content(principal: Caller, id: str, download: bool = False) -> FileResponse:
        return shown(gallery, await gallery.get_image(principal, id), download=download)

    @api.get("/{id}/thumbnail", response_class=FileResponse)
    async def thumbnail(principal: Caller, id: str) -> FileResponse:
        picture = await gallery.get_image(principal, id)
        headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
        return FileResponse(gallery.path(picture, thumbnail=True), media_type="image/webp", headers=headers)

    @api.get("/{id}/preview", response_class=Response)
    async def preview(principal: Caller, id: str) -> Response:
        found = images.preview(principal, id)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(found.image, media_type=found.media, headers=headers)

    @api.delete("/{id}", status_code=204)
    async def delete_picture(principal: Caller, id: str) -> None:
        await gallery.delete(principal, id)

    return api


def shown(gallery: Gallery, picture: GeneratedImage, *, download: bool = False) -> FileResponse:
    """Its bytes, to be shown, or saved under a name. Raises NotFound where it was deleted meanwhile."""
    path = gallery.path(picture)
    if not path.exists():
        raise NotFound(f"There is no picture {picture.id!r}.")
    headers = {"Cache-Control": FOR_EVER, "X-Content-Type-Options": "nosniff"}
    if download:
        headers["Content-Disposition"] = attached(image_file_name(picture))
    return FileResponse(path, media_type=picture.media, headers=headers)


async def _events(making: AsyncGenerator[ImageUpdate, None]) -> AsyncGenerator[bytes, None]:
    """What is made, as server-sent events; a fault is the last of them."""
    try:
        async with aclosing(making) as pieces:
            async for piece in pieces:
                match piece:
                    case ImageQueued():
                        yield _event("waiting", asdict(piece))
                    case ImageProgressed():
                        yield _event("progress", asdict(piece))
                    case ImageFinished():
                        yield _event("picture", PictureBody.of(piece.picture).model_dump())
    except EclairError as error:
        yield _event("fault", {"code": error.code, "message": error.message})


def _event(name: str, body: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(body))
