"""The store port: conversations, messages, the run log, shares, preferences, servers. What they say is not its affair.

Every write is one transaction and touches only the rows it names: two clients that write to one
conversation lose nothing. All methods raise StoreError when the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from eclair.schema.messages import Conversation, Cost, Hit, Message, Mode, Status, Usage, Web
from eclair.storage.audit import EgressStore
from eclair.storage.documents import DocumentStore
from eclair.storage.feeds import FeedStore
from eclair.storage.images import PictureStore
from eclair.storage.web import WebStore

Grouping = Literal["day", "model"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Events of one run in a row: JSON lines without a last newline; `last` is the number of the last."""

    run: str
    last: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is kept. `process` names the process that writes it; see `Store.alive`."""

    id: str
    conversation: str
    message: str
    process: str
    status: Status


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What one turn adds: the user's message (None when an older one is answered anew), the answer-to-be,
    its run, and the first chunk of the run's log. `title` names the conversation if it has no name yet;
    `begins` is one that is made with the turn unless it is there."""

    owner: str
    question: Message | None
    answer: Message
    run: RunRecord
    first: Chunk
    title: str
    begins: Conversation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be another in a conversation; None stays. A title is the person's own from then on; an empty `model`,
    `mode` or `web` is none."""

    title: str | None = None
    leaf: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    tags: tuple[str, ...] | None = None
    model: str | None = None
    mode: Mode | Literal[""] | None = None
    web: Web | Literal[""] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation stands in a list by time."""

    updated: int
    id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list. `pinned` is filled on the first one; `next` is where the next one begins, if there is one."""

    pinned: list[Conversation]
    conversations: list[Conversation]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted together: how many conversations, and the moment that names them to `Store.restore_all`."""

    count: int
    moment: int


