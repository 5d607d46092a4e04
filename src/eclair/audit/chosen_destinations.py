"""Destinations of the audit log that administrators choose: added, changed, tested and removed while Éclair runs.

Those of the settings file stand beside them and are changed there. A file is one by name in the data folder, so that
nobody writes anywhere else from the page.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from eclair.audit.audit_service import AuditService
from eclair.audit.destinations import (
    AuditDestination,
    AuditEntry,
    FileDestination,
    SyslogDestination,
    WebhookDestination,
    build_destinations,
)
from eclair.errors import Conflict, EclairError, Forbidden, InvalidInput, NotFound, SettingsError
from eclair.network.client import OutboundGate
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.audit_destinations import AuditDestinationStore, DestinationKind, StoredDestination
from eclair.storage.secrets import Vault

FOLDER = "audit"
MAX_TARGET_CHARS = 2000
MAX_KEY_CHARS = 2000

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShownDestination:
    """A destination and how far it is: the number of the last act that it has, and why it has no more.

    One without an `id` stands in the settings file.
    """

    id: str | None
    kind: DestinationKind
    target: str
    has_key: bool
    delivered: int
    fault: str | None


class ChosenDestinations:
    """Keeps the destinations of an installation. Call `start` before use."""

    def __init__(
        self, settings: Settings, store: AuditDestinationStore, vault: Vault, gate: OutboundGate, audit: AuditService
    ) -> None:
        self._settings = settings
        self._store = store
        self._vault = vault
        self._gate = gate
        self._audit = audit

    async def start(self) -> None:
        """Have the log delivered to those that are stored. Raises StoreError."""
        await self._deliver_to(await self._store.list_destinations())

    async def list_all(self) -> list[ShownDestination]:
        """List all destinations, those of the settings file first."""
        states = {each.destination: each for each in await self._audit.list_deliveries()}
        stored = await self._store.list_destinations()
        known = [(None, name, bool(each_key)) for name, each_key in self._fixed().items()]
        known += [(each.id, _name(self._settings, each), each.key is not None) for each in stored]
        found = list[ShownDestination]()
        for id, name, has_key in known:
            kind, _, target = name.partition(":")
            state = states.get(name)
            shown = Path(target).name if id is not None and kind == "file" else target
            found.append(
                ShownDestination(
                    id,
                    _kind(kind),
                    shown,
                    has_key,
                    0 if state is None else state.delivered,
                    "Its key can't be read; set it again." if state is None else state.fault,
                )
            )
        return found

    async def add(self, principal: Principal, kind: DestinationKind, target: str, key: str = "") -> str:
        """Add a destination, which gets the whole log; return its id. Raises InvalidInput, Conflict and Forbidden."""
        stored = self._checked(new_id("destination"), kind, target, key)
        return await self._set(principal, stored)

    async def change(self, principal: Principal, id: str, target: str | None, key: str | None) -> None:
        """Change a destination; an empty key removes it. Another address gets the whole log. Raises as `add` does."""
        old = await self._get(id)
        stored = self._checked(id, old.kind, target if target is not None else old.target, key or "")
        if key is None:
            stored = StoredDestination(id=id, kind=old.kind, target=stored.target, key=old.key)
        await self._set(principal, stored)

    async def remove(self, principal: Principal, id: str) -> None:
        """Remove a destination. Raises NotFound and Forbidden."""
        self._require_choice()
        await self._store.remove_destination(principal, id)
        await self.start()

    async def test(self, kind: DestinationKind, target: str, key: str = "") -> None:
        """Send a test message, or open the file. Raises InvalidInput, and EclairError where it isn't taken."""
        destination = self._build(self._checked("test", kind, target, key), key or None)
        now = int(time.time() * 1000)
        entry = AuditEntry(now, "test", orjson.dumps({"type": "eclair.audit.test", "time": now}))
        try:
            await destination.send([] if kind == "file" else [entry])
        finally:
            await destination.close()

    async def test_stored(self, id: str) -> None:
        """Test a stored destination. Raises NotFound, and what `test` raises."""
        stored = await self._get(id)
        await self.test(stored.kind, stored.target, self._key(stored) or "")

    async def _get(self, id: str) -> StoredDestination:
        found = next((each for each in await self._store.list_destinations() if each.id == id), None)
        if found is None:
            raise NotFound("There is no such destination; it may have been removed.")
        return found

    async def _set(self, principal: Principal, stored: StoredDestination) -> str:
        if _name(self._settings, stored) in self._fixed():
            raise Conflict(f"{stored.target} gets the audit log already; the settings file says so.")
        await self._store.set_destination(principal, stored)
        await self.start()
        return stored.id

    async def _deliver_to(self, stored: list[StoredDestination]) -> None:
        built = list[AuditDestination]()
        for each in stored:
            try:
                built.append(self._build(each, self._key(each)))
            except EclairError as error:
                log.error("The audit log isn't delivered to %s: %s", each.target, error.message)
        await self._audit.replace_chosen(built)

    def _fixed(self) -> dict[str, str | None]:
        """Return the names of the settings file's destinations, with their keys."""
        fixed = {each.name: None for each in build_destinations(self._settings, self._gate)}
        webhook = f"webhook:{self._settings.audit_webhook}"
        return {name: self._settings.audit_webhook_key if name == webhook else None for name in fixed}

    def _checked(self, id: str, kind: DestinationKind, target: str, key: str) -> StoredDestination:
        """Return a destination as it is stored. Raises InvalidInput, and Forbidden where the file alone decides."""
        self._require_choice()
        target, key = check_target(kind, target), check_key(kind, key)
        return StoredDestination(
            id=id, kind=kind, target=target, key=self._vault.encrypt(key, key_place(id)) if key else None
        )

    def _require_choice(self) -> None:
        if self._settings.engines_from == "file":
            raise Forbidden(
                "Only the settings file decides where data goes here (`engines_from`); ask the person who runs this "
                "Éclair."
            )

    def _key(self, stored: StoredDestination) -> str | None:
        """Return the key of a destination. Raises SettingsError where it can't be decrypted."""
        return None if stored.key is None else self._vault.decrypt(stored.key, key_place(stored.id))

    def _build(self, stored: StoredDestination, key: str | None) -> AuditDestination:
        match stored.kind:
            case "file":
                folder = _folder(self._settings)
                try:
                    folder.mkdir(mode=0o700, exist_ok=True)
                except OSError as error:
                    raise SettingsError(f"{folder} can't be made: {error.strerror}.") from error
                return FileDestination(folder / stored.target)
            case "syslog":
                return SyslogDestination(stored.target, self._gate)
            case "webhook":
                return WebhookDestination(stored.target, key, self._gate)


