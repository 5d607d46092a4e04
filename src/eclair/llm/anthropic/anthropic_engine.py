"""Engine for Anthropic's Messages API.

The signed thinking that led to a tool call is kept here for a while and goes back with the tool's result: the API asks
for it, and no other format has room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Unpack, cast
from urllib.parse import urlsplit

from eclair.errors import UpstreamError
from eclair.llm.anthropic.messages_body import ModelAbilities, build_messages_body
from eclair.llm.anthropic.messages_parser import MessagesParser
from eclair.llm.base import JSON, Request
from eclair.llm.remote.call_memory import CallMemory
from eclair.llm.remote.reply_values import ILL_TYPED
from eclair.llm.remote.server_engine import Exchange, ServerEngine, ServerOptions
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS
from eclair.schema.models import Model

API_VERSION = "2023-06-01"
MODELS_PER_PAGE = 1000


class AnthropicEngine(ServerEngine):
    """The API at `url`, which ends in its version (`…/v1`)."""

    KEY_HEADER = "x-api-key"
    HEADERS: ClassVar = {"anthropic-version": API_VERSION}

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        models: Sequence[str] = (),
        context: int | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(name, _versioned(url), key, models, context, **options)
        self._abilities: dict[str, ModelAbilities] = {}
        self._thinking = CallMemory()
        self._has_asked_list = False

    async def _exchange(self, request: Request) -> Exchange:
        if not self._has_asked_list:  # the registry asks again
            with suppress(UpstreamError):
                await self._list(idle=5.0)
        abilities = self._abilities.get(request.model, ModelAbilities())
        body = build_messages_body(self.name, request, abilities, self._thinking.recall)
        return Exchange(
            f"{self.url}/messages",
            body.full,
            MessagesParser(self.name, self._thinking.remember),
            None if body.full == body.plain else body.plain,
        )

    async def _list(self, idle: float | None = None) -> list[JSON]:
        self._has_asked_list = True
        data = await self.fetch(f"{self.url}/models?limit={MODELS_PER_PAGE}", idle=idle)
        try:
            rows: list[JSON] = [row for row in data.get("data") or () if isinstance(row.get("id"), str)]
            self._abilities |= {row["id"]: _read_abilities(row) for row in rows}
        except ILL_TYPED as error:
            raise self._bad_list() from error
        return rows

    def _model(self, row: JSON) -> Model:
        context, sees = row.get("max_input_tokens"), _is_supported(row, "image_input")
        return Model(
            row["id"],
            str(row.get("display_name") or row["id"]),
            self.name,
            context if isinstance(context, int) else self._context,
            maker="Anthropic",
            country="US",
            location=self.location,
            vision_pixels=None if sees is False else DEFAULT_IMAGE_SIDE_PIXELS,
            can_call_tools=True,
            call_way="native",
            calls_well=True,
            stated_tier="capable",
        )


def _versioned(url: str) -> str:
    """Return the address with the API's version, which its maker's own address is often given without."""
    parts = urlsplit(url)
    is_bare = parts.path.strip("/") == "" and (parts.hostname or "").endswith("anthropic.com")
    return f"{url.rstrip('/')}/v1" if is_bare else url


def _read_abilities(row: JSON) -> ModelAbilities:
    limit = row.get("max_tokens")
    return ModelAbilities(
        limit if isinstance(limit, int) and limit > 0 else None,
        _supported_keys(row, "thinking", "types"),
        _supported_keys(row, "effort"),
        _is_supported(row, "structured_outputs"),
    )


def _is_supported(row: JSON, name: str) -> bool | None:
    match row.get("capabilities"):
        case {**found} if isinstance(found.get(name), dict):
            return cast("JSON", found[name]).get("supported") is True
        case _:
            return None


def _supported_keys(row: JSON, *path: str) -> frozenset[str] | None:
    """Return the names of the supported ones among the capabilities at `path`; None if it isn't there."""
    found: Any = row.get("capabilities")
    for step in path:
        found = cast("JSON", found).get(step) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return None
    return frozenset(
        name
        for name, each in cast("JSON", found).items()
        if isinstance(each, dict) and cast("JSON", each).get("supported") is True
    )
