"""What a reader makes of one conversation of another program: our own values, and the names of what it left out.

Readers say what the messages are and under which each hangs; the tree is put in order here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from eclair.schema.ids import derived_id
from eclair.schema.messages import Conversation, Message, Part, PartKind
from eclair.transfer.json_fields import text

Kind = Literal["chatgpt", "claude", "openwebui", "librechat", "eclair"]

LONGEST_TITLE = 200
LONGEST_NAME = 60
"""Characters of a title that is made from the first question, or of a name in a list of what was left out."""
MOST_TAGS = 12
LONGEST_TAG = 40


@dataclass(frozen=True, slots=True)
class Imported:
    """A conversation whose owner is not yet known, its messages with each parent before its children, and, in the
    plural, what was left out: one entry for each thing."""

    conversation: Conversation
    messages: tuple[Message, ...]
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class Node:
    """A message as another program has it. One without a role or parts is passed over: what hangs under it hangs
    under its parent."""

    id: str
    parent: str | None
    role: Literal["user", "assistant"] | None
    parts: list[Part] = field(default_factory=list[Part])
    created: int | None = None
    model: str | None = None

    def add(self, kind: PartKind, words: str) -> None:
        """More of the message; a paragraph of its own after earlier words."""
        if not words.strip():
            return
        earlier = any(part.kind == kind == "text" for part in self.parts)
        self.parts.append(Part(kind, f"\n\n{words}" if earlier else words))

    @property
    def shown(self) -> bool:
        return self.role is not None and bool(self.parts)


@dataclass(slots=True)
class Found:
    """A conversation as a reader found it."""

    kind: Kind
    id: str
    title: str
    nodes: list[Node]
    leaf: str | None
    created: int | None = None
    updated: int | None = None
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    left_out: list[str] = field(default_factory=list[str])

    def imported(self, now: int) -> Imported:
        """The conversation in our own values; `now` stands in for times that are not known.

        What a model said in several messages on end (thought, looked up, answered) becomes one message, as it is here.
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
        leaf = self.leaf if self.leaf is None or self.leaf not in nodes or nodes[self.leaf].shown else above[self.leaf]
        return Imported(
            Conversation(
                id=conversation,
                owner="",
                title=title(self.title, messages),
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

    def _by_id(self) -> dict[str, Node]:
        """The nodes, parents first; of those with the same id the first."""
        nodes: dict[str, Node] = {}
        for node in self.nodes:
            if node.id in nodes:
                self.left_out.append("messages that are there twice")
            else:
                nodes[node.id] = node
        order = in_order({id: node.parent for id, node in nodes.items()})
        return {id: replace(nodes[id], parent=parent) for id, parent in order}


def _above(nodes: Mapping[str, Node]) -> dict[str, str | None]:
    """For each node the shown one that it hangs under, or that stands for it."""
    above: dict[str, str | None] = {}
    for id, node in nodes.items():
        parent = node.parent
        above[id] = parent if parent is None or nodes[parent].shown else above[parent]
    return above


def _joined(nodes: Mapping[str, Node], above: Mapping[str, str | None]) -> tuple[dict[str, Node], dict[str, str]]:
    """The shown nodes, what a model said on end in one; and for each shown one that in which it is."""
    siblings = Counter(above[id] for id, node in nodes.items() if node.shown)
    kept: dict[str, Node] = {}
    into: dict[str, str] = {}
    for id, node in nodes.items():
        if not node.shown:
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


def in_order(parents: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """Every id with its parent, parents first, siblings as they came. A parent that is not there is None; of ids that
    stand in a circle the first becomes a root."""
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


def title(given: str, messages: Sequence[Message]) -> str:
    """The title in one line, or the beginning of the first question where there is none."""
    line = " ".join(given.split())
    if line:
        return line[:LONGEST_TITLE]
    asked = next((message.text for message in messages if message.role == "user"), "")
    line = " ".join(asked[: 4 * LONGEST_NAME].split())
    return line if len(line) <= LONGEST_NAME else line[:LONGEST_NAME].rstrip() + "…"


def tags(value: Sequence[object]) -> tuple[str, ...]:
    """Those that can be tags here."""
    found = dict.fromkeys(" ".join(text(tag).split()) for tag in value)
    return tuple(tag for tag in found if 0 < len(tag) <= LONGEST_TAG)[:MOST_TAGS]


def unknown(what: str, name: object) -> str:
    """How a thing of a kind that is not known is named among what was left out."""
    return f"{what} of the unknown kind {text(name)[:LONGEST_NAME]!r}"


def fenced(words: str, language: str = "") -> str:
    """The words as a block of code in Markdown, whatever fences they hold themselves."""
    longest = run = 0
    for character in words:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    info = language if language.replace("-", "").replace("+", "").replace("#", "").isalnum() else ""
    return f"{fence}{info}\n{words}\n{fence}"
