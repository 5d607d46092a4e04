"""Turn a conversation of another program into ours, listing what was left out.

Importers supply messages and their parents; the tree is put in order here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from eclair.schema.ids import derived_id
from eclair.schema.messages import MAX_TAG_CHARS, MAX_TAGS, Conversation, Message, Part, PartKind
from eclair.transfer.json_fields import as_text

ImportKind = Literal["chatgpt", "claude", "openwebui", "librechat", "lechat", "gemini", "copilot", "eclair"]

MAX_TITLE_CHARS = 200
MAX_LABEL_CHARS = 60
"""Longest name in the list of omissions, and longest title made from a first question."""


@dataclass(frozen=True, slots=True)
class ImportedConversation:
    """A conversation without an owner yet, its messages parents first.

    Omissions are named in the plural, one entry each.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class ForeignMessage:
    """A message as another program has it.

    One without a role or parts is skipped, and its children move to its parent.
    """

    id: str
    parent: str | None
    role: Literal["user", "assistant"] | None
    parts: list[Part] = field(default_factory=list[Part])
    created: int | None = None
    model: str | None = None

    def add(self, kind: PartKind, words: str) -> None:
        """Append to the message; text after text starts a new paragraph."""
        if not words.strip():
            return
        earlier = any(part.kind == kind == "text" for part in self.parts)
        self.parts.append(Part(kind, f"\n\n{words}" if earlier else words))

    @property
    def is_shown(self) -> bool:
        return self.role is not None and bool(self.parts)


@dataclass(slots=True)
class ForeignConversation:
    """A conversation as an importer found it."""

    kind: ImportKind
    id: str
    title: str
    nodes: list[ForeignMessage]
    leaf: str | None
    created: int | None = None
    updated: int | None = None
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    left_out: list[str] = field(default_factory=list[str])

    def normalize(self, now: int) -> ImportedConversation:
        """Convert to our own values; `now` stands in for unknown times.

        Consecutive messages of the model (reasoning, lookup, answer) become one message, as here.
        """
        nodes = self._by_id()
        above = _above(nodes)
        kept, into = _joined(nodes, above)
        times = [node.created for node in kept.values() if node.created is not None]
        created = self.created or min(times, default=now)
        conversation = derived_id("conv", self.kind, self.id)
        names = {id: derived_id("msg", self.kind, self.id, id) for id in kept}
        messages = tuple(
            Message(
                id=names[id],
                conversation=conversation,
                parent=None if node.parent is None else names[node.parent],
                role=node.role or "user",
                parts=tuple(node.parts),
                created=node.created or created,
                model=node.model if node.role == "assistant" else None,
            )
            for id, node in kept.items()
        )
        leaf = (
            self.leaf if self.leaf is None or self.leaf not in nodes or nodes[self.leaf].is_shown else above[self.leaf]
        )
        return ImportedConversation(
            Conversation(
                id=conversation,
                owner="",
                title=make_title(self.title, messages),
                created=created,
                updated=max(times, default=created) if self.updated is None else self.updated,
                leaf=names[into[leaf]] if leaf in into else next(reversed(names.values()), None),
                pinned=self.pinned,
                archived=self.archived,
                tags=self.tags,
            ),
            messages,
            tuple(self.left_out),
        )

    def _by_id(self) -> dict[str, ForeignMessage]:
        """Nodes by id, parents first; of duplicates the first wins."""
        nodes: dict[str, ForeignMessage] = {}
        for node in self.nodes:
            if node.id in nodes:
                self.left_out.append("messages that are there twice")
            else:
                nodes[node.id] = node
        order = sort_by_parent({id: node.parent for id, node in nodes.items()})
        return {id: replace(nodes[id], parent=parent) for id, parent in order}


def _above(nodes: Mapping[str, ForeignMessage]) -> dict[str, str | None]:
    """Map each node to the nearest shown ancestor."""
    above: dict[str, str | None] = {}
    for id, node in nodes.items():
        parent = node.parent
        above[id] = parent if parent is None or nodes[parent].is_shown else above[parent]
    return above


def _joined(
    nodes: Mapping[str, ForeignMessage], above: Mapping[str, str | None]
) -> tuple[dict[str, ForeignMessage], dict[str, str]]:
    """Merge consecutive shown messages of the model; also map each to the one that holds it."""
    siblings = Counter(above[id] for id, node in nodes.items() if node.is_shown)
    kept: dict[str, ForeignMessage] = {}
    into: dict[str, str] = {}
    for id, node in nodes.items():
        if not node.is_shown:
            continue
        parent = above[id]
        if parent is not None and siblings[parent] == 1 and node.role == nodes[parent].role == "assistant":
            home = into[id] = into[parent]
            for part in node.parts:
                kept[home].add(part.kind, part.text)
            kept[home].model = kept[home].model or node.model
        else:
            into[id] = id
            kept[id] = replace(node, parent=None if parent is None else into[parent], parts=list(node.parts))
    return kept, into


def sort_by_parent(parents: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """Order ids parents first, siblings as they came.

    A missing parent becomes None; the first id of a cycle becomes a root.
    """
    children: dict[str | None, list[str]] = {}
    for id, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(id)
    order: list[tuple[str, str | None]] = []
    seen: set[str] = set()

    def walk(root: str) -> None:
        waiting: list[tuple[str, str | None]] = [(root, None)]
        while waiting:
            id, parent = waiting.pop()
            if id in seen:
                continue
            seen.add(id)
            order.append((id, parent))
            waiting.extend((child, id) for child in reversed(children.get(id, [])))

    for root in children.get(None, []):
        walk(root)
    for id in parents:
        if id not in seen:
            walk(id)
    return order


def make_title(given: str, messages: Sequence[Message]) -> str:
    """Return the title on one line, or the start of the first question."""
    line = " ".join(given.split())
    if line:
        return line[:MAX_TITLE_CHARS]
    asked = next((message.text for message in messages if message.role == "user"), "")
    line = " ".join(asked[: 4 * MAX_LABEL_CHARS].split())
    return line if len(line) <= MAX_LABEL_CHARS else line[:MAX_LABEL_CHARS].rstrip() + "…"


def valid_tags(value: Sequence[object]) -> tuple[str, ...]:
    """Keep the tags that are valid here."""
    found = dict.fromkeys(" ".join(as_text(tag).split()) for tag in value)
    return tuple(tag for tag in found if 0 < len(tag) <= MAX_TAG_CHARS)[:MAX_TAGS]


def unknown_kind(what: str, name: object) -> str:
    """Name an unknown kind of content in the list of omissions."""
    return f"{what} of the unknown kind {as_text(name)[:MAX_LABEL_CHARS]!r}"


def code_block(words: str, language: str = "") -> str:
    """Wrap text in a Markdown code block, whatever fences it contains."""
    longest = run = 0
    for character in words:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    info = language if language.replace("-", "").replace("+", "").replace("#", "").isalnum() else ""
    return f"{fence}{info}\n{words}\n{fence}"
