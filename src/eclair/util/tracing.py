"""Spans: pieces of work for traces, with a name, a beginning and an end. Without a tracer they cost next to nothing.

A span holds routes, models and numbers: no text of people, no titles, and no names of people or files.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

Attribute = str | int | float | bool


class TraceSpan(Protocol):
    """A piece of work under way."""

    def child(self, name: str) -> TraceSpan:
        """Begin a part of this work."""
        ...

    def set(self, name: str, value: Attribute | None) -> None:
        """State a fact of the work; None states nothing."""
        ...

    def mark(self, event: str) -> None:
        """Note that something happened now."""
        ...

    def end(self, fault: str | None = None) -> None:
        """End the work; `fault` names the kind of error that ended it."""
        ...


class NoSpan:
    """A span that nobody records."""

    def child(self, name: str) -> TraceSpan:
        return self

    def set(self, name: str, value: Attribute | None) -> None: ...

    def mark(self, event: str) -> None: ...

    def end(self, fault: str | None = None) -> None: ...


NO_SPAN: TraceSpan = NoSpan()

CURRENT_SPAN: ContextVar[TraceSpan] = ContextVar("span", default=NO_SPAN)
"""The span of the HTTP request that the current task serves or was begun by."""


@contextmanager
def ending(span: TraceSpan) -> Generator[TraceSpan]:
    """End a span with the block, as failed if an error leaves it."""
    try:
        yield span
    except Exception as error:
        span.end(type(error).__name__)
        raise
    except BaseException:  # stopped, which is no fault
        span.set("eclair.stopped", True)
        span.end()
        raise
    span.end()
