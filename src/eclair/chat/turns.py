"""Turns: a question becomes a message in the tree and a run at work. What is answered is not its affair."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace

from eclair.chat.answer import Again, Answer
from eclair.chat.language_notice import language_remark
from eclair.chat.preferences import Preferences, Preferred
from eclair.chat.prefill import Prefill
from eclair.chat.routing import Chosen, Modes
from eclair.chat.runs import Batch, Runs
from eclair.chat.titles import Titles
from eclair.chat.tree import Continue, New, Place, Retry, has_answer, last_question, placed
from eclair.documents.retriever import Documents
from eclair.documents.vision import Look, Seeing, nothing
from eclair.errors import InvalidInput, TooLarge
from eclair.generation.cost import rates
from eclair.generation.prompt import PreparedTurn, lay_out
from eclair.generation.sampling import resolve_sampling
from eclair.generation.sources import Grounds, Numbering, joined
from eclair.images.run import Drawing
from eclair.images.service import Studio
from eclair.images.tool import Artist, offered
from eclair.llm.base import Engine, Request
from eclair.llm.reasoning import FLASH, THINK
from eclair.llm.registry import Registry
from eclair.schema.events import RunStarted
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Conversation, Message, Mode, Part, Passage, Role, Sampling, Web
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, NewTurn, RunRecord
from eclair.util.background import Idle
from eclair.web.research.report import Report
from eclair.web.retriever import Searching, Turning

TITLE = 60

FEW = 128
"""Longest answer of a small model to what is quoted before it already."""

THOUGHTS = 4
"""How much longer the longest answer is where the model thinks first."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How it is to be answered; None leaves it to the settings. `mode` tells the model that is named whether to think,
    and chooses one where none is; `web` is whether to look on the web, None as the conversation has it; with
    `draws` a model that calls tools may have pictures drawn, None as the person likes it."""

    model: str | None = None
    mode: Mode | None = None
    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    web: Web | None = None
    draws: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a turn has begun. `question` is the user's message that is being answered."""

    run: RunRecord
    question: str | None
    model: str


