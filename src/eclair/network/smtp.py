"""SMTP: hands a message to a mail server, by STARTTLS, TLS or within this machine, through the outbound gate."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

from eclair.errors import Refused, UpstreamError
from eclair.network.gate import CallContext, OutboundGate
from eclair.settings import Settings
from eclair.util.loopback import is_loopback

DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}
SEND_TIMEOUT_S = 30.0


class SmtpClient:
    """Sends by the server of the settings. Nothing is sent unencrypted to another machine but by `none`."""

    def __init__(self, settings: Settings, gate: OutboundGate) -> None:
        self._host = settings.smtp_host or ""
        self._security = settings.smtp_security
        self._port = settings.smtp_port or DEFAULT_PORTS[self._security]
        self._user = settings.smtp_user
        self._password = settings.smtp_password
        self._gate = gate

    async def send(self, message: EmailMessage, context: CallContext) -> None:
        """Send a message to its recipients. Raises Refused by the policy, and UpstreamError."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        size = len(message.as_bytes(policy=SMTP))
        if self._password is not None and self._security == "none" and not is_loopback(self._host):
            raise Refused("The mail server would get its password unencrypted; set `smtp_security` to starttls or tls.")
        call = self._gate.begin("SMTP", f"smtp://{host}:{self._port}", context, size)
        if call is not None:
            await self._gate.store(call)
        fault: str | None = "The sending broke off."
        try:
            await asyncio.to_thread(self._send, message)
            fault = None
        except (OSError, smtplib.SMTPException) as error:
            fault = _describe(error)
            raise UpstreamError(f"The mail server {self._host} doesn't take the message: {fault}.") from error
        finally:
            if call is not None:
                self._gate.end(call, fault)

    def _send(self, message: EmailMessage) -> None:
        context = None if self._security == "none" else ssl.create_default_context()
        with self._connect(context) as server:
            if self._security == "starttls":
                server.starttls(context=context)
            if self._user is not None and self._password is not None:
                server.login(self._user, self._password)
            server.send_message(message)

    def _connect(self, context: ssl.SSLContext | None) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=SEND_TIMEOUT_S, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=SEND_TIMEOUT_S)


def _describe(error: OSError | smtplib.SMTPException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return f"{error.smtp_code} {' '.join(text.split())[:200]}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refuses the address"
    return str(error).strip().rstrip(".")[:200] or type(error).__name__
