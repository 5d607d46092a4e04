"""What signs marks: made here, renewed in time, or the owner's; and what is said where it cannot sign."""

from __future__ import annotations

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eclair.errors import SettingsError
from eclair.provenance.certificates import AUTHORITY, FOLDER, SIGNING, VALIDITY, Certificates
from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.settings import Settings
from tests.provenance.made import encoded, photo

MADE = Origin("created", "FLUX.1 schnell")
PICTURE = encoded(photo(64, 64))
YEAR = 365 * 86_400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def own(folder: Path, days: float = 100, curve: ec.EllipticCurve | None = None, begun: float = 1) -> Settings:
    """Settings with a certificate of one's own, which ends in so many days, and that of its issuer."""
    folder.mkdir(exist_ok=True)
    issuer = ec.generate_private_key(ec.SECP256R1())
    above = issued("Zertifikate", issuer, "Zertifikate", issuer, days=999, begun=99, authority=True)
    certificate, secret = folder / "own.pem", folder / "own.key"
    key = ec.generate_private_key(curve or ec.SECP384R1())
    leaf = issued("Stadtwerke", key, "Zertifikate", issuer, days=days, begun=begun)
    certificate.write_bytes(leaf + above)
    secret.write_bytes(pem(key))
    other = ec.generate_private_key(ec.SECP256R1())
    (folder / "other.pem").write_bytes(issued("Wasserwerk", other, "Zertifikate", issuer, days=9, begun=1) + above)
    (folder / "other.key").write_bytes(pem(other))
    return Settings(data_dir=folder / "data", mark_certificate=certificate, mark_key=secret)


def issued(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    days: float,
    begun: float,
    authority: bool = False,
) -> bytes:
    """A certificate as PEM."""
    now = datetime.now(UTC)
    signs, issues = not authority, authority
    built = (
        x509.CertificateBuilder(named(issuer), named(subject), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=begun))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(signs, False, False, False, False, issues, issues, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        built = built.add_extension(usage, critical=False)
    return built.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def named(organisation: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)])


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def test_what_is_made_is_for_its_owners_eyes(settings: Settings) -> None:
    certificates = Certificates.configured(settings)
    assert certificates.present() is None
    assert not settings.data_dir.exists(), "looking makes nothing"
    made = certificates.signing()
    assert made.ours
    folder = settings.data_dir / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {AUTHORITY: 0o600, SIGNING: 0o600}
    assert certificates.signing() == made
    text = x509.load_pem_x509_certificate(made.chain).subject.rfc4514_string()
    assert text.startswith("CN=Éclair marks")


def test_it_is_made_beside_the_keys_of_texts(settings: Settings) -> None:
    key = WatermarkKeys.configured(settings).current()
    made = Certificates.configured(settings).signing()
    assert Certificates.configured(settings).signing() == made
    assert Certificates.configured(settings).known().authority
    assert WatermarkKeys.configured(settings).current() == key