class Turns:
    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        modes: Modes,
        preferences: Preferred,
        runs: Runs,
        idle: Idle,
        titles: Titles | None,
        prefill: Prefill,
        documents: Documents,
        seeing: Seeing,
        searching: Searching,
        studio: Studio,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._settings = settings
        self._conversations = storage.conversations
        self._process = storage.processes.current
        self._registry = registry
        self._modes = modes
        self._preferences = preferences
        self._runs = runs
        self._idle = idle
        self._titles = titles
        self._prefill = prefill
        self._documents = documents
        self._seeing = seeing
        self._searching = searching
        self._studio = studio
        self._clock = clock
        self._ids = ids

    def begin(
        self,
        principal: Principal,
        id: str | None = None,
        title: str = "",
        model: str | None = None,
        mode: Mode | None = None,
        web: Web | None = None,
    ) -> Conversation:
        """A conversation that is kept nowhere yet."""
        now = int(self._clock() * 1000)
        return Conversation(id or self._ids("conv"), principal.id, title, now, now, model=model, mode=mode, web=web)

    async def ask(
        self,
        principal: Principal,
        conversation: str | Conversation,
        what: New | Retry | Continue,
        choices: Choices,
        accepted: float,
    ) -> Asked:
        """Add the turn and set the answer going. `accepted` is `time.perf_counter` at the door.

        A `conversation` from `begin` is made with its first turn, or not at all.

        Raises NotFound (conversation, message, model), InvalidInput, TooLarge, and Conflict while the
        conversation is still answering; nothing is stored then.
        """
        if isinstance(what, New):
            check_text(what.text, self._settings.max_message_kb)
        with self._idle.busy():
            begins = conversation if isinstance(conversation, Conversation) else None
            kept, messages = (
                (begins, []) if begins else await self._conversations.get_tree(principal, str(conversation))
            )
            place = self._placed(kept, messages, what)
            place = await self._with_sources(principal, place, what)
            if place.wish is not None:
                return await self._draw(principal, kept, begins, place, _named(what, choices, messages))
            chosen = await self.answering(principal, choices, kept, place.history)
            engine, model = chosen.engine, chosen.model
            liked = await self._preferences.of(principal)
            look = self._seeing.of(principal)
            again = self._laying_out(
                chosen, choices, place.history, accepted, liked.instructions, place.continues, look
            )
            turn = await again(engine, model, (), ())
            started = self._started(kept, place, model.id)
            asked, web = place.asked, choices.web or kept.web or "off"
            if isinstance(what, New) and what.research:
                turning = Turning(principal, started.run, kept.id, asked, "on")
                answer = Report(self._searching.opened(), turning, what.research, turn)
            else:
                grounds = self._grounds(principal, started.run, kept.id, asked, web)
                artist = self._artist(principal, kept.id, started) if _draws(choices, liked) else None
                answer = Answer(turn, chosen.fallback, again, grounds, artist)
            then = None
            if self._titles is not None and not has_answer(messages) and not (begins and begins.title):
                then = self._titles.after(principal, kept.id, answer.who, last_question(place.history))
            run = await self._runs.open(self._new_turn(principal, place, started, begins), started, answer, then)
            return Asked(run, place.parent, model.id)

    def _artist(self, principal: Principal, conversation: str, started: RunStarted) -> Artist:
        return Artist(self._studio, principal, lambda wanted: wanted.within(started.run, conversation, started.message))

    async def _draw(
        self,
        principal: Principal,
        kept: Conversation,
        begins: Conversation | None,
        place: Place,
        artist: Sequence[str | None],
    ) -> Asked:
        """Answer with pictures, made by the first of `artist` that is there."""
        question = place.history[-1]
        assert question.wish is not None
        files = [file.id for file in question.files]
        wish = replace(question.wish, sources=tuple(dict.fromkeys((*question.wish.sources, *files))))
        named, *liked = artist
        if named is None and liked:
            there = {model.id for model in await self._studio.models() if model.state == "ready"}
            named = next((model for model in liked if model in there), None)
        commission = await self._studio.wish(principal, question.text, wish, named)
        started = self._started(kept, place, commission.model.id)
        work = Drawing(self._studio, commission.within(started.run, kept.id, started.message))
        run = await self._runs.open(self._new_turn(principal, place, started, begins), started, work)
        return Asked(run, place.parent, commission.model.id)

    async def ask_unkept(
        self, principal: Principal, said: Sequence[tuple[Role, str]], choices: Choices, accepted: float
    ) -> AsyncGenerator[Batch, None]:
        """Answer what was `said`, and keep nothing. Closing what comes back stops the engine.

        Where an answer was said last it is taken up. Raises what `ask` raises for a new message.
        """
        for _, text in said:
            check_text(text, self._settings.max_message_kb)
        if not any(role == "user" for role, _ in said):
            raise InvalidInput("None of the messages is the person's; send what is to be answered.", param="messages")
        conversation, now = self._ids("conv"), int(self._clock() * 1000)
        history = [
            Message(self._ids("msg"), conversation, None, role, (Part("text", text),), now) for role, text in said
        ]
        with self._idle.busy():
            chosen = await self.answering(principal, choices, None, history)
            instructions = (await self._preferences.of(principal)).instructions
            begun = history[-1] if history[-1].role == "assistant" else None
            again = self._laying_out(chosen, choices, history, accepted, instructions, begun, nothing)
            turn = await again(chosen.engine, chosen.model, (), ())
        started = RunStarted(self._ids("run"), self._ids("msg"), conversation, None, chosen.model.id, now)
        asked = history if begun is None else history[:-1]
        grounds = self._grounds(principal, started.run, None, asked, choices.web or "off")
        return self._runs.pass_on(principal, started, Answer(turn, chosen.fallback, again, grounds))

    async def prefill(
        self,
        principal: Principal,
        conversation: str | None,
        choices: Choices,
        text: str = "",
        files: tuple[str, ...] = (),
    ) -> None:
        """Have the engine read, while the question is being written, what stands before it and how it begins; of the
        files that will go along those that it will be shown whole. Where the web will be asked, that is got ready too.

        Without a conversation it is one that will be made. Nothing is kept. Raises NotFound and TooLarge as `ask` does.
        """
        begins = self.begin(principal) if conversation is None else None
        kept, messages = (begins, []) if begins else await self._conversations.get_tree(principal, str(conversation))
        if (choices.web or kept.web) == "on":
            self._searching.expect()
        if any(message.status == "running" for message in messages):
            return  # what comes before the next question is not known yet
        what = New(text.strip() or ".", files=files)
        place = self._placed(kept, messages, what)
        place = await self._with_sources(principal, place, what)
        chosen = await self.answering(principal, choices, kept, place.history)
        liked = await self._preferences.of(principal)
        grounds = self._documents.grounds(principal, place.history)
        passages = await grounds.certain(chosen.model) if grounds is not None else ()
        look = self._seeing.of(principal)
        turn = await prepare(
            self._settings, chosen, choices, place.history, 0.0, liked.instructions, passages, look=look
        )
        tools = offered(chosen.model, turn.laid.messages, passages) if _draws(choices, liked) else ()
        request = Request(chosen.model.id, turn.laid.messages, sampling=turn.sampling, tools=tools, purpose="prefill")
        self._prefill.begin(conversation or "", chosen.engine, chosen.wishing(request))

    async def answering(
        self, principal: Principal, choices: Choices, kept: Conversation | None = None, history: Sequence[Message] = ()
    ) -> Chosen:
        """Who answers: the model that is named; or that of the conversation, or the one that the owner prefers, if it
        is there; or whom the mode chooses, or the default. An answer is taken up by the model that began it.

        Raises NotFound and EngineUnavailable as the registry does.
        """
        mode = choices.mode or (kept.mode if kept is not None else None)
        question = last_question(history)
        if choices.model is not None:
            return await self._modes.choose(choices.model, mode, question)
        liked = [kept.model if kept is not None else None, (await self._preferences.of(principal)).model]
        if mode is not None and history and history[-1].role == "assistant":
            liked.append(history[-1].model)
        there = {model.id for model in await self._registry.models()} | self._settings.fallbacks.keys()
        named = next((model for model in liked if model in there), None)
        pictured = named is None and mode is not None and bool(await self._seeing.photos(principal, history))
        return await self._modes.choose(named, mode, question, pictured)

    def _grounds(
        self, principal: Principal, run: str, conversation: str | None, history: Sequence[Message], web: Web
    ) -> Grounds | None:
        """What an answer to the last question can rest on, if on anything. Without a conversation nothing is kept."""
        numbering = Numbering(history)
        documents = self._documents.grounds(principal, history, numbering)
        turning = Turning(principal, run, conversation, history, web, beside=documents is not None)
        return joined(documents, self._searching.grounds(turning, numbering))

    def _laying_out(
        self,
        chosen: Chosen,
        choices: Choices,
        history: list[Message],
        accepted: float,
        instructions: str,
        continues: Message | None,
        look: Look,
    ) -> Again:
        """Lays the question out for whoever answers it, with a word on its language if the model does not list that."""
        said = history if continues is None else history[:-1]

        async def lay_out_for(
            engine: Engine, model: Model, passages: Sequence[Passage], notes: Sequence[str]
        ) -> PreparedTurn:
            by = chosen.by(engine, model)
            turn = await prepare(self._settings, by, choices, history, accepted, instructions, passages, notes, look)
            remark = await language_remark(said, model, await self._registry.models(), self._settings)
            remarks = turn.remarks if remark is None else (*turn.remarks, remark)
            return replace(turn, continues=continues, remarks=remarks)

        return lay_out_for

    async def _with_sources(self, principal: Principal, place: Place, what: New | Retry | Continue) -> Place:
        """The place with what goes along with the question, which is the last of its history."""
        if place.question is None or not isinstance(what, New) or not (what.files or what.libraries):
            return place
        files = await self._documents.attachments(principal, what.files)
        libraries = await self._documents.libraries(principal, what.libraries)
        question = replace(place.question, files=files, libraries=libraries)
        return replace(place, history=[*place.history[:-1], question], question=question)

    def _placed(self, kept: Conversation, messages: Sequence[Message], what: New | Retry | Continue) -> Place:
        tree = {message.id: message for message in messages}
        return placed(kept, tree, what, self._ids("msg"), int(self._clock() * 1000))

    def _started(self, conversation: Conversation, place: Place, model: str) -> RunStarted:
        return RunStarted(
            run=self._ids("run"),
            message=self._ids("msg"),
            conversation=conversation.id,
            parent=place.parent,
            model=model,
            created=int(self._clock() * 1000),
            continues=place.continues.id if place.continues else None,
        )

    def _new_turn(
        self, principal: Principal, place: Place, started: RunStarted, begins: Conversation | None
    ) -> NewTurn:
        answer = Message(
            id=started.message,
            conversation=started.conversation,
            parent=started.parent,
            role="assistant",
            parts=(),
            created=started.created,
            status="running",
            run=started.run,
            model=started.model,
        )
        record = RunRecord(started.run, started.conversation, started.message, self._process, "running")
        title = title_of(place.question.text) if place.question else ""
        return NewTurn(principal, place.question, answer, record, EventChunk(started.run, 0, b""), title, begins)


