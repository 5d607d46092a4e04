"""Mail about schedules, sent to a real SMTP server on loopback: encrypted, with a password, and no text unasked."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eclair.errors import Refused, UpstreamError
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.smtp import SmtpClient
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.egress import CallFilter
from tests.server.test_schedules import add, run
from tests.support import serving

pytestmark = pytest.mark.asyncio

PASSWORD = "s3cret"
CONTEXT = CallContext(LOCAL_PRINCIPAL, "mail")


class Mailbox:
    """Messages that a server has taken."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 (its name there)
        if self.refuses:
            return "554 This mailbox is full"
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    async def until(self, count: int) -> EmailMessage:
        async with asyncio.timeout(30):
            while len(self.mails) < count:  # noqa: ASYNC110 (no event tells)
                await asyncio.sleep(0.02)
        return self.mails[-1]


@asynccontextmanager
async def mail_server(
    ssl_context: ssl.SSLContext | None = None, **more: Any
) -> AsyncGenerator[tuple[Mailbox, Settings]]:
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop, **more), "127.0.0.1", 0, ssl=ssl_context
    )
    try:
        port = server.sockets[0].getsockname()[1]
        yield mailbox, Settings(smtp_host="localhost", smtp_port=port, smtp_from="eclair@example.org")
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "eclair@example.org", "ada@example.org", "Grüße"
    mail.set_content("Hallo")
    return mail


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=is_right, handled=False)


async def test_starttls_with_a_password(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    more: dict[str, Any] = {"tls_context": tls(certificate), "require_starttls": True, "authenticator": authenticate}
    async with mail_server(**more, auth_required=True) as (mailbox, settings):
        settings = replace(settings, smtp_user="eclair", smtp_password=PASSWORD)
        await SmtpClient(settings, OutboundGate()).send(letter(), CONTEXT)
        assert mailbox.mails[0]["Subject"] == "Grüße"
        with pytest.raises(UpstreamError, match="535"):
            await SmtpClient(replace(settings, smtp_password="wrong"), OutboundGate()).send(letter(), CONTEXT)


async def test_tls_from_the_first_byte(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mail_server(ssl_context=tls(certificate)) as (mailbox, settings):
        await SmtpClient(replace(settings, smtp_security="tls"), OutboundGate()).send(letter(), CONTEXT)
        assert len(mailbox.mails) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with mail_server(tls_context=tls(certificate)) as (mailbox, settings):
        with pytest.raises(UpstreamError, match="certificate"):
            await SmtpClient(settings, OutboundGate()).send(letter(), CONTEXT)
        assert mailbox.mails == []


async def test_a_server_without_encryption_gets_nothing_unless_that_was_chosen() -> None:
    async with mail_server() as (mailbox, settings):
        with pytest.raises(UpstreamError, match="STARTTLS"):
            await SmtpClient(settings, OutboundGate()).send(letter(), CONTEXT)
        assert mailbox.mails == []
        await SmtpClient(replace(settings, smtp_security="none"), OutboundGate()).send(letter(), CONTEXT)
        assert len(mailbox.mails) == 1


async def test_a_server_that_says_no_or_is_away_is_an_error_with_its_words() -> None:
    async with mail_server() as (mailbox, settings):
        mailbox.refuses = True
        plain = replace(settings, smtp_security="none")
        with pytest.raises(UpstreamError, match="554 This mailbox is full"):
            await SmtpClient(plain, OutboundGate()).send(letter(), CONTEXT)
    with pytest.raises(UpstreamError, match="doesn't take the message"):
        await SmtpClient(plain, OutboundGate()).send(letter(), CONTEXT)


async def test_other_machines_are_asked_as_the_policy_says_and_never_get_a_password_unencrypted() -> None:
    settings = Settings(smtp_host="mail.example.org", smtp_from="eclair@example.org", egress="offline")
    with pytest.raises(Refused, match="offline"):
        await SmtpClient(settings, OutboundGate()).send(letter(), CONTEXT)
    bare = replace(settings, smtp_security="none", smtp_user="eclair", smtp_password=PASSWORD)
    with pytest.raises(Refused, match="unencrypted"):
        await SmtpClient(bare, OutboundGate()).send(letter(), CONTEXT)


async def test_mail_tells_of_an_answer_and_has_it_only_where_that_was_chosen(settings: Settings) -> None:
    async with mail_server() as (mailbox, smtp):
        set_up = replace(
            settings,
            smtp_host=smtp.smtp_host,
            smtp_port=smtp.smtp_port,
            smtp_security="none",
            smtp_from=smtp.smtp_from,
            smtp_to="me@example.org",
        )
        async with serving(set_up) as server:
            assert (await server.get("/api/schedules")).body["mail_to"] == "me@example.org"
            notice = await add(server, "script: say=Zebra", name="Morgens", mail="notice")
            ended = await run(server, notice["id"])
            mail = await mailbox.until(1)
            assert (mail["Subject"], mail["To"], mail["From"]) == ("Morgens", "me@example.org", "eclair@example.org")
            assert f"/c/{ended['conversation']}" in mail.get_content()
            assert "Zebra" not in mail.get_content()
            full = await add(server, "script: say=Zebra", name="Full", mail="answer")
            await run(server, full["id"])
            text = (await mailbox.until(2)).get_content()
            assert "Zebra" in text
            assert "artificial intelligence" in text
            silent = await add(server, "script: say=Zebra")
            await run(server, silent["id"])
            broken = await add(server, "script: words=1 fail=broken", name="Broken", mail="answer")
            await run(server, broken["id"])
            assert "has failed" in (await mailbox.until(3)).get_content()


async def test_each_mail_is_in_the_egress_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.create_connection

    def find(address: tuple[str, int], *more: Any, **named: Any) -> socket.socket:
        host, port = address
        return connect(("127.0.0.1" if host == "mail.example.org" else host, port), *more, **named)

    monkeypatch.setattr(socket, "create_connection", find)
    async with mail_server() as (mailbox, smtp):
        set_up = replace(
            settings,
            smtp_host="mail.example.org",
            smtp_port=smtp.smtp_port,
            smtp_security="none",
            smtp_from=smtp.smtp_from,
            smtp_to="me@example.org",
        )
        async with serving(set_up) as server:
            ended = await run(server, (await add(server, "script: say=Zebra", name="News", mail="notice"))["id"])
            await mailbox.until(1)
            log, wanted = server.app.storage.egress, CallFilter(purpose="mail")
            async with asyncio.timeout(30):
                while [each.verdict for each in await log.list_calls(LOCAL_PRINCIPAL, wanted, 100)] == ["begun"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            (row,) = await log.list_calls(LOCAL_PRINCIPAL, wanted, 100)
            assert (row.method, row.host, row.verdict) == ("SMTP", "mail.example.org", "passed")
            assert row.url == f"smtp://mail.example.org:{smtp.smtp_port}"
            assert row.sent > 0
            assert ended["conversation"] not in f"{row}", "what the mail says isn't in the log"
