"""Builds the prompt of a conversation's last question, for whichever model answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eclair.generation.cost import rates
from eclair.generation.language_notice import language_notice
from eclair.generation.prompt import (
    NO_PICTURES,
    Count,
    PictureSource,
    PreparedTurn,
    SeenPictures,
    build_prompt,
    check_question_fits,
)
from eclair.generation.route import Route
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, Engine, Request
from eclair.llm.reasoning import FLASH_EFFORT, THINK_EFFORT
from eclair.llm.registry import Registry
from eclair.schema.messages import Message, Passage, Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings

MAX_TOKENS_BELOW_QUOTES = 128
"""For a small model, which would but repeat what is quoted before it."""

THINKING_FACTOR = 4
"""How much longer an answer may become where the model thinks first."""


@dataclass(frozen=True, slots=True)
class ConversationPrompt:
    """Implements `PromptBuilder` for a conversation.

    `history` ends with the question, or with the answer that is to be resumed. `system` replaces the system prompt of
    the settings; a person's `instructions` stand below it, so that the engine's cached prefix still holds.
    Files of `principal` are shown by `photos`, None where no files can go along.
    """

    settings: Settings
    registry: Registry
    route: Route
    history: Sequence[Message]
    principal: Principal
    sampling: Sampling = field(default_factory=Sampling)
    system: str | None = None
    instructions: str = ""
    photos: PictureSource | None = None

    async def build(
        self, engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[str] = ()
    ) -> PreparedTurn:
        """See `PromptBuilder.build`."""
        seen = await self._seen(model)
        sampling = self._sampling_for(model, quoted=bool(passages))
        prompt = await build_prompt(
            self._system,
            self.history,
            passages,
            notes,
            window=model.context,
            reserve=sampling.max_tokens or 0,
            count=_counter(engine, model),
            pictures=seen.pictures,
        )
        extra: JSON = {} if self._effort is None else {"reasoning_effort": self._effort}
        request = Request(model.id, prompt.messages, sampling=sampling, extra=extra)
        language = await language_notice(self._asked, model, await self.registry.models(), self.settings)
        why = self.route.notice if model is self.route.model and not self._resumes else None
        notices = tuple(notice for notice in (why, *seen.notices, language) if notice is not None)
        return PreparedTurn(engine, model, request, prompt.dropped, rates(self.settings, model), notices)

    async def check(self, engine: Engine, model: Model) -> None:
        """Raise TooLarge where the question alone does not fit, before anything is stored or looked up for it."""
        seen = await self._seen(model)
        await check_question_fits(
            self._system,
            self.history,
            window=model.context,
            reserve=self._sampling_for(model, quoted=False).max_tokens or 0,
            count=_counter(engine, model),
            pictures=seen.pictures,
        )

    async def _seen(self, model: Model) -> SeenPictures:
        return NO_PICTURES if self.photos is None else await self.photos.pictures(self.principal, self._asked, model)

    @property
    def _resumes(self) -> bool:
        return self.history[-1].role == "assistant"

    @property
    def _asked(self) -> Sequence[Message]:
        """The history up to the question."""
        return self.history[:-1] if self._resumes else self.history

    @property
    def _effort(self) -> str | None:
        """What is resumed has been thought over, and templates refuse to think in the middle."""
        return FLASH_EFFORT if self._resumes and self.route.effort is not None else self.route.effort

    @property
    def _system(self) -> str:
        system = self.system if self.system is not None else self.settings.system_prompt
        return "\n\n".join(text for text in (system, self.instructions.strip()) if text)

    def _sampling_for(self, model: Model, *, quoted: bool) -> Sampling:
        """A model that is to think gets room for that beside the longest answer."""
        factor = THINKING_FACTOR if self._effort == THINK_EFFORT and model.reasoning != "never" else 1
        longest = self.settings.max_tokens * factor
        if quoted and model.tier == "tiny":
            longest = min(self.settings.max_tokens, MAX_TOKENS_BELOW_QUOTES)
        return resolve_sampling(self.sampling, model.sampling, longest)


def _counter(engine: Engine, model: Model) -> Count:
    async def count(text: str) -> int:
        return await engine.count(model.id, text)

    return count