def check_target(kind: DestinationKind, target: str) -> str:
    """Return the name of a file, or an address in its usual form. Raises InvalidInput."""
    target = target.strip()
    if kind == "file":
        if not _FILE_NAME.fullmatch(target):
            raise InvalidInput("A file is named with letters, digits, dots and dashes: audit.jsonl.", param="target")
        return target
    schemes = ("udp", "tcp", "tls") if kind == "syslog" else ("http", "https")
    example = "tls://log.example.org:6514" if kind == "syslog" else "https://siem.example.org/eclair"
    refused = InvalidInput(f"That isn't an address; write it such as {example}.", param="target")
    try:
        parts = urlsplit(target)
        is_valid = bool(parts.hostname) and parts.port != 0 and parts.scheme in schemes
    except ValueError:
        raise refused from None
    if not is_valid or len(target) > MAX_TARGET_CHARS or not target.isprintable() or " " in target:
        raise refused
    if parts.username is not None or parts.fragment or (kind == "syslog" and (parts.path.strip("/") or parts.query)):
        raise refused
    return target.rstrip("/") if kind == "syslog" else target


def check_key(kind: DestinationKind, key: str) -> str:
    """Return the key of a webhook; other kinds have none. Raises InvalidInput."""
    key = key.strip()
    if key and kind != "webhook":
        raise InvalidInput("Only a webhook has a key.", param="key")
    if len(key) > MAX_KEY_CHARS or not all("!" <= letter <= "~" for letter in key):
        raise InvalidInput("The key holds a space or another character that no key has; copy it again.", param="key")
    return key


def key_place(id: str) -> str:
    """Return the place that binds the key of a destination; see `Vault`."""
    return f"audit destination {id}"


def _folder(settings: Settings) -> Path:
    return settings.data_dir / FOLDER


def _name(settings: Settings, stored: StoredDestination) -> str:
    """Return the name of a destination, by which its deliveries are counted."""
    return f"{stored.kind}:{_folder(settings) / stored.target if stored.kind == 'file' else stored.target}"


def _kind(name: str) -> DestinationKind:
    return "file" if name == "file" else "syslog" if name == "syslog" else "webhook"
