"""Messages and what they are made of.

A conversation is a tree of messages. Its `leaf` is the end of the branch that is shown; retrying or
editing grows another branch, and nothing is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from eclair.schema.agents import SubAgent
from eclair.schema.elicitations import Elicitation
from eclair.schema.images import ImageRequest, is_image_id

Role = Literal["system", "user", "assistant"]
PartKind = Literal["text", "reasoning", "tool_call", "tool_result", "picture"]
Status = Literal["running", "waiting", "finished", "stopped", "interrupted", "failed"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
StepKind = Literal["load", "read", "search", "ask", "fetch", "draw", "wait", "prompt", "skill"]
StepOutcome = Literal["done", "nothing", "late", "refused", "failed", "wall"]
CallAccess = Literal["compute", "read", "outbound", "write"]
CallDecision = Literal["once", "conversation", "always", "declined", "never"]
CallOutcome = Literal["done", "failed", "late", "declined", "stopped", "unknown"]
CallFaultCode = Literal[
    "unknown_tool",
    "bad_arguments",
    "call_limit",
    "call_closed",
    "nobody_asked",
    "repeated",
    "late",
    "page_unread",
    "web_unreachable",
    "text_not_unique",
    "no_picture",
    "memory_refused",
]
"""Codes of the `fault` of a call, beside those of errors."""

Web = Literal["off", "auto", "on"]
Switch = Literal["off", "on"]
MAX_TAGS = 12
MAX_TAG_CHARS = 40
MAX_COMMENT_CHARS = 1000
OPEN: frozenset[Status] = frozenset({"running", "waiting"})
"""The states of a run that has not ended."""

WEBS: tuple[Web, ...] = get_args(Web)
MAX_TEMPERATURE = 2
MAX_ANSWER_TOKENS = 10_000_000
MAX_SYSTEM_PROMPT_CHARS = 20_000
NoticeCode = Literal[
    "history_trimmed",
    "routed_short",
    "routed_long",
    "routed_code",
    "routed_numbers",
    "routed_hard",
    "not_saved",
    "saved",
    "answered_by",
    "language",
    "partly_read",
    "steps_limited",
    "time_limited",
    "cost_limited",
    "calls_repeated",
    "skimmed",
    "unread",
    "nothing_found",
    "not_seen",
    "picture_offer",
    "left_out",
    "web_auto",
    "web_off",
    "web_shut",
    "web_late",
    "web_unreachable",
    "web_unread",
    "from_memory",
    "web_refused",
    "stale",
    "contradicted",
    "superseded",
    "prohibited_use",
    "high_risk_use",
    "budget_low",
    "memory_refused",
    "memory_not_kept",
]
NameKind = Literal["title", "tag", "file", "library"]
ChangeKind = Literal[
    "changed",
    "removed",
    "running",
    "finished",
    "models",
    "files",
    "feeds",
    "projects",
    "canvases",
    "prompts",
    "announcements",
    "memories",
    "schedules",
    "assistants",
    "skills",
    "presence",
]
EnergyKind = Literal["measured", "estimated"]
RatingValue = Literal["up", "down"]
RatingReason = Literal["wrong", "instructions", "incomplete", "sources", "style"]
Mode = Literal["flash", "auto", "think"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message.

    `text` is the words of a `text` or `reasoning` part, the JSON arguments of a `tool_call`, the text that the model
    was given as a `tool_result`, or the prompt of a `picture`. `id` and `name` are those of the tool call and its tool,
    or of the picture and the model that made it. `round` counts the results that the model was given before, from 0.
    """

    kind: PartKind
    text: str
    id: str | None = None
    name: str | None = None
    round: int = 0


