"""The upkeep of the audit log: checkpoints, delivery to other machines, and the end of what is personal in old acts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from eclair.audit.checkpoint_notes import checkpoint_line, write_note
from eclair.audit.destinations import AuditDestination, AuditEntry, build_destinations
from eclair.audit.verification import AuditVerification, verify
from eclair.errors import EclairError
from eclair.live_settings import LiveSettings
from eclair.network.client import OutboundGate
from eclair.schema.audit import AuditCheckpoint
from eclair.schema.ids import Clock
from eclair.schema.works_council import without_people
from eclair.storage.audit import AuditStore
from eclair.storage.signing_key import SigningKey, encode_key
from eclair.util.rare_log import RareLog

START_DELAY_S = 5.0
DELIVERY_INTERVAL_S = 5.0
ERASE_INTERVAL_S = 3600.0
LAST_DELIVERY_TIMEOUT_S = 5.0
"""The time for what is left when Éclair ends."""
BATCH_ACTS = 200
DAY_MS = 86_400_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The number of the last act that a destination has, and why it has no more."""

    destination: str
    delivered: int
    fault: str | None


class AuditService:
    """Keeps the log of one installation. Call `start` before use and `close` at the end."""

    def __init__(
        self,
        live_settings: LiveSettings,
        store: AuditStore,
        key: SigningKey,
        gate: OutboundGate,
        clock: Clock = time.time,
    ) -> None:
        self._live = live_settings
        self._store = store
        self._key = key
        self._clock = clock
        self._fixed = build_destinations(live_settings.current, gate)
        self._chosen: Sequence[AuditDestination] = ()
        self._faults: dict[str, str] = {}
        self._delivering = asyncio.Lock()
        self._log = RareLog(log)
        self._checkpoint_at = 0.0
        self._erase_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run_periodically(), name="audit log")

    async def close(self) -> None:
        """Make the last checkpoint, and deliver what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            await self.add_checkpoint()
            async with asyncio.timeout(LAST_DELIVERY_TIMEOUT_S):
                await self.deliver()
        except TimeoutError:
            log.warning("the audit log isn't delivered in full; the rest follows after the next start")
        except EclairError as error:
            log.error("the audit log has no last checkpoint: %s", error.message)
        for destination in self._destinations:
            await destination.close()

    @property
    def _destinations(self) -> list[AuditDestination]:
        return [*self._fixed, *self._chosen]

    async def replace_chosen(self, chosen: Sequence[AuditDestination]) -> None:
        """Deliver to these besides those of the settings, in place of those before."""
        async with self._delivering:
            before, self._chosen = self._chosen, chosen
            kept = {each.name for each in self._destinations}
            self._faults = {name: fault for name, fault in self._faults.items() if name in kept}
        for each in before:
            await each.close()

    async def add_checkpoint(self) -> AuditCheckpoint | None:
        """Add a checkpoint where something has happened since the last, and log it. Raises EclairError."""
        if not await self._store.has_news():
            return None
        public = encode_key(await asyncio.to_thread(self._key.public))
        checkpoint = await self._store.add_checkpoint(public, partial(write_note, self._key))
        if checkpoint is not None:
            level = logging.DEBUG if self._live.current.accounts == "off" else logging.INFO  # noise to one person alone
            log.log(level, "audit log: %s", checkpoint_line(checkpoint))
        return checkpoint

    async def verify(self, outside: Sequence[AuditCheckpoint] = ()) -> AuditVerification:
        """Check the whole log, and against checkpoints from elsewhere."""
        return await self._store.read_whole(partial(verify, outside=outside))

    async def list_deliveries(self) -> list[DeliveryState]:
        return [
            DeliveryState(each.name, await self._store.get_delivered(each.name), self._faults.get(each.name))
            for each in self._destinations
        ]

    async def deliver(self) -> None:
        """Send every destination what it has not."""
        async with self._delivering:
            for destination in self._destinations:
                try:
                    await self._deliver_to(destination)
                    self._faults.pop(destination.name, None)
                except EclairError as error:
                    self._faults[destination.name] = error.message
                    self._log.warn(destination.name, f"The audit log isn't delivered: {error.message}")

    async def _deliver_to(self, destination: AuditDestination) -> None:
        acts_place, checkpoints_place = destination.name, f"{destination.name} checkpoints"
        after = await self._store.get_delivered(acts_place)
        while acts := await self._store.list_acts_after(after, BATCH_ACTS):
            shown = map(without_people, acts) if self._live.current.works_council else acts
            await destination.send([AuditEntry.of_act(act) for act in shown])
            after = acts[-1].number
            await self._store.set_delivered(acts_place, after)
        sealed = await self._store.get_delivered(checkpoints_place)
        checkpoints = await self._store.list_checkpoints(sealed)
        if checkpoints:
            await destination.send([AuditEntry.of_checkpoint(each) for each in checkpoints])
            await self._store.set_delivered(checkpoints_place, checkpoints[-1].size)

    async def _run_periodically(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        while True:
            try:
                await self.run_once()
            except EclairError as error:
                self._log.warn("upkeep", f"The audit log can't be kept up: {error.message}")
            await asyncio.sleep(DELIVERY_INTERVAL_S)

    async def run_once(self) -> None:
        """Do what is due. Raises EclairError."""
        now = self._clock()
        if now >= self._erase_at:
            self._erase_at = now + ERASE_INTERVAL_S
            if self._live.current.audit_days:
                await self._store.erase_values(int(now * 1000) - self._live.current.audit_days * DAY_MS)
        if now >= self._checkpoint_at:
            self._checkpoint_at = now + self._live.current.audit_checkpoint_minutes * 60
            await self.add_checkpoint()
        if self._destinations:
            await self.deliver()
