"""The server over TLS, with a certificate made for the test."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import signal
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eclair.errors import SettingsError
from eclair.server.serve import serve
from eclair.server.settings_reload import SettingsSource
from eclair.settings import Settings
from tests.support import Door, served_in_process

KEY = "a-key-of-four-and-twenty-"


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path
    locked_key: Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_files(tmp_path)


def make_files(folder: Path) -> Files:
    """Write a certificate and its key, other ones each time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Éclair's test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Files(folder / "certificate.pem", folder / "key.pem", folder / "locked.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made.key.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    made.locked_key.write_bytes(key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")))
    return made


async def test_it_is_served_over_tls(settings: Settings, files: Files) -> None:
    secured = replace(settings, tls_certificate=files.certificate, tls_key=files.key)
    async with served_in_process(secured) as address:
        assert address.startswith("https://127.0.0.1:")
        trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(files.certificate)))
        async with aiohttp.ClientSession(connector=trust) as http:
            door = Door(address, http)
            assert (await door.get("/api/conversations", {"Origin": address})).status == 200, (
                "the account is told here too"
            )
            plain = address.replace("https", "http")
            assert (await door.get("/api/conversations", {"Origin": plain.replace("127.0.0.1", "a.b")})).status == 403
            with pytest.raises(aiohttp.ClientError):
                await Door(plain, http).get("/api/health")


async def test_a_renewed_certificate_is_shown_after_a_reload(settings: Settings, files: Files) -> None:
    secured = replace(settings, tls_certificate=files.certificate, tls_key=files.key)
    reloaded = asyncio.Event()
    source = SettingsSource(lambda: secured, lambda _: reloaded.set())
    async with served_in_process(secured, source) as address:
        url = urlsplit(address)

        async def shown() -> str:
            return await asyncio.to_thread(ssl.get_server_certificate, (str(url.hostname), int(url.port or 0)))

        assert await shown() == files.certificate.read_text()
        make_files(files.certificate.parent)
        signal.raise_signal(signal.SIGHUP)
        await reloaded.wait()
        assert await shown() == files.certificate.read_text()


async def test_a_file_may_have_both(settings: Settings, files: Files) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    async with served_in_process(replace(settings, tls_certificate=files.certificate)) as address:
        assert address.startswith("https://")


async def test_what_is_set_wrongly_is_said_at_once(settings: Settings, files: Files) -> None:
    missing = files.key.with_name("missing.pem")
    for certificate, key, words in (
        (None, files.key, "without tls_certificate"),
        (missing, None, r"missing\.pem cannot be read"),
        (files.certificate, missing, r"missing\.pem cannot be read"),
        (files.certificate, None, "no certificate with its key"),
        (files.key, files.key, "no certificate with its key"),
        (files.certificate, files.locked_key, "without a password"),
    ):
        with pytest.raises(SettingsError, match=words):
            await serve(replace(settings, tls_certificate=certificate, tls_key=key), lambda _: None)
    assert not settings.data_dir.exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("host", "secured", "warned"), [("0.0.0.0", False, 1), ("0.0.0.0", True, 0), ("::1", False, 0)]
)
async def test_it_warns_loudly_without_tls(
    settings: Settings, files: Files, caplog: pytest.LogCaptureFixture, host: str, secured: bool, warned: int
) -> None:
    given = replace(settings, host=host, api_key=KEY, tls_certificate=files.certificate if secured else None)
    with caplog.at_level(logging.WARNING):
        async with served_in_process(replace(given, tls_key=files.key if secured else None)):
            pass
    assert len([record for record in caplog.records if "WITHOUT ENCRYPTION" in record.message]) == warned
