"""SAML 2.0: a service provider of a strict profile, by which people sign in.

Requests go by HTTP-Redirect and aren't signed; responses come by HTTP-POST, were asked for, and hold one assertion that
isn't encrypted. Nothing is read but the element that the verifier returned as signed. signxml is an extra.
"""

from __future__ import annotations

import base64
import secrets
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

from eclair.errors import IdentityMisconfigured, IdentityUnverified, SettingsError, SignInDenied
from eclair.identity.admission import admit, has_second_step
from eclair.identity.saml_metadata import POST_BINDING, PROTOCOL, SamlIssuer, read_metadata
from eclair.identity.saml_signatures import find_signed
from eclair.identity.saml_xml import SamlElement, parse_xml, text_of
from eclair.identity_settings import SamlSettings
from eclair.schema.ids import Clock
from eclair.schema.people import ProvidedIdentity

ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
RESPONSE = f"{{{PROTOCOL}}}"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"

METHODS_ATTRIBUTE = "http://schemas.microsoft.com/claims/authnmethodsreferences"

MAX_RESPONSE_BYTES = 1 << 20
CLOCK_SKEW_S = 60
MAX_VALIDITY_S = 86_400
"""Longest time for which an assertion may count, since it is remembered for as long."""

_NAMES = ("urn:oid:0.9.2342.19200300.100.1.1", "uid", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name")
_DISPLAY_NAMES = (
    "urn:oid:2.16.840.1.113730.3.1.241",
    "displayName",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.5.4.3",
    "cn",
)
_EMAILS = (
    "urn:oid:0.9.2342.19200300.100.1.3",
    "mail",
    "email",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)


@dataclass(frozen=True, slots=True)
class SamlReply:
    """The identity that an assertion states, and the request that it answers.

    It counts once: who lets somebody in by it remembers its id until it `expires`, in seconds since 1970.
    """

    request: str
    identity: ProvidedIdentity
    assertion: str
    expires: float


class SamlProvider:
    """One identity provider, as the settings describe it. `name` is for people to read."""

    def __init__(self, name: str, settings: SamlSettings, issuer: SamlIssuer, clock: Clock = time.time) -> None:
        if settings.needs_groups and settings.groups_attribute is None:
            raise SettingsError(
                f"{name} has `allowed_groups` or `roles`, but no attribute that tells groups; set `groups_attribute`."
            )
        self.name = name
        self.settings = settings
        self._issuer = issuer
        self._clock = clock

    @classmethod
    def open(cls, name: str, settings: SamlSettings, clock: Clock = time.time) -> SamlProvider:
        """Read the provider's metadata. Blocks. Raises SettingsError."""
        if find_spec("signxml") is None:
            raise SettingsError(f"{name} speaks SAML, for which a package is missing; install `eclair[saml]`.")
        return cls(name, settings, read_metadata(name, settings.metadata_file.expanduser()), clock)

    @property
    def expires(self) -> float:
        """The moment until which the provider's metadata and one of its certificates count."""
        return self._issuer.expires

    def begin(self, entity_id: str, consumer_url: str) -> tuple[str, str]:
        """Return the id of a request, and the address at the provider to which a browser is sent with it."""
        id = f"_{secrets.token_hex(20)}"
        moment = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        request = (
            f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION[1:-1]}" ID="{id}" Version="2.0" '
            f'IssueInstant="{moment}" Destination={quoteattr(self._issuer.sign_in_url)} '
            f'ProtocolBinding="{POST_BINDING}" AssertionConsumerServiceURL={quoteattr(consumer_url)}>'
            f"<saml:Issuer>{escape(entity_id)}</saml:Issuer></samlp:AuthnRequest>"
        )
        deflated = zlib.compress(request.encode(), wbits=-15)
        address = self._issuer.sign_in_url
        query = urlencode({"SAMLRequest": base64.b64encode(deflated).decode()})
        return id, f"{address}{'&' if urlsplit(address).query else '?'}{query}"

    def read(self, encoded: str, entity_id: str, consumer_url: str) -> SamlReply:
        """Return what a response says. Blocks for some milliseconds.

        Raises IdentityUnverified, IdentityMisconfigured, SignInDenied and NotAdmitted.
        """
        try:
            root = parse_xml(base64.b64decode(encoded[: 2 * MAX_RESPONSE_BYTES], validate=False))
        except ValueError as error:
            raise IdentityUnverified(f"The response can't be read: {error}.") from None
        self._check_envelope(root, consumer_url)
        assertion = find_signed(root, self._issuer.certificates)
        return self._read_assertion(assertion, entity_id, consumer_url)

    def _check_envelope(self, root: SamlElement, consumer_url: str) -> None:
        """Refuse what the response itself says is wrong. It may be unsigned, so nothing in it can let anybody in."""
        if root.tag != f"{RESPONSE}Response":
            raise IdentityUnverified("The response is none of SAML.")
        status = root.find(f"{RESPONSE}Status/{RESPONSE}StatusCode")
        if status is None or status.get("Value") != SUCCESS:
            raise SignInDenied(f"{self.name} didn't let you in, or you stopped; try again.")
        if root.get("Destination") not in (None, consumer_url):
            raise IdentityUnverified("The response was sent to another address than Éclair's.")
        if next(root.iter(f"{ASSERTION}EncryptedAssertion", f"{ASSERTION}EncryptedID"), None) is not None:
            raise IdentityMisconfigured(f"{self.name} encrypts what it says, over https already; switch that off.")

    def _read_assertion(self, assertion: SamlElement, entity_id: str, consumer_url: str) -> SamlReply:
        now = self._clock()
        if text_of(assertion.find(f"{ASSERTION}Issuer")) != self._issuer.entity_id:
            raise IdentityUnverified("The assertion was made by another provider.")
        subject = _only(assertion, "Subject")
        request, until = self._check_confirmation(subject, consumer_url, now)
        conditions = _only(assertion, "Conditions")
        _check_times(conditions, now)
        for restriction in conditions.findall(f"{ASSERTION}AudienceRestriction"):
            if entity_id not in map(text_of, restriction.findall(f"{ASSERTION}Audience")):
                raise IdentityUnverified("The assertion was made for another program than Éclair.")
        if conditions.find(f"{ASSERTION}AudienceRestriction") is None:
            raise IdentityUnverified("The assertion doesn't say for whom it was made.")
        statement = _only(assertion, "AuthnStatement")
        _check_times(statement, now, until="SessionNotOnOrAfter")
        attributes = _read_attributes(assertion)
        context = text_of(statement.find(f"{ASSERTION}AuthnContext/{ASSERTION}AuthnContextClassRef"))
        ways = (context, *attributes.get(METHODS_ATTRIBUTE, ()))
        identity = self._identify(subject, attributes, statement.get("SessionIndex"))
        identity = replace(identity, used_second_step=has_second_step(self.settings, ways))
        id = assertion.get("ID")
        if not id:
            raise IdentityUnverified("The assertion has no id, by which it could be known again.")
        return SamlReply(request, identity, id, until + CLOCK_SKEW_S)

    def _check_confirmation(self, subject: SamlElement, consumer_url: str, now: float) -> tuple[str, float]:
        """Return the request that is answered, and until when that counts."""
        for confirmation in subject.findall(f"{ASSERTION}SubjectConfirmation"):
            data = confirmation.find(f"{ASSERTION}SubjectConfirmationData")
            if confirmation.get("Method") != BEARER or data is None or data.get("NotBefore") is not None:
                continue
            until, request = _moment(data.get("NotOnOrAfter")), data.get("InResponseTo")
            if until is None or not request or data.get("Recipient") != consumer_url:
                continue
            if not now - CLOCK_SKEW_S < until <= now + MAX_VALIDITY_S:
                raise IdentityUnverified("The assertion has expired; check that both clocks are right.")
            return request, until
        raise IdentityUnverified("The assertion wasn't asked for, or was sent to another address than Éclair's.")

    def _identify(
        self, subject: SamlElement, attributes: Mapping[str, tuple[str, ...]], session: str | None
    ) -> ProvidedIdentity:
        settings = self.settings
        name_id = subject.find(f"{ASSERTION}NameID")
        identifier = _first(attributes, (settings.subject_attribute,)) if settings.subject_attribute else None
        if settings.subject_attribute is None and name_id is not None and name_id.get("Format") != TRANSIENT:
            identifier = text_of(name_id)
        if not identifier or len(identifier) > 255:
            raise IdentityMisconfigured(
                f"{self.name} has no unchanging name for you; have it send a persistent NameID, or set "
                "`subject_attribute`."
            )
        email = _first(attributes, (settings.email_attribute,) if settings.email_attribute else _EMAILS)
        name = _first(attributes, (settings.name_attribute,) if settings.name_attribute else _NAMES)
        groups = None if settings.groups_attribute is None else attributes.get(settings.groups_attribute, ())
        identity = ProvidedIdentity(
            issuer=f"saml:{self._issuer.entity_id}",
            subject=identifier,
            name=name or email or identifier,
            display_name=_first(attributes, _DISPLAY_NAMES) or name or email or identifier,
            email=email,
            email_verified=email is not None and settings.verified_emails,
            groups=groups,
            provider_session=session,
        )
        return admit(self.name, settings, identity, groups or ())


