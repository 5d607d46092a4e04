"""Reads a page's JSON-LD metadata (schema.org) as dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import orjson

from eclair.web.pages.dom import Element

Node = dict[str, Any]

MAX_NODES = 500

MAX_DEPTH = 8
"""Nesting of nodes."""

_ARTICLES = ("Article", "NewsArticle", "BlogPosting", "Report", "LiveBlogPosting", "DiscussionForumPosting", "QAPage")


def find_nodes(tree: Element) -> list[Node]:
    """Return all nodes, outermost first. Malformed JSON is ignored, as by search engines."""
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
    """Return the nodes that describe an article, by their types."""
    return [node for node in found if any(type.endswith(_ARTICLES) for type in node_types(node))]


def node_types(node: Node) -> list[str]:
    return [each for each in _as_list(node.get("@type")) if isinstance(each, str)]


def text_value(value: Any) -> str:
    """Return a value on one line if it is text, otherwise an empty string."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def person_names(value: Any) -> list[str]:
    """Return the names of persons given as text, as a node, or as a list of these."""
    found: list[str] = []
    for each in _as_list(value):
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
        for each in _as_list(data):
            yield from _walk(each, depth + 1)


def _as_list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]
