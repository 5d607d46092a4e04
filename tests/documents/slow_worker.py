"""A worker whose reader never ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from eclair.documents import worker
from eclair.documents.parse_protocol import ReadDocument
from eclair.schema.documents import Opened


def main() -> None:
    worker.main(read_for_ever)


def read_for_ever(request: ReadDocument) -> Iterator[Opened]:
    while request.after >= 0:
        time.sleep(60)
    yield Opened(request.name, None)
