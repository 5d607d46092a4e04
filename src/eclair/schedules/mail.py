"""Mail about the answers of schedules: that there is one, and its text only where the person chose that."""

from __future__ import annotations

import asyncio
import logging
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from eclair.errors import EclairError, UpstreamError
from eclair.live_settings import LiveSettings
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.smtp import SmtpClient
from eclair.schedules.mail_texts import mail_texts
from eclair.schema.messages import Message
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.schedules import Occurrence, Schedule
from eclair.storage.people import PeopleStore

RETRY_PAUSES_S = (10.0, 120.0)
MAX_ANSWER_CHARS = 100_000

log = logging.getLogger(__name__)


class ScheduleMail:
    """Implements `OccurrenceMail`. Call `close` at the end."""

    def __init__(self, settings: LiveSettings, people: PeopleStore, gate: OutboundGate) -> None:
        self._settings = settings
        self._people = people
        self._gate = gate
        self._sending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)

    async def find_address(self, principal: Principal) -> str | None:
        """Return where mail to somebody goes; None where no mail is set up, or they have no address."""
        settings = self._settings.current
        if settings.smtp_host is None or settings.smtp_from is None:
            return None
        if settings.accounts == "off":
            return settings.smtp_to if principal == LOCAL_PRINCIPAL else None
        person = await self._people.get_person(principal.id)
        return person.email or None

    def send(self, schedule: Schedule, occurrence: Occurrence, answer: Message | None) -> None:
        """See `OccurrenceMail.send`."""
        if schedule.mail == "off":
            return
        task = asyncio.create_task(self._send_safely(schedule, occurrence, answer), name=f"mail of {occurrence.id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_safely(self, schedule: Schedule, occurrence: Occurrence, answer: Message | None) -> None:
        try:
            await self._send(schedule, occurrence, answer)
        except EclairError as error:
            log.warning("the mail about %s was not sent: %s", schedule.id, error.message)
        except Exception:
            log.exception("the mail about %s was not sent", schedule.id)

    async def _send(self, schedule: Schedule, occurrence: Occurrence, answer: Message | None) -> None:
        principal, settings = Principal(schedule.owner), self._settings.current
        address = await self.find_address(principal)
        if address is None:
            return
        message = EmailMessage()
        message["From"] = settings.smtp_from
        message["To"] = address
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(occurrence.id, (settings.smtp_from or "").rpartition("@")[2].strip("<> "))
        message["Auto-Submitted"] = "auto-generated"
        message["Subject"] = schedule.name
        message.set_content(self._body(schedule, occurrence, answer))
        client = SmtpClient(settings, self._gate)
        for pause_s in (*RETRY_PAUSES_S, None):
            try:
                await client.send(message, CallContext(principal, "mail"))
                return
            except UpstreamError:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)

    def _body(self, schedule: Schedule, occurrence: Occurrence, answer: Message | None) -> str:
        settings = self._settings.current
        texts = mail_texts(schedule.asks.text)
        lines = [texts[occurrence.status]]
        base = settings.public_url or f"http://{settings.host}:{settings.port}"
        lines.append(f"{base.rstrip('/')}/c/{occurrence.conversation}")
        if schedule.mail == "answer" and answer is not None and occurrence.status == "done":
            lines += [texts["made_by_ai"], answer.text.strip()[:MAX_ANSWER_CHARS]]
        return "\n\n".join(lines) + "\n"