def test_many_processes_make_one(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [each.result() for each in [pool.submit(Certificates.configured(settings).signing) for _ in range(8)]]
    assert len({each.chain for each in found}) == 1
    assert [path.name for path in settings.data_dir.iterdir()] == [FOLDER]


def test_it_is_renewed_in_time_and_the_authority_stays(settings: Settings) -> None:
    first = Certificates.configured(settings).signing()
    authority = (settings.data_dir / FOLDER / AUTHORITY).read_bytes()
    later = time.time() + VALIDITY.total_seconds() - YEAR
    assert Certificates.configured(settings, lambda: later - YEAR).signing() == first
    renewed = Certificates.configured(settings, lambda: later + 86_400).signing()
    assert renewed.expires > first.expires
    assert renewed.key != first.key
    assert (settings.data_dir / FOLDER / AUTHORITY).read_bytes() == authority
    late = Certificates.configured(settings, lambda: later + 11 * YEAR)
    assert late.signing().expires > renewed.expires, "one that has expired too"


async def look(marks: Provenance, data: bytes, folder: Path) -> tuple[str, str | None, str | None]:
    path = folder / "file.png"
    path.write_bytes(data)
    found = (await marks.check(path, "file.png")).credentials
    return found.state, found.trust, found.signer


async def test_what_was_signed_before_a_renewal_is_still_known(settings: Settings, tmp_path: Path) -> None:
    marks = Provenance.configured(settings)
    before = await marks.mark(PICTURE, MADE)
    (settings.data_dir / FOLDER / SIGNING).unlink()
    shutil.copy(settings.data_dir / FOLDER / AUTHORITY, tmp_path / AUTHORITY)
    with pytest.raises(SettingsError, match="is not there, with which marks are signed; put it back"):
        await marks.mark(PICTURE, MADE)
    assert await look(marks, before, tmp_path) == ("found", "own", "Éclair")
    shutil.rmtree(settings.data_dir / FOLDER)
    await marks.mark(PICTURE, MADE)
    assert await look(marks, before, tmp_path) == ("found", "unknown", "Éclair"), "another authority's"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
async def test_the_owners_certificate_signs(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    settings = own(tmp_path, curve=curve)
    marks = Provenance.configured(settings)
    assert await look(marks, await marks.mark(PICTURE, MADE), tmp_path) == ("found", "own", "Stadtwerke")
    assert not (settings.data_dir / FOLDER).exists()


async def test_another_of_the_same_issuer_is_not_the_owner(tmp_path: Path) -> None:
    settings = own(tmp_path)
    other = replace(settings, mark_certificate=tmp_path / "other.pem", mark_key=tmp_path / "other.key")
    signed = await Provenance.configured(other).mark(PICTURE, MADE)
    assert await look(Provenance.configured(settings), signed, tmp_path) == ("found", "unknown", "Wasserwerk")


async def test_what_was_signed_here_is_known_after_the_owners_took_over(tmp_path: Path) -> None:
    settings = own(tmp_path)
    before = await Provenance.configured(Settings(data_dir=settings.data_dir)).mark(PICTURE, MADE)
    assert await look(Provenance.configured(settings), before, tmp_path) == ("found", "own", "Éclair")


async def test_a_signature_outlives_its_certificate(tmp_path: Path) -> None:
    settings = own(tmp_path, days=4 / 86_400)
    marks = Provenance.configured(settings)
    signed = await marks.mark(PICTURE, MADE)
    ends = x509.load_pem_x509_certificate((tmp_path / "own.pem").read_bytes()).not_valid_after_utc
    await asyncio.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1.1)  # the clock is the event
    assert await look(marks, signed, tmp_path) == ("found", "expired", "Stadtwerke")
    with pytest.raises(SettingsError, match=r"own.pem has expired on .*; renew it, so that images can be marked\.$"):
        await marks.mark(PICTURE, MADE)


async def test_what_cannot_sign_says_why(tmp_path: Path) -> None:
    settings = own(tmp_path)
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    good, secret = certificate.read_bytes(), key.read_bytes()

    async def why(changed: Settings = settings) -> str:
        with pytest.raises(SettingsError) as caught:
            await Provenance.configured(changed).mark(PICTURE, MADE)
        certificate.write_bytes(good)
        key.write_bytes(secret)
        assert caught.value.message.endswith(".")
        return caught.value.message

    assert "set mark_key too" in await why(replace(settings, mark_key=None))
    assert "set mark_certificate too" in await why(replace(settings, mark_certificate=None))
    certificate.write_text("nothing")
    assert "holds no certificate as PEM" in await why()
    key.write_text("nothing")
    assert "holds no key as PEM without a password" in await why()
    key.write_bytes(pem(ec.generate_private_key(ec.SECP384R1()), b"locked"))
    assert "holds no key as PEM without a password" in await why()
    key.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    assert "is not the key of" in await why()
    key.unlink()
    assert "is not there" in await why()
    assert "has expired on" in await why(own(tmp_path / "old", days=-1, begun=9))
    assert "is valid from" in await why(own(tmp_path / "new", days=9, begun=-2))
    assert "of a kind that C2PA does not sign with" in await why(own(tmp_path / "odd", curve=ec.SECP256K1()))