async def prepare(
    settings: Settings,
    chosen: Chosen,
    choices: Choices,
    history: list[Message],
    accepted: float,
    instructions: str = "",
    passages: Sequence[Passage] = (),
    notes: Sequence[str] = (),
    look: Look = nothing,
) -> PreparedTurn:
    """Fill in what `choices` leave open, and choose what of `history` the model is shown. Raises TooLarge.

    A person's `instructions` stand below the system prompt, which the engine has read already. A model that is to
    think gets room for that beside the longest answer. `look` finds the pictures that it is shown.
    """
    if history[-1].role == "assistant" and chosen.effort is not None:
        # What is taken up has been thought over, and templates refuse to think in the middle.
        chosen = replace(chosen, effort=FLASH, remark=None)
    engine, model, effort = chosen.engine, chosen.model, chosen.effort
    room = THOUGHTS if effort == THINK and model.reasoning != "never" else 1
    system = choices.system if choices.system is not None else settings.system_prompt
    system = "\n\n".join(text for text in (system, instructions.strip()) if text)
    longest = min(settings.max_tokens, FEW) if passages and model.tier == "tiny" else settings.max_tokens * room
    sampling = resolve_sampling(choices.sampling, model.sampling, longest)

    async def count(text: str) -> int:
        return await engine.count(model.id, text)

    reserve = sampling.max_tokens or 0
    asked = history if history[-1].role == "user" else history[:-1]
    seen = await look(asked, model)
    window = model.context
    laid = await lay_out(
        system, history, passages, notes, window=window, reserve=reserve, count=count, pictures=seen.pictures
    )
    remarks = (*((chosen.remark,) if chosen.remark is not None else ()), *seen.remarks)
    charged = rates(settings, model)
    return PreparedTurn(engine, model, laid, sampling, accepted, rates=charged, effort=effort, remarks=remarks)