@dataclass(frozen=True, slots=True)
class Energy:
    """The electricity used by an answer: measured by the machine, or estimated from known figures."""

    joules: float
    kind: EnergyKind


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in millionths of a unit of `currency`, which is an ISO 4217 code."""

    micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost and the speed of an answer.

    Tokens are the engine's own count, or None if it gives none. `first_word_ms` runs from the moment the turn was
    accepted to its first word. `words` are counted between white space; `words_per_second` is over the time from the
    first word to the last, None for fewer than two words or a time too short to measure. `seconds` run from the moment
    the turn was accepted to its end. Energy and cost are None if unknown. `drafted_tokens` were drafted ahead of the
    model, and `accepted_tokens` of them were kept. `watermarked_tokens` were written with the watermark of texts; None
    if it is off for the answer.
    """

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    first_word_ms: float | None
    words: int
    words_per_second: float | None
    seconds: float | None = None
    energy: Energy | None = None
    cost: Cost | None = None
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None
    watermarked_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer or a call failed: a code for programs, a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class AnswerNotice:
    """Something the person should know about an answer, such as that old turns were left out.

    `language` is the code of the language it is about, if any.
    """

    code: NoticeCode
    message: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A step on the way to an answer, such as loading a model, reading a document or searching.

    The title of `ask` is the name of the search service, that of `fetch` the address of the page; their `outcome` says
    how the step ended, and `count` how much was found. The `step` of `draw` is the id of the future image.
    `milliseconds` is None until it is done, or if the answer ended first. Until then, `done` of `of` pieces are done,
    if known, it takes about `seconds_left` more, and `preview` counts the previews of an image in progress; None if the
    backend has none.
    """

    step: str
    kind: StepKind
    title: str
    milliseconds: float | None = None
    outcome: StepOutcome | None = None
    count: int | None = None
    done: int | None = None
    of: int | None = None
    preview: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class CallProgress:
    """Progress of a call: the `share` that is done, from 0 to 1, if its server knows, and what it does, or "".

    Of code, `text` is the last lines that it has printed.
    """

    share: float | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of our tools; its arguments and result are the parts with its id.

    `access` says what it may do, and `summary` is a sentence for people. With `needs_approval` it waits for the
    `decision` of a person, `decided_by`. One for more than this call covers the `scope`, such as a host, or all calls
    of the tool if that is empty; with `once_only` none can be given, as foreign text may have led to the call. Once
    `has_begun`, it may have had an effect. Without an `outcome` it isn't known to have ended. `sent_bytes` left this
    machine, and it brought the `passages` of these numbers. With an `agent` that sub-agent made it, and no other model
    is shown it. In its middle the server that it calls asked the `elicitations`. `progress` is the last that the server
    told, until the call has ended. `fault` says why it failed or was not made, in words for people; None where its
    result says it, as of code and of MCP servers.
    """

    call: str
    tool: str
    access: CallAccess
    summary: str
    needs_approval: bool = False
    scope: str = ""
    decision: CallDecision | None = None
    decided_by: str | None = None
    has_begun: bool = False
    outcome: CallOutcome | None = None
    milliseconds: float | None = None
    sent_bytes: int = 0
    passages: tuple[int, ...] = ()
    agent: str | None = None
    elicitations: tuple[Elicitation, ...] = ()
    once_only: bool = False
    progress: CallProgress | None = None
    fault: Fault | None = None

    @property
    def is_asking(self) -> bool:
        """True while a question of its server is open."""
        return self.outcome is None and any(each.action is None for each in self.elicitations)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a message. `media` is its type (RFC 6838)."""

    id: str
    name: str
    size: int
    media: str


@dataclass(frozen=True, slots=True)
class LibraryName:
    """A library that a message asked to search, by its name at that time."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PageBreak:
    """The start of page `page`, labeled `label` as in `Passage`: character `start`."""

    page: int
    label: str | None
    start: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that an answer may cite: characters `start` to `end` of the document `file`.

    It is cited by `number`, from 1, which never changes in a run. It begins on `page`, from 1; `label` is the page's
    own name (`xii`, a sheet's name), None for its number, and empty if the text has no pages. Further pages begin in it
    at `breaks`. `heading` is the path of headings above it, and `member` the file of an archive that it is in. For a
    web page, `file` is the stored copy, `name` its title, `url` its address and `published` its day (ISO 8601), if
    known. With a `computation`, its text is what the program computed in that way from those characters.
    """

    number: int
    file: str
    name: str
    page: int
    label: str | None
    heading: tuple[str, ...]
    start: int
    end: int
    text: str
    member: str | None = None
    url: str | None = None
    published: str | None = None
    breaks: tuple[PageBreak, ...] = ()
    computation: str | None = None

    def page_at(self, place: int) -> PageBreak:
        """The page on which character `place` of the document stands."""
        begun = [each for each in self.breaks if each.start <= place]
        return begun[-1] if begun else PageBreak(self.page, self.label, self.start)

    def named_at(self, place: int) -> tuple[int | None, str | None]:
        """The number and label of that page; neither if the text has no pages of its own."""
        found = self.page_at(place)
        return (None, None) if found.label == "" or self.url is not None else (found.page, found.label)

    @property
    def body(self) -> int:
        """The offset of the words below its headings; 0 if it does not begin with headings."""
        place = 0
        for heading in self.heading:
            rest = self.text[place:].lstrip()
            if rest.startswith(heading):
                place = len(self.text) - len(rest) + len(heading)
        return place


@dataclass(frozen=True, slots=True)
class Citation:
    """Characters `start` to `end` of an answer's part `index` rest on the `quote` from passage `passage`.

    The quote is characters `quote_start` to `quote_end` of the document, word for word. It begins on `page`, labeled
    `label`; both are None if the text has no pages. `support` from 0 to 1 says how well it supports them. `computation`
    is how the program computed the figure from the quote, such as `2.60 + 3.85 = 6.45`; None if the quote states it.
    """

    index: int
    start: int
    end: int
    passage: int
    quote: str
    quote_start: int
    quote_end: int
    support: float
    page: int | None = None
    label: str | None = None
    computation: str | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """No passage supports characters `start` to `end` of an answer's part `index`.

    `about` is the part that differs from the nearest passage, `passage`, such as a number; it may be empty.
    """

    index: int
    start: int
    end: int
    about: str
    passage: int | None = None


@dataclass(frozen=True, slots=True)
class ComputedFigure:
    """The figures in characters `start` to `end` of an answer's part `index` are those in a `line` that `call` gave."""

    index: int
    start: int
    end: int
    call: str
    line: str


@dataclass(frozen=True, slots=True)
class Rating:
    """A person's verdict on an answer, given at millisecond `created`; `comment` may be empty."""

    value: RatingValue
    comment: str
    created: int
    reason: RatingReason | None = None


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """Several models answer a question side by side: the ids of their `answers`, in the order in which they are shown.

    With `blind`, their names are hidden until the person has `kept` one, at millisecond `decided`.
    """

    answers: tuple[str, ...]
    blind: bool = False
    kept: str | None = None
    decided: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. Times are milliseconds since 1970, UTC.

    An assistant's message is the fold of its run's events. Only it has `run`, `model` and the fields after them, except
    `files` and `libraries`, which belong to a person's message, and `wish`, to one that asks for images. `passages` are
    those that the answer could rest on, and `calls` those of tools. A finished answer may have a `rating`. The model
    was shown the `used_memories`, and the `kept_memories` were kept on the way; both are ids, since erasing a memory
    leaves nothing of it. A question that several models answer side by side has a `comparison`. `computed_figures` say
    which sentences have their figures from calculations. The `agents` looked into the questions of a research.
    """

    id: str
    conversation: str
    parent: str | None
    role: Role
    parts: tuple[Part, ...]
    created: int
    status: Status = "finished"
    run: str | None = None
    model: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    remarks: tuple[AnswerNotice, ...] = ()
    steps: tuple[Step, ...] = ()
    files: tuple[Attachment, ...] = ()
    libraries: tuple[LibraryName, ...] = ()
    passages: tuple[Passage, ...] = ()
    citations: tuple[Citation, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    wish: ImageRequest | None = None
    rating: Rating | None = None
    calls: tuple[Call, ...] = ()
    used_memories: tuple[str, ...] = ()
    kept_memories: tuple[str, ...] = ()
    comparison: AnswerComparison | None = None
    computed_figures: tuple[ComputedFigure, ...] = ()
    agents: tuple[SubAgent, ...] = ()

    @property
    def is_open(self) -> bool:
        """True until its run has ended."""
        return self.status in OPEN

    @property
    def text(self) -> str:
        """The words that are shown: the text parts joined, a paragraph for each round."""
        rounds = dict[int, list[str]]()
        for part in self.parts:
            if part.kind == "text" and part.text:
                rounds.setdefault(part.round, []).append(part.text)
        return "\n\n".join("".join(texts) for texts in rounds.values())

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the files needed to answer it again: its attachments, and the sources of its image request."""
        named = (*self.wish.sources, self.wish.mask) if self.wish is not None else ()
        return (*(file.id for file in self.files), *(id for id in named if id is not None and not is_image_id(id)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages.

    `leaf` is the last message of the displayed branch. The fields from `model` to `system` are the person's choices for
    its answers, None for the defaults; `system` replaces the system prompt.
    `branched_from` is the id of the conversation whose thread it was begun with, if any.
    `project_id` is the project that it is in, `assistant_id` the assistant with which it was begun. `memory` says if
    its answers may use and keep memories; None leaves that to the person's preferences. `unread` says that an answer
    came while nobody looked.
    """

    id: str
    owner: str
    title: str
    created: int
    updated: int
    leaf: str | None = None
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    model: str | None = None
    mode: Mode | None = None
    web: Web | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    system: str | None = None
    branched_from: str | None = None
    project_id: str | None = None
    memory: Switch | None = None
    unread: bool = False
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A message found by a search. In `excerpt`, matches stand between U+E000 and U+E001."""

    conversation: str
    title: str
    message: str
    role: Role
    created: int
    excerpt: str


@dataclass(frozen=True, slots=True)
class PassageHit:
    """A passage of a file found by a search. In `excerpt`, matches stand between U+E000 and U+E001.

    It begins on page `page`, which its document may call by a `label`, and is characters `start` to `end` of the text.
    """

    file: str
    name: str
    page: int
    label: str | None
    start: int
    end: int
    excerpt: str


@dataclass(frozen=True, slots=True)
class NameHit:
    """A name found by a search: a conversation's title or tag, a file or a library.

    A title or tag has `conversation` and its `title`; a library has `library`, its id. A file has the `library` that
    holds it, with that one's name as `title`, or else the `conversation` and `message` that it is attached to.
    """

    kind: NameKind
    name: str
    conversation: str | None
    title: str
    message: str | None
    library: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a conversation: it was changed or removed, or an answer in it began or ended.

    Without `conversation`, any may have changed: read everything again. Changes of models, files and feeds belong to no
    conversation. `presence` is told to those who have the conversation open: who else has was changed.
    """

    conversation: str | None
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of an answer; None leaves a choice to the model's entry in the catalog.

    `repeat_penalty` divides the likelihood of a token that was among the last 64; only the catalog sets it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repeat_penalty: float | None = None


def branch(messages: dict[str, Message], leaf: str | None) -> list[Message]:
    """List the messages from the root to `leaf`, in order. Raises KeyError for a missing parent."""
    path: list[Message] = []
    while leaf is not None:
        message = messages[leaf]
        path.append(message)
        leaf = message.parent
    path.reverse()
    return path
