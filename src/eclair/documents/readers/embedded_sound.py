"""Opens recordings that lie in archives and e-mails, by the names under which these were read."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from eclair.documents.readers import eml, zip
from eclair.documents.readers.base import SourceFile
from eclair.documents.readers.file_type import SOUND_TYPES
from eclair.sandbox.protocol import Rejected

_CONTAINERS = {"application/zip": zip.open_named, "message/rfc822": eml.open_named}


@contextmanager
def open_sound_member(source: SourceFile, member: str) -> Generator[SourceFile]:
    """Unpack the recording that `member` names in `source`. Raises Rejected, of kind `missing` where there is none."""
    open_named = _CONTAINERS.get(source.media)
    if open_named is None or source.depth >= source.limits.nesting:
        raise Rejected(f"{source.name} holds no recordings.", "missing")
    with open_named(source, member) as (inner, rest):
        if rest:
            with open_sound_member(inner, rest) as found:
                yield found
        elif inner.media in SOUND_TYPES:
            yield inner
        else:
            raise Rejected(f"{inner.name} is no recording.", "missing")
