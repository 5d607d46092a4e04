"""Applies a policy file, exports the store as one, and says where the two differ."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eclair.errors import EclairError, InvalidInput, StoreError
from eclair.images.logo_maker import make_logo
from eclair.live_settings import LiveSettings
from eclair.policy.key_references import KeyReferences
from eclair.policy.policy_file import read_policy_file, write_policy
from eclair.policy.policy_plan import FindPerson, PolicyChange, PolicyPlan, PolicyPlanner
from eclair.policy.stored_entries import export_tables
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import read_policy
from eclair.storage.policy import StoredPolicy
from eclair.storage.secrets import Vault
from eclair.util.log_context import log_admin_act

POLL_INTERVAL_S: Final = 2.0
"""After this time at most, what another process applied is in force here."""

log = logging.getLogger(__name__)

Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PolicyDrift:
    """The differences between a policy file and the store, or the problem that the file has."""

    file: Path
    changes: Sequence[PolicyChange] = ()
    problem: str | None = None

    @property
    def differs(self) -> bool:
        return bool(self.changes) or self.problem is not None


@dataclass(slots=True)
class PolicyService:
    """The policy of an installation. `reload` puts in force what was stored; `start` follows other processes."""

    live_settings: LiveSettings
    storage: Storage
    vault: Vault
    reload: Reload | None = None
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Follow what other processes change."""
        self._task = asyncio.create_task(self._follow(), name="follow changes of the policy")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def choose_file(self, file: Path | None = None) -> Path:
        """Return the file that is meant: the one that is given, or that of the settings. Raises InvalidInput."""
        chosen = file or self.live_settings.configured.policy_file
        if chosen is None:
            raise InvalidInput("No policy file is known; name one, or set `policy_file`.")
        return chosen

    async def export(self) -> str:
        """Return the present state as a policy file, without a key in it."""
        return write_policy(export_tables(await self.storage.policy.read_policy()))

    async def plan(self, file: Path) -> PolicyPlan:
        """Return what applying a file would do. Raises what `apply` raises."""
        plan, _ = await self._plan(file, KeyReferences(self.vault))
        return plan

    async def apply(self, principal: Principal, file: Path) -> PolicyPlan:
        """Apply a file, all of it or nothing, and return what that changed.

        Raises InvalidInput and NotFound for a bad file, Conflict and Forbidden for what the settings decide.
        """
        plan, digest = await self._plan(file, KeyReferences(self.vault, encrypts=True))
        if not plan.changes:
            return plan
        counts = {"added": plan.count("add"), "changed": plan.count("change"), "removed": plan.count("remove")}
        await self.storage.policy.change_policy(principal, plan.removed, plan.put, {"sha256": digest, **counts})
        log_admin_act("policy.applied", f"The policy file {file} was applied.", **counts)
        if self.reload is not None:
            await self.reload()
        return plan

    async def find_drift(self) -> PolicyDrift | None:
        """Return where the store differs from the file of the settings; None where they name none."""
        settings = self.live_settings.configured
        if settings.policy_file is None:
            return None
        stored = await self.storage.policy.read_policy()
        return await _compare(settings, settings.policy_file, stored, self.vault, self._find_person)

    async def _plan(self, file: Path, keys: KeyReferences) -> tuple[PolicyPlan, str]:
        tables, data = await asyncio.to_thread(read_policy_file, file)
        stored = await self.storage.policy.read_policy()
        planner = PolicyPlanner(
            self.live_settings.configured, stored, keys, self._find_person, file.name, file.parent, make_logo
        )
        return await planner.plan(tables), hashlib.sha256(data).hexdigest()

    async def _find_person(self, name: str) -> Person | None:
        return await self.storage.people.find_by_name(name)

    async def _follow(self) -> None:
        seen: int | None = None
        while True:
            try:
                version = await self.storage.processes.get_foreign_version()
                if seen not in (None, version) and self.reload is not None:
                    await self.reload()
                seen = version
            except StoreError as error:
                log.warning("cannot see whether the policy was changed elsewhere: %s", error.message)
            await asyncio.sleep(POLL_INTERVAL_S)


async def examine_policy(settings: Settings) -> PolicyDrift | None:
    """Compare the file of the settings with the store without opening it; None where that can't be done.

    People whom the file alone names aren't looked for. Raises StoreError.
    """
    if settings.policy_file is None:
        return None
    stored = await asyncio.to_thread(read_policy, settings)
    if stored is None:
        return None

    async def suppose(name: str) -> Person:
        return Person(id=name, name=name, display_name=name, email=None, role="member", created=0)

    return await _compare(settings, settings.policy_file, stored, Vault.configured(settings), suppose)


async def _compare(
    settings: Settings, file: Path, stored: StoredPolicy, vault: Vault, find_person: FindPerson
) -> PolicyDrift:
    try:
        tables, _ = await asyncio.to_thread(read_policy_file, file)
        planner = PolicyPlanner(
            settings, stored, KeyReferences(vault, is_lenient=True), find_person, file.name, file.parent, None
        )
        return PolicyDrift(file, (await planner.plan(tables)).changes)
    except EclairError as error:
        if isinstance(error, StoreError):
            raise
        return PolicyDrift(file, problem=error.message)