def _only(parent: SamlElement, name: str) -> SamlElement:
    found = parent.findall(f"{ASSERTION}{name}")
    if len(found) != 1:
        raise IdentityUnverified(f"The assertion has {len(found)} elements {name} in place of one.")
    return found[0]


def _read_attributes(assertion: SamlElement) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.findall(f"{ASSERTION}AttributeStatement/{ASSERTION}Attribute"):
        texts = (text_of(value) for value in attribute.findall(f"{ASSERTION}AttributeValue"))
        values = [text for text in texts if text]
        for name in filter(None, {attribute.get("Name"), attribute.get("FriendlyName")}):
            found[name] = (*found.get(name, ()), *values)
    return found


def _first(attributes: Mapping[str, tuple[str, ...]], names: tuple[str, ...]) -> str | None:
    return next((attributes[name][0][:300] for name in names if attributes.get(name)), None)


def _check_times(element: SamlElement, now: float, until: str = "NotOnOrAfter") -> None:
    begin, end = _moment(element.get("NotBefore")), _moment(element.get(until))
    if begin is not None and begin > now + CLOCK_SKEW_S:
        raise IdentityUnverified("The assertion is of the future; check that both clocks are right.")
    if end is not None and end <= now - CLOCK_SKEW_S:
        raise IdentityUnverified("The assertion has expired; check that both clocks are right.")


def _moment(text: str | None) -> float | None:
    """Return a time in UTC, which must be readable where there is one."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise IdentityUnverified("The assertion has a time that can't be read.") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
