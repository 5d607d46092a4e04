"""llama.cpp's `/infill`: what belongs between a text and its suffix, streamed in llama.cpp's own format. No I/O."""

from __future__ import annotations

from typing import Any

from eclair.llm.base import JSON
from eclair.llm.openai.stream_parser import StreamParser
from eclair.llm.remote.reply_values import as_object


class InfillParser(StreamParser):
    """Parses the stream of `/infill`."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")

    def _take(self, data: JSON) -> None:
        super()._take(data)
        self._say(data.get("content"))
        self._logprobs += map(as_object, data.get("completion_probabilities") or ())
        if data.get("stop"):
            self.ended = "length" if data.get("stop_type") == "limit" else "stop"
            word: Any = data.get("stopping_word")
            self._stop = word if isinstance(word, str) and word else None


def infill_body(body: JSON, prompt: str, suffix: str) -> JSON:
    """Turn the body of a completion into that of a request to `/infill`."""
    scored = body.pop("logprobs", None)
    return {**body, "input_prefix": prompt, "input_suffix": suffix, **({} if scored is None else {"n_probs": scored})}
