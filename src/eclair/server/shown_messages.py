"""Messages as people see them to whom somebody else's conversation is shown: with what the page shows, and no more."""

from __future__ import annotations

from dataclasses import replace

from fastapi import Response

from eclair.app import App
from eclair.network.policy import host_and_port, is_local_network, is_loopback_url, strip_secrets
from eclair.schema.messages import Attachment, Doubt, Message, Part, Passage
from eclair.schema.principal import Principal
from eclair.server.api import images, workspaces
from eclair.transfer.python_charts import chart_file, replace_parts, show_charts


async def picture_response(app: App, owner: Principal, conversation: str, picture: str) -> Response:
    """Return a picture, or a chart that Python made, of somebody's conversation. Raises NotFound."""
    if (chart := chart_file(picture)) is not None:
        file, data = await app.python.read_file(owner, conversation, *chart)
        return workspaces.file_response(file, data, is_version=True)
    return await images.image_response(app.gallery, await app.gallery.get_image(owner, picture))


def shown_message(message: Message) -> Message:
    """Return a message with what the page of a share shows; every other field has its default."""
    message = show_charts(message)
    kept = [(at, _shown_part(part)) for at, part in enumerate(message.parts) if part.kind in ("text", "picture")]
    message = replace_parts(message, kept)
    cited = {citation.passage for citation in message.citations}
    return Message(
        id=message.id,
        conversation="",
        parent=None,
        role=message.role,
        parts=message.parts,
        created=0,
        files=tuple(Attachment(file.id, file.name, 0, "") for file in message.files),
        passages=tuple(_shown_passage(passage) for passage in message.passages if passage.number in cited),
        citations=message.citations,
        doubts=tuple(Doubt(doubt.index, doubt.start, doubt.end, doubt.about) for doubt in message.doubts),
        computed_figures=tuple(replace(figure, call="") for figure in message.computed_figures),
    )


def _shown_part(part: Part) -> Part:
    return part if part.kind == "picture" else Part("text", part.text)


def _shown_passage(passage: Passage) -> Passage:
    """Return where a passage stands, without its text: what is quoted of it stands in the citations."""
    return Passage(
        number=passage.number,
        file=passage.file,
        name=passage.name,
        page=passage.page,
        label=passage.label,
        heading=passage.heading,
        start=passage.start,
        end=passage.end,
        text="",
        member=passage.member,
        url=_shown_url(passage.url),
        published=passage.published,
        breaks=passage.breaks,
    )


def _shown_url(url: str | None) -> str | None:
    """Return the address of a public page; that of an inside one says what the network looks like."""
    if url is None or is_loopback_url(url) or is_local_network(host_and_port(url)[0]):
        return None
    return strip_secrets(url)


def without_ids(message: Message) -> Message:
    """Return a message without the ids by which it is known here; those of images are part of their address."""
    return replace(
        message,
        id="",
        files=tuple(replace(file, id="") for file in message.files),
        passages=tuple(replace(passage, file="") for passage in message.passages),
    )
