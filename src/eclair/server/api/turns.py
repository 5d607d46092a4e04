"""Turns in `/api/conversations`: start a conversation or add to one."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from eclair.app import App
from eclair.chat.comparisons import MAX_MODELS
from eclair.chat.tree import DrawOptions, NewMessage, Regenerate, Resume
from eclair.chat.turn_options import TurnOptions
from eclair.errors import InvalidInput
from eclair.llm.registry import Registry
from eclair.research.plan import MAX_QUESTION_CHARS, MAX_QUESTIONS
from eclair.schema.assistants import AssistantProfile
from eclair.schema.ids import ID_PATTERN
from eclair.schema.messages import (
    MAX_ANSWER_TOKENS,
    MAX_SYSTEM_PROMPT_CHARS,
    MAX_TEMPERATURE,
    Conversation,
    Mode,
    Sampling,
    Switch,
    Web,
)
from eclair.schema.principal import Principal
from eclair.server.api.comparisons import merge_runs
from eclair.server.api.images import ImageRequestBody
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
Title = Annotated[str, Field(max_length=200)]
Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]
MaxTokens = Annotated[int, Field(ge=1, le=MAX_ANSWER_TOKENS)]
SystemPrompt = Annotated[str, Field(max_length=MAX_SYSTEM_PROMPT_CHARS)]
McpServerId = Annotated[str, Field(max_length=100)]
ResearchQuestion = Annotated[str, Field(pattern=r"\S", max_length=MAX_QUESTION_CHARS)]


class TurnOptionsBody(RequestBody):
    """Options for answering a turn."""

    model: str | None = None
    mode: Mode | None = None
    web: Web | bool | None = None
    system: str | None = None
    temperature: Temperature | None = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    max_tokens: MaxTokens | None = None
    seed: int | None = None
    memory: Switch | None = None
    thorough: bool = False
    spoken: bool = False
    mcp_servers: Annotated[dict[McpServerId, bool], Field(max_length=100, default_factory=dict)]

    def options(self) -> TurnOptions:
        sampling = Sampling(self.temperature, self.top_p, self.max_tokens, self.seed)
        web = ("on" if self.web else "off") if isinstance(self.web, bool) else self.web
        chosen = (self.model, self.mode, self.system, sampling, web, self.draws, self.thorough, self.memory)
        return TurnOptions(*chosen, mcp_servers=self.mcp_servers, spoken=self.spoken)

    @property
    def draws(self) -> bool | None:
        """True if the model may have images generated; None follows the user's preference."""
        return None


class NewTurnBody(TurnOptionsBody):
    """A turn: exactly one of `text`, `retry` and `continue`; see docs/api.md.

    The other fields belong to a `text`: attached `files` and `libraries`, the questions of a `research`, how to `draw`
    it, and the `models` that answer it side by side, `blind` if their names are to be hidden until one is kept.
    """

    text: str | None = None
    parent: str | None = None
    retry: str | None = None
    continue_: Annotated[str | None, Field(alias="continue")] = None
    id: Annotated[str | None, Field(pattern="^msg_" + ID_PATTERN)] = None
    files: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    libraries: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    research: Annotated[tuple[ResearchQuestion, ...], Field(max_length=MAX_QUESTIONS)] = ()
    draw: ImageRequestBody | Literal["auto", "off"] | None = None
    models: Annotated[tuple[ModelName, ...], Field(max_length=MAX_MODELS)] = ()
    blind: bool = False

    @property
    def draws(self) -> bool | None:
        return self.draw == "auto" if isinstance(self.draw, str) else None

    def turn_input(self) -> NewMessage | Regenerate | Resume:
        """Return the turn's input. Raises InvalidInput unless exactly one kind is given."""
        if self.text is None:
            only_new = {"id", "parent", "files", "libraries", "research", "draw", "models", "blind"}
            for name in only_new & self.model_fields_set:
                if name == "draw" and isinstance(self.draw, str):
                    continue
                raise InvalidInput(f"Only a new message can have {name!r}; leave it out.", param=name)
        match (self.text, self.retry, self.continue_):
            case (str(text), None, None):
                at_root = "parent" in self.model_fields_set and self.parent is None
                draw = (
                    DrawOptions(self.draw.image_request(), self.draw.model)
                    if isinstance(self.draw, ImageRequestBody)
                    else None
                )
                for name in ("research", "libraries") if draw is not None else ():
                    if getattr(self, name):
                        raise InvalidInput(f"A turn that draws cannot have {name!r}; leave it out.", param=name)
                self._check_models(draws=draw is not None)
                return NewMessage(
                    text,
                    self.parent,
                    at_root,
                    self.id,
                    self.files,
                    self.libraries,
                    self.research,
                    draw,
                    self.models,
                    self.blind,
                )
            case (None, str(message), None):
                return Regenerate(message)
            case (None, None, str(message)):
                return Resume(message)
            case _:
                raise InvalidInput("A turn needs exactly one of `text`, `retry` and `continue`.", param="text")

    def _check_models(self, *, draws: bool) -> None:
        """Raise InvalidInput for models that can't answer side by side."""
        if not self.models:
            return
        if len(set(self.models)) != len(self.models) or len(self.models) == 1:
            raise InvalidInput(f"Name 2 to {MAX_MODELS} different models, or one as `model`.", param="models")
        if draws or self.research or self.model is not None:
            raise InvalidInput("A turn with `models` cannot have `draw`, `research` or `model`.", param="models")


