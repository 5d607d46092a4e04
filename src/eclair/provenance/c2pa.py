"""Writes, signs and reads Content Credentials (C2PA). Neither calls anyone."""

from __future__ import annotations

import io
import mmap
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, Field, ValidationError

from eclair.provenance.certificates import KnownSigners, SigningCertificate
from eclair.provenance.provenance_report import PRODUCT, ContentCredentials, Origin, OriginKind, origin_kind
from eclair.sandbox.descriptors import open_input

_STORE = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
"""First bytes of a store of credentials."""

_SETTINGS: dict[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},
    "core": {"allowed_network_hosts": []},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_EXPIRED = "signingCredential.expired"
_HARMLESS = {"signingCredential.untrusted", _EXPIRED}
"""Problems with the signer, not with what was signed."""

MAX_NAME_CHARS = 200
"""Names from untrusted files are cut."""


class _Named(BaseModel):
    name: str = ""
    version: str = ""


class _Action(BaseModel):
    source: str = Field("", alias="digitalSourceType")
    agent: _Named | str | None = Field(None, alias="softwareAgent")

    @property
    def model(self) -> str:
        return self.agent.name if isinstance(self.agent, _Named) else self.agent or ""


class _Actions(BaseModel):
    actions: tuple[_Action, ...] = ()


class _Assertion(BaseModel):
    label: str = ""
    data: Any = None


class _Signature(BaseModel):
    issuer: str | None = None
    common_name: str | None = None
    serial: str = Field("", alias="cert_serial_number")


class _Manifest(BaseModel):
    assertions: tuple[_Assertion, ...] = ()
    claim_generator_info: tuple[_Named, ...] = ()
    signature_info: _Signature = _Signature.model_validate({})

    @property
    def actions(self) -> list[_Action]:
        told = [each.data for each in self.assertions if each.label.startswith("c2pa.actions")]
        return [action for data in told for action in _Actions.model_validate(data).actions]

    @property
    def how(self) -> OriginKind | None:
        said = {origin_kind(action.source) for action in self.actions}
        return next((each for each in ("created", "edited", "drawn") if each in said), None)


class _Failure(BaseModel):
    code: str


class _Results(BaseModel):
    failure: tuple[_Failure, ...] = ()


class _Validation(BaseModel):
    active: _Results = Field(_Results(), alias="activeManifest")


class _Store(BaseModel):
    """A store of credentials as the library reports it."""

    active_manifest: str = ""
    manifests: dict[str, _Manifest] = {}
    validation_results: _Validation = _Validation.model_validate({})
    validation_state: str = ""


class SigningFailed(Exception):
    """The certificate doesn't sign; the text is the library's reason."""


def sign(picture: bytes, media: str, origin: Origin, certificate: SigningCertificate) -> bytes:
    """Return the picture with signed credentials. Raises SigningFailed."""
    import c2pa  # pyright: ignore[reportMissingTypeStubs]  # 23 MB

    info = c2pa.C2paSignerInfo(certificate.algorithm.encode(), certificate.chain, certificate.key, None)
    context = c2pa.Context(settings=c2pa.Settings.from_dict(_SETTINGS))
    out = io.BytesIO()
    try:
        with (
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder.from_json(_manifest(origin), context=context) as builder,
        ):
            builder.sign(signer, media, io.BytesIO(picture), out)
    except c2pa.C2paError as error:
        raise SigningFailed(str(error)) from error
    return out.getvalue()


def read(path: Path, known: KnownSigners) -> ContentCredentials:
    """Read a file's credentials, and verify that it is still as it was signed."""
    found, serial = _read(path, known.authority)
    if found.trust != "unknown" or not known.issuers or serial != known.serial:
        return found
    # an issuer vouches for others too, but gives each number once
    given, _ = _read(path, known.issuers)
    return replace(found, trust=given.trust)


def _read(path: Path, anchors: str) -> tuple[ContentCredentials, str]:
    """Read a file's credentials, `own` if the anchors (PEM) vouch for the signer, and the signer's serial number."""
    import c2pa  # pyright: ignore[reportMissingTypeStubs]

    settings = {**_SETTINGS, "trust": {"user_anchors": anchors} if anchors else {}}
    context = c2pa.Context(settings=c2pa.Settings.from_dict(settings))
    try:
        with open_input(path) as file:
            reader = c2pa.Reader.try_create(None, file, context=context)
            if reader is None:
                return ContentCredentials("absent"), ""
            with reader:
                return _told(_Store.model_validate_json(reader.json()))
    except ValidationError:
        return ContentCredentials("altered", problems=("manifest.unreadable",)), ""
    except c2pa.C2paError as error:
        if str(error).startswith("Remote:"):
            return ContentCredentials("elsewhere"), ""
        if _holds_store(path):
            return ContentCredentials("altered", problems=("manifest.unreadable",)), ""
        return ContentCredentials("unread"), ""


def _manifest(origin: Origin) -> str:
    """Return the manifest to sign as JSON.

    An edited picture is a new one too. The picture that it was made from isn't named, since that may be private.
    """
    agent = {"name": origin.model}
    actions = [{"action": "c2pa.created", "digitalSourceType": origin.digital_source_type, "softwareAgent": agent}]
    if origin.how == "edited":
        actions.append(
            {"action": "c2pa.edited", "digitalSourceType": origin.digital_source_type, "softwareAgent": agent}
        )
    name, _, version = origin.tool.partition(" ")
    assert name == PRODUCT
    manifest = {
        "claim_generator_info": [{"name": name, "version": version}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    return orjson.dumps(manifest).decode()


def _told(store: _Store) -> tuple[ContentCredentials, str]:
    """Summarize a store, with the signer's serial number; its texts are untrusted.

    An ingredient's statement on AI holds for a part of the file.
    """
    active = store.manifests.get(store.active_manifest)
    if active is None:
        return ContentCredentials("altered", problems=("manifest.missing",)), ""
    others = [
        manifest.how in ("created", "edited")
        for label, manifest in store.manifests.items()
        if label != store.active_manifest
    ]
    problems = sorted({failure.code for failure in store.validation_results.active.failure})
    product = next(iter(active.claim_generator_info), _Named())
    trust = "own" if store.validation_state == "Trusted" else "unknown"
    told = ContentCredentials(
        "altered" if set(problems) - _HARMLESS else "found",
        active.how or ("edited" if any(others) else None),
        _short(active.signature_info.issuer or active.signature_info.common_name),
        "expired" if _EXPIRED in problems else trust,
        _short(f"{product.name} {product.version}"),
        _short(next((action.model for action in active.actions if action.model), "")),
        tuple(problems),
    )
    return told, active.signature_info.serial


def _short(text: str | None) -> str | None:
    shown = "".join(letter for letter in text or "" if letter.isprintable()).strip()
    return shown[:MAX_NAME_CHARS] or None


def _holds_store(path: Path) -> bool:
    with open_input(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(_STORE) >= 0
