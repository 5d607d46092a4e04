"""Lines of a batch's input: one request each, as JSON with an id of the caller's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import orjson

from eclair.schema.principal import Principal
from eclair.storage.batches import BatchFault, BatchStore

MAX_LINES = 50_000
MAX_FAULTS = 10
"""Lines that are wrong, after which no more are looked for."""


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One request of a batch. `number` counts the file's lines from 1."""

    number: int
    custom_id: str
    body: dict[str, Any]


class BatchInput:
    """The lines of an input file, read in parts."""

    def __init__(self, store: BatchStore, principal: Principal, file: str, endpoint: str) -> None:
        self._store = store
        self._principal = principal
        self._file = file
        self._endpoint = endpoint

    async def lines(self) -> AsyncGenerator[BatchLine, None]:
        """Yield the requests, which must have been checked. Raises NotFound for a file that is gone."""
        async for number, text in self._texts():
            found = self._parse(number, text)
            if isinstance(found, BatchLine):
                yield found

    async def check(self) -> tuple[int, list[BatchFault]]:
        """Return the number of requests, and what is wrong with them. Raises NotFound for a file that is gone."""
        ids, faults = set[str](), list[BatchFault]()
        async for number, text in self._texts():
            found = self._parse(number, text)
            if isinstance(found, BatchLine) and found.custom_id in ids:
                found = BatchFault(f"Another line has the id {found.custom_id!r}.", number, param="custom_id")
            if isinstance(found, BatchFault):
                faults.append(found)
            else:
                ids.add(found.custom_id)
            if len(ids) > MAX_LINES:
                faults.append(BatchFault(f"A batch has at most {MAX_LINES:,} requests.", None, "too_many_requests"))
            if len(faults) >= MAX_FAULTS or len(ids) > MAX_LINES:
                break
        if not ids and not faults:
            faults.append(BatchFault("The file has no requests.", None, "empty_file"))
        return len(ids), faults

    async def _texts(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield the lines that aren't blank, with their numbers."""
        number, part_number, rest = 0, 0, b""
        while (part := await self._store.read_part(self._principal, self._file, part_number)) is not None:
            *whole, rest = (rest + part).split(b"\n")
            for text in whole:
                number += 1
                if text.strip():
                    yield number, text
                if number % 100 == 0:
                    await asyncio.sleep(0)
            part_number += 1
        if rest.strip():
            yield number + 1, rest

    def _parse(self, number: int, text: bytes) -> BatchLine | BatchFault:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return BatchFault(f"The line is not JSON: {error.msg}.", number, "invalid_json_line")
        if not isinstance(value, dict):
            return BatchFault("The line is not a JSON object.", number, "invalid_json_line")
        row = cast(dict[str, Any], value)
        custom_id, body = row.get("custom_id"), row.get("body")
        if not isinstance(custom_id, str) or not custom_id:
            return BatchFault("The field 'custom_id' is missing; give each line an id.", number, param="custom_id")
        if row.get("method", "POST") != "POST":
            return BatchFault("The field 'method' is not POST.", number, param="method")
        if row.get("url", self._endpoint) != self._endpoint:
            return BatchFault(f"The field 'url' is not {self._endpoint}, the batch's endpoint.", number, param="url")
        if not isinstance(body, dict):
            return BatchFault("The field 'body' is missing; it is the request.", number, param="body")
        request = cast(dict[str, Any], body)
        if request.get("stream"):
            return BatchFault("A batch streams nothing; leave 'stream' out.", number, param="body.stream")
        return BatchLine(number, custom_id, request)
