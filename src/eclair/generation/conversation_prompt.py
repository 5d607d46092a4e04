"""Builds the prompt of a conversation's last question, for any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from eclair.generation.cost import find_rates
from eclair.generation.language_notice import language_notice
from eclair.generation.prompt import (
    NO_IMAGES,
    Count,
    ImageSource,
    PreparedImages,
    PreparedTurn,
    build_prompt,
    check_question_fits,
)
from eclair.generation.route import Route
from eclair.generation.sampling import resolve_sampling
from eclair.generation.shown_notes import ShownNotes
from eclair.generation.sources import Note, OpenBlock
from eclair.generation.untrusted import break_control_tokens, neutralize_line
from eclair.generation.use_warning import use_warning
from eclair.llm.base import JSON, Engine, Request, control_tokens
from eclair.llm.reasoning import FLASH_EFFORT, THINK_EFFORT
from eclair.llm.registry import Registry
from eclair.schema.canvases import Canvas
from eclair.schema.events import Notice
from eclair.schema.messages import Message, Passage, Sampling
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings

MAX_TOKENS_BELOW_QUOTES = 128
"""For tiny models, which would only repeat the quotes above their answer."""

MAX_TOKENS_OF_TINY_MODELS = 1024
"""They may not find an end by themselves."""

RESERVED_ANSWER_TOKENS = 1024
"""Part of the window that is kept free for an answer whose length nobody limits."""

REASONING_LENGTH_FACTOR = 4
"""The factor by which an answer may be longer if the model reasons first."""

MEMORIES_INTRODUCTION = "The person had you keep these facts; take them into account where they matter:"
RECALLED_INTRODUCTION = "Of what the person had you keep, this is closest to the question:"
SKILL_INTRODUCTION = "If the question below is a task of this kind, do it by these instructions:"
CANVASES_INTRODUCTION = "Canvases beside this conversation that it doesn't name yet:"
MAX_LISTED_CANVASES = 8
KEPT_REMARK = "(This is being kept for later conversations, as the person asks; confirm that in a few words.)"
NOT_KEPT_REMARK = "(This can't be kept for later conversations; the person is told why.)"

PICTURE_OFFER = Notice("picture_offer", "This model only writes text, but Éclair can make an image from your words.")


@dataclass(frozen=True, slots=True)
class ConversationPrompt:
    """Implements `PromptBuilder` for a conversation.

    `history` ends with the question, or with the answer to resume. `instructions` stand at the head, always the same,
    so that the engine's prefix cache hits. `photos` prepares the images of `principal`; None where no files can be
    attached. `wants_picture` if the question asks for one; `may_draw` if a model that calls tools makes it by itself.
    `memories` stand below the instructions, `recalled` ones, the instructions of a `skill`, a `remark` and those
    `canvases` that no call in the history names beside the question. `shown_notes` are those of earlier questions. A
    `spoken` answer suits a conversation by voice. What is read ahead may end in an `open_block`.
    """

    settings: Settings
    registry: Registry
    route: Route
    history: Sequence[Message]
    principal: Principal
    instructions: str
    sampling: Sampling = field(default_factory=Sampling)
    photos: ImageSource | None = None
    wants_picture: bool = False
    may_draw: bool = False
    memories: Sequence[str] = ()
    recalled: Sequence[str] = ()
    skill: str = ""
    remark: str = ""
    canvases: Sequence[Canvas] = ()
    shown_notes: ShownNotes = field(default_factory=ShownNotes)
    spoken: bool = False
    open_block: OpenBlock | None = None

    async def build(
        self, engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[Note] = ()
    ) -> PreparedTurn:
        """See `PromptBuilder.build`."""
        prepared = await self._prepare_images(model)
        sampling = self._sampling_for(model, quoted=bool(passages))
        tokens = await control_tokens(engine, model)
        build = partial(
            build_prompt,
            self._system_for(tokens),
            self.history,
            passages,
            notes,
            window=model.context,
            reserve=sampling.max_tokens or self._reserve(model),
            count=_counter(engine, model),
            images=prepared.images,
            control_tokens=tokens,
            shows_calls=model.makes_calls,
            shown_notes=self.shown_notes,
            open_block=self.open_block,
        )
        if not self._resumes:  # else it was shown the notes of its question already
            self.shown_notes.keep(self._asked[-1], notes, spoken=self.spoken)
        prompt = await build(preface=(preface := self._preface(model, self.history, tokens)))
        if prompt.dropped and (rest := self._preface(model, self.history[prompt.dropped :], tokens)) != preface:
            prompt = await build(preface=rest)
        extra: JSON = {} if self._effort is None else {"reasoning_effort": self._effort}
        request = Request(model.id, prompt.messages, sampling=sampling, extra=extra)
        language_warning = await language_notice(self._asked, model, await self.registry.models(), self.settings)
        reason = self.route.notice if model is self.route.model and not self._resumes else None
        draws = self.may_draw and model.can_call_tools
        offer = PICTURE_OFFER if self.wants_picture and not draws and not self._resumes else None
        regulated = None if self._resumes else use_warning(self._asked, self.settings)
        found = (regulated, reason, *prepared.notices, language_warning, offer)
        notices = tuple(notice for notice in found if notice is not None)
        return PreparedTurn(engine, model, request, prompt.dropped, find_rates(self.settings, model), notices)

    async def check(self, engine: Engine, model: Model) -> None:
        """Raise TooLarge if the question alone doesn't fit, before anything is stored."""
        prepared = await self._prepare_images(model)
        await check_question_fits(
            self._system_for(),
            self.history,
            window=model.context,
            reserve=self._sampling_for(model, quoted=False).max_tokens or self._reserve(model),
            count=_counter(engine, model),
            images=prepared.images,
        )

    async def _prepare_images(self, model: Model) -> PreparedImages:
        return (
            NO_IMAGES if self.photos is None else await self.photos.prepare_images(self.principal, self._asked, model)
        )

    @property
    def _resumes(self) -> bool:
        return self.history[-1].role == "assistant"

    @property
    def _asked(self) -> Sequence[Message]:
        """The history up to the question."""
        return self.history[:-1] if self._resumes else self.history

    @property
    def _effort(self) -> str | None:
        """The reasoning effort; none for a resumed answer, since templates refuse it there."""
        return FLASH_EFFORT if self._resumes and self.route.effort is not None else self.route.effort

    def _system_for(self, control_tokens: tuple[str, ...] = ()) -> str:
        kept = _memory_list(MEMORIES_INTRODUCTION, self.memories, control_tokens)
        return "\n\n".join(text for text in (self.instructions, kept) if text)

    def _preface(self, model: Model, shown: Sequence[Message], control_tokens: tuple[str, ...]) -> str:
        """Return what stands above the question, for a model that these messages are shown."""
        recalled = _memory_list(RECALLED_INTRODUCTION, self.recalled, control_tokens)
        skill = f"{SKILL_INTRODUCTION}\n{break_control_tokens(self.skill, control_tokens)}" if self.skill else ""
        canvases = self._list_canvases(shown, control_tokens) if model.can_edit_canvases else ""
        return "".join(f"{text}\n\n" for text in (recalled, skill, canvases, self.remark) if text)

    def _list_canvases(self, shown: Sequence[Message], control_tokens: tuple[str, ...]) -> str:
        """List the newest canvases that no call in the messages names: those of the person, or of calls long ago."""
        said = "\n".join(
            part.text for message in shown for part in message.parts if part.kind in ("tool_call", "tool_result")
        )
        lines = [
            f"- {canvas.id}: {neutralize_line(canvas.title, control_tokens)} ({canvas.language})"
            for canvas in self.canvases
            if canvas.id not in said
        ]
        return "\n".join([CANVASES_INTRODUCTION, *lines[-MAX_LISTED_CANVASES:]]) if lines else ""

    def _sampling_for(self, model: Model, *, quoted: bool) -> Sampling:
        """Resolve the sampling; a reasoning model gets more room than the longest answer."""
        limit = self.settings.max_tokens or (MAX_TOKENS_OF_TINY_MODELS if model.only_quotes else None)
        if quoted and model.only_quotes and limit is not None:
            limit = min(limit, MAX_TOKENS_BELOW_QUOTES)
        elif limit is not None:
            limit *= self._length_factor(model)
        return resolve_sampling(self.sampling, model.sampling, limit)

    def _reserve(self, model: Model) -> int:
        return RESERVED_ANSWER_TOKENS * self._length_factor(model)

    def _length_factor(self, model: Model) -> int:
        return REASONING_LENGTH_FACTOR if self._effort == THINK_EFFORT and model.reasoning != "never" else 1


def _memory_list(introduction: str, memories: Sequence[str], control_tokens: tuple[str, ...]) -> str:
    if not memories:
        return ""
    lines = "\n".join(f"- {neutralize_line(memory, control_tokens)}" for memory in memories)
    return f"{introduction}\n<memories>\n{lines}\n</memories>"


def _counter(engine: Engine, model: Model) -> Count:
    async def count(text: str) -> int:
        return await engine.count(model.id, text)

    return count