@dataclass(frozen=True, slots=True)
class Share:
    """A snapshot that whoever knows its id may read. Times are milliseconds; `expires` None is never."""

    id: str
    owner: str
    conversation: str
    title: str
    created: int
    expires: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What answers took together. `name` is the day (ISO 8601) or the model that they have in common, else empty.

    Of `metered` answers the energy is known. `costs` are one for each currency.
    """

    name: str = ""
    answers: int = 0
    words: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0
    metered: int = 0
    measured_joules: float = 0
    estimated_joules: float = 0
    costs: tuple[Cost, ...] = ()


@dataclass(frozen=True, slots=True)
class AddedServer:
    """An OpenAI-compatible server that was added. `key` is encrypted; `models` are those that it does not list,
    `context` is their window where it does not say, `country` where its owner says that it belongs."""

    name: str
    url: str
    key: bytes | None
    models: tuple[str, ...]
    context: int | None
    country: str | None
    created: int


class Store(Protocol):
    @property
    def documents(self) -> DocumentStore: ...

    @property
    def egress(self) -> EgressStore: ...

    @property
    def feeds(self) -> FeedStore: ...

    @property
    def pictures(self) -> PictureStore: ...

    @property
    def web(self) -> WebStore: ...

    async def add_conversation(self, conversation: Conversation) -> Conversation:
        """Keep it, or give back the owner's one of that id. Raises Conflict where the id is another's."""
        ...

    async def conversation(self, owner: str, id: str) -> Conversation:
        """Raises NotFound."""
        ...

    async def conversations(
        self, owner: str, limit: int, *, archived: bool = False, tag: str | None = None, before: Place | None = None
    ) -> Listed:
        """Newest change first, the pinned ones apart; with `archived` those, pinned or not. `before` is the `next` of
        the page before."""
        ...

    async def conversation_ids(self, owner: str) -> list[str]:
        """Every one that is kept, oldest first."""
        ...

    async def count(self, owner: str) -> int:
        """How many are kept, those in the archive included."""
        ...

    async def tags(self, owner: str, *, archived: bool = False) -> dict[str, int]:
        """Each tag with the number of conversations that have it."""
        ...

    async def change_conversation(self, owner: str, id: str, edit: Edit) -> Conversation:
        """Raises NotFound for the conversation or for a leaf that is not in it."""
        ...

    async def may_be_named(self, owner: str, id: str) -> bool:
        """Whether it is there and has no title that the person gave."""
        ...

    async def name_conversation(self, owner: str, id: str, title: str) -> bool:
        """Give it a title unless the person gave it one or it was deleted; whether it has it now."""
        ...

    async def add_tree(self, conversation: Conversation, messages: Sequence[Message]) -> bool:
        """Keep a whole conversation, each message after its parent; False where it is there already. One that was
        deleted is replaced. Raises Conflict where an id is another's, NotFound for a parent that is missing."""
        ...

    async def delete_conversation(self, owner: str, id: str, *, forever: bool = False) -> None:
        """It is gone from everywhere, but for `restore_conversation`; `forever` from there as well, also one that was
        deleted before. Raises NotFound, and Conflict while a run is at work in it."""
        ...

    async def delete_all(self, owner: str, *, forever: bool = False) -> Deleted:
        """As `delete_conversation`, with every one that is there; `forever` takes along what was deleted before.
        Raises Conflict while a run is at work in one of them."""
        ...

    async def restore_conversation(self, owner: str, id: str, since: int) -> Conversation:
        """Bring back what was deleted in millisecond `since` or later; one that was not deleted stays as it is.
        Raises NotFound."""
        ...

    async def restore_all(self, owner: str, moment: int, since: int) -> int:
        """Bring back what is left of what `delete_all` deleted at that moment, if it was in millisecond `since` or
        later; how many came back. Raises NotFound where none did."""
        ...

    async def erase_deleted(self, before: int) -> None:
        """Erase what was deleted before that millisecond, or for ever: messages, runs, logs, shares."""
        ...

    async def delete_message(self, owner: str, id: str, message: str) -> Conversation:
        """Erase it with everything under it. Where the branch that is shown was among it, the newest beside it is
        shown, or else its parent. Raises NotFound, and Conflict while a run is at work in the conversation."""
        ...

    async def tree(self, owner: str, id: str) -> tuple[Conversation, list[Message]]:
        """A conversation and all its messages, oldest first. Raises NotFound."""
        ...

    async def speeds(self) -> dict[str, float]:
        """How many words a second each model wrote on average in the last answers, whoever asked."""
        ...

    async def search(self, owner: str, words: str, limit: int) -> list[Hit]:
        """Messages that hold every word or a word that begins so, best first."""
        ...

    async def open_turn(self, turn: NewTurn) -> RunRecord:
        """Add a turn. If the question's id is already in the conversation, nothing is added and the run that
        answers it comes back. Raises Conflict while another run is at work or where an id is another's,
        NotFound for a missing conversation or parent."""
        ...

    async def append(self, chunks: list[Chunk]) -> None:
        """Add to run logs."""
        ...

    async def close_run(self, run: RunRecord, message: Message, rest: Chunk | None) -> None:
        """End a run: the rest of its log, its status, its message as folded, and what it took among the sums. One that
        has ended stays."""
        ...

    async def add_spent(self, owner: str, model: str, usage: Usage, *, answers: int = 1) -> None:
        """Add to the sums what something took that is kept nowhere else."""
        ...

    async def spent(
        self, owner: str, first: date | None = None, last: date | None = None, by: Grouping | None = None
    ) -> list[Spent]:
        """The sums from one day to another, in one or in groups by name; empty where nothing was used."""
        ...

    async def run(self, owner: str, id: str) -> RunRecord:
        """Raises NotFound."""
        ...

    async def chunks(self, run: str, after: int) -> list[Chunk]:
        """The log from the chunk on that holds event `after + 1`."""
        ...

    async def running(self, conversation: str | None = None) -> list[RunRecord]:
        """Runs that are at work, here or in another process, or whose process died."""
        ...

    async def add_share(self, share: Share, body: str) -> None:
        """Keep a snapshot; `body` is JSON. Raises NotFound for a conversation that is not the owner's."""
        ...

    async def shares(self, owner: str) -> list[Share]:
        """Newest first, those that have expired included; none of a conversation that was deleted."""
        ...

    async def share(self, id: str) -> tuple[Share, str]:
        """A snapshot and its body. Raises NotFound, also once its conversation was deleted."""
        ...

    async def delete_share(self, owner: str, id: str) -> None:
        """Raises NotFound."""
        ...

    async def preferences(self, owner: str) -> tuple[int, str]:
        """Their version and body, which is JSON; version 0 and an empty object while there are none."""
        ...

    async def change_preferences(self, owner: str, version: int, body: str) -> int:
        """Put `body` in the place of that `version`; the new version comes back. Raises Conflict where another
        has changed them meanwhile."""
        ...

    async def servers(self) -> list[AddedServer]:
        """Those that were added, oldest first."""
        ...

    async def add_server(self, server: AddedServer) -> None:
        """Raises Conflict where its name is taken."""
        ...

    async def change_server(self, name: str, edit: Callable[[AddedServer], AddedServer]) -> AddedServer:
        """Put what `edit` makes of it in its place. Raises NotFound, and what `edit` raises."""
        ...

    async def delete_server(self, name: str) -> None:
        """With what was found out about it. Raises NotFound."""
        ...

    async def probes(self) -> dict[str, str]:
        """What was found out, as JSON, by the server's name."""
        ...

    async def keep_probe(self, name: str, body: str) -> None: ...

    async def version(self) -> int:
        """A number that changes when another process writes, and only then."""
        ...

    def alive(self, process: str) -> bool:
        """Whether that process still holds its lease."""
        ...

    @property
    def process(self) -> str:
        """The name under which this process writes runs."""
        ...

    async def close(self) -> None: ...
