"""One file for each form in which a conversation leaves, and the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eclair.transfer.export_view import Exported
from eclair.transfer.exporters import html, json, markdown

Format = Literal["markdown", "json", "html"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """`render` takes time that grows with the text; it belongs in a thread."""

    suffix: str
    media_type: str
    render: Callable[[Exported], bytes]


RENDERERS: dict[Format, Renderer] = {
    "markdown": Renderer("md", "text/markdown; charset=utf-8", markdown.render),
    "json": Renderer("json", "application/json", json.render),
    "html": Renderer("html", "text/html; charset=utf-8", html.render),
}
