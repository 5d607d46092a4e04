"""Presence: who else has a conversation open that is shown in a project.

A person who may see it is noted from the first page that has it open until the last is closed or hidden, unless they
chose not to show that. Rights are asked again when others are told, so a right that ends, ends it at once.
Works-council mode notes and tells nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass

from eclair.chat.preferences import PreferenceService
from eclair.chat.shown_conversations import ShownConversations
from eclair.errors import NotFound, StoreError
from eclair.live_settings import LiveSettings
from eclair.schema.principal import Principal
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.presence import PresenceStore, Present
from eclair.storage.processes import ProcessStore

LEAVE_DELAY_S = 1.0
"""A page that connects again within that time was never gone."""
WATCH_INTERVAL_S = 2.0
"""Time between two looks for processes that died, and for notes that were lost."""
MAX_OTHERS = 20
"""Others who are named; further ones are counted."""
MAX_ASKED = 100
"""Others whose rights are asked; whoever is noted beyond is neither named nor counted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Others:
    """Ids of the people who have a conversation open besides the one who asks, and the number of further ones."""

    people: tuple[str, ...] = ()
    more: int = 0


class PresenceService:
    """Notes who is here, and finds who else is."""

    def __init__(
        self,
        store: PresenceStore,
        processes: ProcessStore,
        changes: ChangeFeed,
        shown: ShownConversations,
        preferences: PreferenceService,
        settings: LiveSettings,
    ) -> None:
        self._store = store
        self._processes = processes
        self._changes = changes
        self._shown = shown
        self._preferences = preferences
        self._settings = settings
        self._here = Counter[Present]()
        self._changed = asyncio.Event()
        self._is_failing = False
        self._keeping = asyncio.create_task(self._keep(), name="presence")

    async def close(self) -> None:
        """Note that nobody is here any more."""
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        self._here.clear()
        await self._note()

    @contextlib.contextmanager
    def here(self, principal: Principal, conversation: str) -> Generator[None]:
        """Note that the principal has a conversation open within the block."""
        present = Present(conversation, principal.id)
        self._here[present] += 1
        self._changed.set()
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(LEAVE_DELAY_S, self._leave, present)

    async def find_others(self, principal: Principal, conversation: str) -> Others:
        """Return who else has a conversation open that is shown to the principal. Raises NotFound."""
        shown = await self._shown.find(principal, conversation)
        if self._settings.current.works_council:
            return Others()
        found = await self._store.list_present(conversation)
        dead = await self._processes.list_dead(process for _, process in found)
        people = sorted({person for person, process in found if process not in dead} - {principal.id})
        visible = [each for each in people[:MAX_ASKED] if await self._is_visible(each, shown.project)]
        return Others(tuple(visible[:MAX_OTHERS]), len(visible[MAX_OTHERS:]))

    async def tell_of(self, principal: Principal) -> None:
        """Take over a change of the principal's preference, and tell those who have the same conversations open."""
        self._changed.set()
        self._tell(set(await self._store.list_open(principal)))

    async def may_see(self, principal: Principal, conversation: str) -> bool:
        """Tell whether a conversation is shown to the principal."""
        try:
            await self._shown.find(principal, conversation)
        except NotFound:
            return False
        return True

    async def _is_visible(self, person: str, project: str) -> bool:
        """Tell whether a person still is a member of a project, and shows that they are here."""
        found = await self._shown.find_member(person, project)
        return found is not None and (await self._preferences.read(found)).show_presence

    def _leave(self, present: Present) -> None:
        self._here[present] -= 1
        if self._here[present] <= 0:
            del self._here[present]
        self._changed.set()

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_INTERVAL_S if self._here or self._is_failing else None):
                    await self._changed.wait()
            self._changed.clear()
            await self._note()

    async def _note(self) -> None:
        """Store who is here, and remove those at processes that died. What fails is tried again."""
        try:
            noted = await self._store.list_own_presence()
            here = await self._find_visible_here()
            if here != noted:
                await self._store.change_presence(here - noted, noted - here)
                self._tell({each.conversation for each in here ^ noted})
            if self._here:
                await self._remove_dead()
            self._is_failing = False
        except StoreError as error:
            if not self._is_failing:
                log.warning("who has conversations open can't be stored: %s", error.message)
            self._is_failing = True

    async def _find_visible_here(self) -> set[Present]:
        """Return those whose pages are open here and who show it: none in works-council mode."""
        if self._settings.current.works_council:
            return set()
        shows = {each: await self._preferences.get(Principal(each.person)) for each in tuple(self._here)}
        return {each for each, preferences in shows.items() if preferences.show_presence}

    async def _remove_dead(self) -> None:
        for process in await self._processes.list_dead(await self._store.list_presence_processes()):
            self._tell(set(await self._store.remove_presence_of(process)))

    def _tell(self, conversations: set[str]) -> None:
        for conversation in conversations:
            self._changes.publish_presence(conversation)
