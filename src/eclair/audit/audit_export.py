"""Export of the audit log as lines of JSON, as it is kept or as events of OCSF."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Literal

import orjson

from eclair.audit.ocsf import to_ocsf
from eclair.schema.audit import ActFilter, AuditAct
from eclair.schema.works_council import without_people
from eclair.storage.audit import AuditStore

ActFormat = Literal["jsonl", "ocsf"]
"""Lines of JSON in our own form, or in OCSF's."""

PAGE_ROWS = 1000


def act_line(act: AuditAct, format: ActFormat) -> bytes:
    """Return an act as one line of JSON, without its end."""
    return orjson.dumps(to_ocsf(act) if format == "ocsf" else asdict(act))


async def stream_acts(
    store: AuditStore, matching: ActFilter, format: ActFormat, *, hides_people: bool
) -> AsyncGenerator[bytes]:
    """Yield all matching acts, oldest first, some lines at a time."""
    after = 0
    while acts := await store.list_acts_after(after, PAGE_ROWS, matching):
        after = acts[-1].number
        shown = map(without_people, acts) if hides_people else acts
        yield b"".join(act_line(act, format) + b"\n" for act in shown)
