"""What a page says of itself in JSON-LD (schema.org): its nodes, each a dictionary whose values may be anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import orjson

from eclair.web.pages.dom import Element

Node = dict[str, Any]

MAX_NODES = 500
"""Nodes that are looked at."""

MAX_DEPTH = 8
"""Nodes in each other."""

_ARTICLES = ("Article", "NewsArticle", "BlogPosting", "Report", "LiveBlogPosting", "DiscussionForumPosting", "QAPage")


def find_nodes(tree: Element) -> list[Node]:
    """All nodes, outermost first. What is no JSON is left out, as search engines leave it out."""
    found: list[Node] = []
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        try:
            data = orjson.loads((script.text or "").strip().strip(";"))
        except orjson.JSONDecodeError:
            continue
        for node in _walk(data, 0):
            if len(found) == MAX_NODES:
                return found
            found.append(node)
    return found


def article_nodes(found: Sequence[Node]) -> list[Node]:
    """Those that are what the page is about, as far as types tell."""
    return [node for node in found if any(type.endswith(_ARTICLES) for type in node_types(node))]


def node_types(node: Node) -> list[str]:
    return [each for each in _several(node.get("@type")) if isinstance(each, str)]


def text_value(value: Any) -> str:
    """A value where it is text, else nothing."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def person_names(value: Any) -> list[str]:
    """The names of persons, who may be given as text, as a node, or as several of them."""
    found: list[str] = []
    for each in _several(value):
        name = text_value(cast(Node, each).get("name") if isinstance(each, dict) else each)
        if name and "://" not in name and name not in found:
            found.append(name)
    return found


def _walk(data: Any, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        return
    if isinstance(data, dict):
        node = cast(Node, data)
        if "@type" in node:
            yield node
        for value in node.values():
            yield from _walk(value, depth + 1)
    elif isinstance(data, list):
        for each in _several(data):
            yield from _walk(each, depth + 1)


def _several(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]
