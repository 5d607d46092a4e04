"""Client of llama.cpp's server: OpenAI's format, and llama.cpp's own for an answer that is made in segments."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from eclair.errors import EngineBroken
from eclair.llm.base import JSON, Delta, Request
from eclair.llm.openai.infill_stream import InfillParser
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.remote.server_engine import Exchange
from eclair.llm.remote.silence import llama_server_shows_life


class LlamaEngine(OpenAIEngine):
    """A llama.cpp server, as `OpenAIEngine`; its own format names the stop sequence that ended a segment."""

    async def write_prompt(self, request: Request) -> str:
        """Return a request's prompt as the model's template writes it. Raises UpstreamError."""
        exchange = await self._exchange(request)
        written = await self.fetch(f"{self.root}/apply-template", exchange.body)
        prompt = written.get("prompt")
        if not isinstance(prompt, str):
            raise EngineBroken(f"The engine {self.name} sent an invalid reply: no prompt; try again.")
        return prompt

    async def stream_segment(self, model: str, prompt: str, fields: JSON) -> AsyncGenerator[Delta, None]:
        """Continue a written prompt; `fields` are llama.cpp's own. As `stream`, and ends with `Finish`."""
        exchange = Exchange(
            f"{self.root}/completion",
            {**fields, "prompt": prompt, "stream": True},
            InfillParser(self.name),
            keep_alive=False,
            shows_life=partial(llama_server_shows_life, self.http, self.root, self._idle),
        )
        async for delta in self.stream_exchange(model, exchange):
            yield delta
