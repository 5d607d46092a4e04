"""The viewer in an exported web page: scripts that typeset the conversation as the shared page does.

Built from `ui/src/viewer` into `transfer/viewer`. The file holds the scripts that its conversation needs, and its
policy allows those by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources

import orjson

from eclair.schema.messages import Attachment, Message
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.footnotes import safe_url

_FORMULA = re.compile(r"\$|\\[(\[]")
_FENCE = re.compile(r"`{3}|~{3}")
_DIAGRAM = re.compile(r"(?:`{3}|~{3})[ \t]*mermaid", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ViewerScript:
    """A script of an exported page, with the hash by which a Content-Security-Policy allows it."""

    name: str
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer of one conversation: its styles, its scripts in the order in which they run, and its data."""

    styles: tuple[str, ...]
    scripts: tuple[ViewerScript, ...]
    data: str

    @property
    def policy(self) -> str:
        """The Content-Security-Policy: these scripts, and nothing from elsewhere."""
        hashes = " ".join(f"'{script.hash}'" for script in self.scripts)
        return (
            f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
            "base-uri 'none'; form-action 'none'"
        )

    def elements(self) -> Iterator[str]:
        """Yield the elements for the end of the body. Diagrams are drawn in a frame that runs its script."""
        yield f'<script type="application/json" id="data">{self.data}</script>'
        for script in self.scripts:
            kind = ' type="text/plain" id="diagrams"' if script.name == "diagrams" else ""
            yield f"<script{kind}>{script.text}</script>"


def make_viewer(exported: ExportedConversation) -> Viewer:
    """Choose what a conversation needs of the viewer."""
    text = "\n".join(part.text for message in exported.branch for part in message.parts)
    styles = [_read("viewer.css")]
    names: list[str] = []
    if _FORMULA.search(text):
        styles.append(_read("formulas.css"))
        names.append("formulas")
    if _FENCE.search(text):
        names.append("code")
    if _DIAGRAM.search(text):
        names.append("diagrams")
    return Viewer(tuple(styles), tuple(_script(name) for name in (*names, "viewer")), _data(exported))


def _data(exported: ExportedConversation) -> str:
    folder = resources.files("eclair.transfer") / "viewer"
    texts = folder / f"{exported.language}.json"
    known = exported.language != "en" and texts.is_file()
    data = orjson.dumps(
        {
            "language": exported.language if known else "en",
            "texts": orjson.loads(texts.read_bytes()) if known else None,
            "conversation": {
                "title": exported.title,
                "exported": exported.at,
                "reviewer": exported.reviewer,
                "messages": [asdict(_shown(message)) for message in exported.branch],
                "pictures": dict(exported.pictures),
            },
        }
    ).decode()
    return data.replace("<", "\\u003c")


def _shown(message: Message) -> Message:
    """Return a message with what the viewer shows: of passages, where they stand, as quotes are in the citations."""
    cited = {citation.passage for citation in message.citations}
    return replace(
        message,
        id="",
        conversation="",
        parent=None,
        run=None,
        usage=None,
        remarks=(),
        steps=(),
        wish=None,
        rating=None,
        comparison=None,
        files=tuple(Attachment("", file.name, 0, "") for file in message.files),
        passages=tuple(
            replace(passage, file="", text="", url=safe_url(passage))
            for passage in message.passages
            if passage.number in cited
        ),
    )


@cache
def _script(name: str) -> ViewerScript:
    text = _read(f"{name}.js")
    digest = hashlib.sha256(text.encode()).digest()
    return ViewerScript(name, text, f"sha256-{base64.b64encode(digest).decode()}")


@cache
def _read(name: str) -> str:
    return (resources.files("eclair.transfer") / "viewer" / name).read_text("utf-8").strip()
