"""Erases everything of a person, after a time in which they can withdraw, and signs a receipt of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

import eclair
from eclair.accounts.principals import Principals
from eclair.chat.conversations import DAY_S, ConversationService
from eclair.chat.preferences import PreferenceService
from eclair.chat.receipt_signing import canonical_form
from eclair.chat.responses import ResponseService
from eclair.documents.ingest import Ingestor
from eclair.errors import Conflict, EclairError, HeldBack, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.live_settings import LiveSettings
from eclair.schema.erasure import ERASURE_TYPE, BackupExpiry, ErasedCount, ErasureReceipt
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.backup.repository import BackupRepository
from eclair.storage.backup.schedule import moment_of
from eclair.storage.base import Storage
from eclair.storage.personal_data import ErasureRequest
from eclair.storage.signing_key import SigningKey, decode_key, encode_key, is_signed_by
from eclair.transfer.import_service import ImportService
from eclair.util.log_context import log_admin_act

START_DELAY_S = 30.0
INTERVAL_S = 300.0
FILES_PER_STEP = 100
MAX_PASSES = 3
"""Later passes erase all that was still being written when the erasure began."""
CONTEXT = "eclair.erasure.v1"
KEPT_KINDS = frozenset({"outgoing calls", "requests for erasure"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PersonalData:
    """Numbers of what a person has, the open request to erase it, and whether a legal hold keeps it."""

    counts: Mapping[str, int]
    request: ErasureRequest | None
    is_held: bool
    grace_days: int


class PersonErasure:
    """Takes requests for erasure, and does those that are due. Call `start` before use and `close` at the end."""

    def __init__(
        self,
        settings: LiveSettings,
        storage: Storage,
        conversations: ConversationService,
        responses: ResponseService,
        ingestor: Ingestor,
        gallery: Gallery,
        imports: ImportService,
        preferences: PreferenceService,
        principals: Principals,
        clock: Clock = time.time,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._conversations = conversations
        self._responses = responses
        self._ingestor = ingestor
        self._gallery = gallery
        self._imports = imports
        self._preferences = preferences
        self._principals = principals
        self._clock = clock
        self._key = SigningKey.configured(settings.current)
        self._is_due = asyncio.Event()
        self._working = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run_periodically(), name="erase people who asked for it")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def describe(self, person: Principal) -> PersonalData:
        """Count what a person has; it says nothing of its content."""
        store = self._storage.personal_data
        return PersonalData(
            await store.count_rows(person),
            await store.find_open_request(person),
            await store.is_held(person),
            self._settings.current.erasure_days,
        )

    async def request(self, principal: Principal, person: str) -> ErasureRequest:
        """Ask for the erasure of a person's data, at once where the settings give no time to withdraw.

        Raises NotFound, HeldBack under a legal hold, and Conflict where it was asked for already, or nobody would be
        left to administer the house.
        """
        store = self._storage.personal_data
        if await store.is_held(Principal(person)):
            raise HeldBack("This data is under a legal hold, so it can't be erased; ask an administrator.")
        await self._refuse_last_administrator(person)
        now = int(self._clock() * 1000)
        due = now + self._settings.current.erasure_days * DAY_S * 1000
        request = ErasureRequest(
            id=new_id("erasure", self._clock), owner=person, asked_by=principal.id, asked=now, due=due
        )
        await store.add_request(principal, request)
        log_admin_act("erasure.requested", f"The erasure of {person} was asked for.", person=person)
        self._is_due.set()
        return request

    async def withdraw(self, principal: Principal, person: str) -> None:
        """Withdraw the open request for a person's erasure. Raises NotFound."""
        request = await self._storage.personal_data.find_open_request(Principal(person))
        if request is None:
            raise NotFound("There is no request for erasure that could be withdrawn.")
        await self._storage.personal_data.withdraw_request(principal, request.id)
        log_admin_act("erasure.withdrawn", f"The erasure of {person} was withdrawn.", person=person)

    async def run_due(self) -> None:
        """Do the requests that are due and not held back. Failures are logged and tried again."""
        async with self._working:
            for request in await self._storage.personal_data.list_due_requests(int(self._clock() * 1000)):
                try:
                    async with self._storage.jobs.hold("erase", request.id) as ours:
                        if ours:
                            await self._erase(request)
                except HeldBack:
                    log.warning("The erasure %s waits for a legal hold to be lifted.", request.id)
                except EclairError as error:
                    log.error("The erasure %s was not finished, and is tried again: %s", request.id, error.message)

    async def _run_periodically(self) -> None:
        await self._wait_for_request(START_DELAY_S)
        while True:
            self._is_due.clear()
            try:
                await self.run_due()
            except StoreError as error:
                log.error("erasures that are due cannot be done yet: %s", error.message)
            await self._wait_for_request(INTERVAL_S)

    async def _wait_for_request(self, most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._is_due.wait()

    async def _erase(self, request: ErasureRequest) -> None:
        person, store = Principal(request.owner), self._storage.personal_data
        if await store.is_held(person):
            raise HeldBack("This data is under a legal hold.")
        await self._refuse_last_administrator(person.id)
        before = after = await store.count_rows(person)
        for _ in range(MAX_PASSES):
            await self._imports.delete_all(person)  # first: one that runs adds to all the others
            await self._conversations.delete_all(person, forever=True)
            await self._conversations.erase_due()
            await self._erase_files(person)
            await self._responses.delete_all(person)
            await self._storage.batches.delete_all(person)
            await store.erase_rows(person)
            self._preferences.forget(person)
            self._principals.forget()
            after = await store.count_rows(person)
            if after.keys() <= KEPT_KINDS:
                break
        receipt = await asyncio.to_thread(self._sign, request, before, after)
        await store.end_request(request.id, int(self._clock() * 1000), receipt)
        log_admin_act("erasure.done", f"Everything of {person.id} was erased.", person=person.id)

    async def _refuse_last_administrator(self, id: str) -> None:
        """Raise Conflict for an account without which nobody could administer the house, NotFound for nobody's."""
        if self._settings.current.accounts == "off":
            return
        people = self._storage.people
        try:
            person = await people.get_person(id)
        except NotFound:  # the account was deleted, and what its person kept stayed
            if (await self._storage.personal_data.count_rows(Principal(id))).keys() <= KEPT_KINDS:
                raise
            return
        if person.role == "admin" and (await people.count_people()).get("admin", 0) < 2:
            raise Conflict("The last administrator can't be erased; make somebody else an administrator first.")

    async def _erase_files(self, person: Principal) -> None:
        """Erase files, libraries and images, with the bytes that nobody else has."""
        while files := (await self._storage.files.list_files(person, FILES_PER_STEP)).files:
            for each in files:
                await self._ingestor.delete(person, each.file.id)
        for listed in await self._storage.libraries.list_libraries(person):
            if listed.library.access != "own":  # another person shares it
                continue
            await self._ingestor.delete_library(person, listed.library.id)
        while images := (await self._gallery.list_images(person, FILES_PER_STEP)).pictures:
            for image in images:
                await self._gallery.delete(person, image.id)

    def _sign(self, request: ErasureRequest, before: Mapping[str, int], after: Mapping[str, int]) -> str:
        """Return the signed receipt as JSON. Raises SettingsError without a usable key."""
        settings = self._settings.current
        counts = _kinds if settings.works_council else _counts
        receipt = ErasureReceipt(
            type=ERASURE_TYPE,
            version=1,
            id=request.id,
            person=request.owner,
            asked_by="person" if request.asked_by == request.owner else "administrator",
            asked=_written(request.asked / 1000),
            ended=_written(self._clock()),
            erased=counts({kind: n - after.get(kind, 0) for kind, n in before.items() if kind not in KEPT_KINDS}),
            kept=counts({kind: count for kind, count in after.items() if kind in KEPT_KINDS}),
            remaining=counts({kind: count for kind, count in after.items() if kind not in KEPT_KINDS}),
            backups=tuple(list_backups(settings)),
            logs="ids and addresses only; they go as the system rotates its logs",
            issuer=f"Éclair {eclair.__version__}",
            public_key=encode_key(self._key.public()),
        )
        fields = asdict(receipt)
        fields["signature"] = encode_key(self._key.sign(CONTEXT, canonical_form(fields)))
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()


def check_erasure_receipt(data: bytes) -> bool:
    """Tell whether a receipt is as it was signed, by the key that it names."""
    try:
        fields: dict[str, Any] = orjson.loads(data)
        public, signature = decode_key(fields["public_key"]), decode_key(fields["signature"])
    except (ValueError, TypeError, LookupError, AttributeError):
        return False
    return is_signed_by(public, CONTEXT, canonical_form(fields), signature)


def list_backups(settings: Settings) -> list[BackupExpiry]:
    """List the backups in the settings' folder, each with the time at which the ones after it will have replaced it."""
    if settings.backup_folder is None:
        return []
    try:
        names = BackupRepository(settings.backup_folder, None).list_snapshots()
    except StoreError as error:
        log.warning("The backups can't be listed: %s", error.message)
        return []
    found: list[BackupExpiry] = []
    for newer, name in enumerate(reversed(names)):
        left = timedelta(hours=settings.backup_hours) * max(0, settings.backup_keep - newer)
        expires = moment_of(names[-1]) + left
        found.append(BackupExpiry(name, _written(moment_of(name).timestamp()), _written(expires.timestamp())))
    return found


def _counts(numbers: Mapping[str, int]) -> tuple[ErasedCount, ...]:
    return tuple(ErasedCount(kind, count) for kind, count in sorted(numbers.items()) if count)


def _kinds(numbers: Mapping[str, int]) -> tuple[ErasedCount, ...]:
    return tuple(ErasedCount(kind, None) for kind, count in sorted(numbers.items()) if count)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