def _named(what: New | Retry | Continue, choices: Choices, messages: Sequence[Message]) -> list[str | None]:
    """Who is to draw: the model that is named, or None, and then those that are liked, if they are there."""
    match what:
        case New():
            return [what.draw.model if what.draw is not None else None]
        case Retry():
            before = [each.model for each in reversed(messages) if each.parent == what.message]
            return [choices.model, *before]
        case Continue():
            return [None]


def _draws(choices: Choices, liked: Preferences) -> bool:
    return liked.draws if choices.draws is None else choices.draws


def check_text(text: str, max_kb: int) -> None:
    """Raise InvalidInput or TooLarge for a message that cannot be kept or shown."""
    if not text.strip():
        raise InvalidInput("The message is empty; write something to send.", param="text")
    if "\0" in text:
        raise InvalidInput("The message holds a NUL character; remove it and send again.", param="text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput("The message holds half a character (a lone surrogate).", param="text") from None
    if size > max_kb * 1024:
        raise TooLarge(
            f"The message is {size // 1024:,} KiB; the limit is {max_kb:,} KiB (ECLAIR_MAX_MESSAGE_KB).",
            param="text",
        )


def title_of(text: str) -> str:
    """A title from a message: its first line, cut at a word."""
    line = next(line.strip() for line in text.splitlines() if line.strip())
    if len(line) <= TITLE:
        return line
    return (line[:TITLE].rsplit(" ", 1)[0] if " " in line[:TITLE] else line[:TITLE]).rstrip(",.;:") + "…"
