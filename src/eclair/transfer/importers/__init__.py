"""One file for each program whose exports are understood, and the list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eclair.transfer.importers import chatgpt, claude, eclair, librechat, openwebui
from eclair.transfer.json_fields import JSON
from eclair.transfer.normalize import Imported, Kind


@dataclass(frozen=True, slots=True)
class Reader:
    """`fits` tells a conversation of this program by its shape; `read` takes one, at a time in milliseconds that
    stands in for times it does not have. Neither raises, whatever the JSON holds."""

    kind: Kind
    fits: Callable[[JSON], bool]
    read: Callable[[JSON, int], Imported]


READERS = (
    Reader("eclair", eclair.fits, eclair.read),
    Reader("chatgpt", chatgpt.fits, chatgpt.read),
    Reader("claude", claude.fits, claude.read),
    Reader("openwebui", openwebui.fits, openwebui.read),
    Reader("librechat", librechat.fits, librechat.read),
)
