"""Forms with a recording, as OpenAI's transcriptions take them, and the replies."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from eclair.errors import EngineBroken
from eclair.llm.base import JSON, HeardSegment, HeardSpeech
from eclair.llm.remote.reply_values import ILL_TYPED


def write_form(fields: Mapping[str, str], name: str, data: bytes) -> tuple[bytes, str]:
    """Return a form with a file, and its media type."""
    boundary = f"eclair-{secrets.token_hex(16)}"
    plain = "".join(char for char in name if char.isprintable() and char not in '"\\\\/') or "sound"
    lead = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{lead}"{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    head = f'{lead}"file"; filename="{plain}"\r\n'
    body = b"".join(
        [
            "".join(parts).encode(),
            f"{head}Content-Type: application/octet-stream\r\n\r\n".encode(),
            data,
            f"\r\n--{boundary}--\r\n".encode(),
        ]
    )
    return body, f"multipart/form-data; boundary={boundary}"


def parse_speech(engine: str, data: JSON) -> HeardSpeech:
    """Return what a reply says; without segments, its text is one. Raises EngineBroken."""
    try:
        duration_s = float(data.get("duration") or 0.0)
        rows: list[Any] = data.get("segments") or []
        segments = [HeardSegment(float(row["start"]), float(row["end"]), str(row["text"]).strip()) for row in rows]
        if not segments and (text := str(data["text"]).strip()):
            segments = [HeardSegment(0.0, duration_s, text)]
    except ILL_TYPED as error:
        raise EngineBroken(f"The engine {engine} sent an invalid transcription; try again.") from error
    return HeardSpeech(tuple(each for each in segments if each.text), duration_s, str(data.get("language") or ""))