class NewConversation(RequestBody):
    """A new conversation; with a `turn`, both are created or neither.

    The choices from `model` on are stored with the conversation; those of the turn are for that turn only. Model and
    web that are left out are those of the assistant, if it has any.
    """

    id: Annotated[str | None, Field(pattern="^conv_" + ID_PATTERN)] = None
    title: Title = ""
    model: ModelName | None = None
    mode: Mode | None = None
    web: Web | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    system: SystemPrompt | None = None
    memory: Switch | None = None
    project_id: str | None = None
    assistant_id: str | None = None
    turn: NewTurnBody | None = None

    def choices(self, assistant: AssistantProfile | None) -> TurnOptions:
        sampling = Sampling(temperature=self.temperature, max_tokens=self.max_tokens)
        model = self.model or (assistant.model if assistant is not None else None)
        web = self.web or (assistant.web if assistant is not None else None)
        return TurnOptions(model, self.mode, self.system, sampling, web, memory=self.memory)


class StartedAnswer(BaseModel):
    """An answer that was begun: its run, its id and the model that writes it."""

    run: str
    answer: str
    model: str


class StartedTurn(StartedAnswer):
    """A started turn: its first answer, the user's message, and the answers beside the first."""

    conversation: str
    message: str | None
    beside: tuple[StartedAnswer, ...] = ()


async def check_length(registry: Registry, max_tokens: int | None, model: str | None) -> None:
    """Raise InvalidInput if no answer can have `max_tokens`: by the named model, or without one by any."""
    if max_tokens is None:
        return
    models = await registry.models() if model is None else [(await registry.resolve(model))[1]]
    windows = [each.context for each in models if each.context is not None]
    if windows and len(windows) == len(models) and max_tokens > max(windows):
        who = models[0].name if len(models) == 1 else "A model here"
        raise InvalidInput(
            f"{who} can write {max(windows):,} tokens at most; choose a smaller max_tokens.", param="max_tokens"
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/conversations", tags=["conversations"])

    async def start_turn(
        principal: Principal,
        conversation: str | Conversation,
        turn: NewTurnBody,
        accepted: float,
        accept: str,
    ) -> StartedTurn | EventStream:
        asked = await app.turns.ask(principal, conversation, turn.turn_input(), turn.options(), accepted)
        if "text/event-stream" in accept and asked.beside:
            return EventStream(merge_runs(app.runs, [asked.run, *(each.run for each in asked.beside)]))
        if "text/event-stream" in accept:
            return EventStream(app.runs.follow(asked.run, 0))
        run = asked.run
        return StartedTurn(
            conversation=run.conversation,
            run=run.id,
            message=asked.question,
            answer=run.message,
            model=asked.model,
            beside=tuple(
                StartedAnswer(run=each.run.id, answer=each.run.message, model=each.model) for each in asked.beside
            ),
        )

    @api.post("", status_code=201, response_model=Conversation, responses={202: {"model": StartedTurn}})
    async def create_conversation(
        principal: Caller, body: NewConversation, response: Response, accept: Annotated[str, Header()] = ""
    ) -> Any:
        accepted = time.perf_counter()
        if body.model is not None:
            await app.registry.resolve(body.model)
        await check_length(app.registry, body.max_tokens, body.model)
        if body.project_id is not None:
            await app.projects.get(principal, body.project_id)
        assistant = None if body.assistant_id is None else await app.assistants.get(principal, body.assistant_id)
        choices = body.choices(None if assistant is None else assistant.profile)
        new = app.turns.new_conversation(
            principal, body.id, body.title, choices, body.project_id, assistant_id=body.assistant_id
        )
        if body.turn is not None:
            answer = await start_turn(principal, new, body.turn, accepted, accept)
            return answer if isinstance(answer, EventStream) else JSONResponse(answer.model_dump(), 202)
        stored = await app.conversations.add(principal, new)
        response.status_code = 201 if stored is new else 200
        return stored

    @api.post("/{id}/turns", status_code=202, response_model=StartedTurn)
    async def begin_turn(principal: Caller, id: str, body: NewTurnBody, accept: Annotated[str, Header()] = "") -> Any:
        return await start_turn(principal, id, body, time.perf_counter(), accept)

    return api
