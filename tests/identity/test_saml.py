"""SAML against a provider of ours: who is let in, and each forged or wrapped response that isn't."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eclair.errors import IdentityMisconfigured, IdentityUnverified, SettingsError, SignInDenied
from eclair.identity.saml import CLOCK_SKEW_S, SamlProvider, SamlReply
from eclair.identity.saml_metadata import write_metadata
from eclair.identity.saml_xml import etree, parse_xml, text_of
from eclair.identity_settings import SamlSettings
from tests.identity.saml_idp import CONSUMER, ENTITY, ISSUER, SIGN_IN, SamlIdp, encode, new_certificate, read_request

KEY, CERTIFICATE = new_certificate()
OTHER_KEY, OTHER_CERTIFICATE = new_certificate()


@pytest.fixture
def idp() -> SamlIdp:
    return SamlIdp(KEY, CERTIFICATE)


@pytest.fixture
def party(idp: SamlIdp, tmp_path: Path) -> SamlProvider:
    return open_party(idp, tmp_path)


def open_party(idp: SamlIdp, folder: Path, **settings: Any) -> SamlProvider:
    file = folder / "metadata.xml"
    file.write_text(idp.metadata())
    return SamlProvider.open("Firm", SamlSettings(kind="saml", metadata_file=file, **settings))


def read(party: SamlProvider, xml: str) -> SamlReply:
    return party.read(encode(xml), ENTITY, CONSUMER)


def test_a_request_says_where_the_reply_goes(party: SamlProvider) -> None:
    id, address = party.begin(ENTITY, CONSUMER)
    assert address.startswith(f"{SIGN_IN}?SAMLRequest=")
    request = read_request(address)
    assert request.get("ID") == id
    assert request.get("AssertionConsumerServiceURL") == CONSUMER
    assert text_of(request.find("{*}Issuer")) == ENTITY


@pytest.mark.parametrize("whole", [False, True])
def test_a_person_signs_in(idp: SamlIdp, party: SamlProvider, whole: bool) -> None:
    idp.attributes = {"mail": ["ada@example.eu"], "uid": ["ada"], "displayName": ["Ada &amp; L."]}
    xml = idp.sign(idp.response(idp.assertion())) if whole else idp.signed_response()
    reply = read(party, xml)
    identity = reply.identity
    assert reply.request == "_request"
    assert (identity.issuer, identity.subject) == (f"saml:{ISSUER}", "person-1")
    assert (identity.name, identity.display_name, identity.email) == ("ada", "Ada & L.", "ada@example.eu")
    assert (identity.email_verified, identity.groups, identity.provider_session) == (False, None, "s1")


def test_response_and_assertion_may_both_be_signed(idp: SamlIdp, party: SamlProvider) -> None:
    assert read(party, idp.sign(idp.signed_response())).identity.subject == "person-1"


def test_groups_and_roles_come_from_attributes(idp: SamlIdp, tmp_path: Path) -> None:
    idp.attributes = {"groups": ["staff", "boss"]}
    party = open_party(idp, tmp_path, groups_attribute="groups", roles={"admin": ("boss",)})
    identity = read(party, idp.signed_response()).identity
    assert (identity.groups, identity.role) == (("staff", "boss"), "admin")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"issuer": "https://evil.example"}, "another provider"),
        ({"audience": "https://other.example"}, "another program"),
        ({"audience": None}, "for whom"),
        ({"recipient": "https://other.example"}, "another address"),
        ({"destination": "https://other.example"}, "another address"),
        ({"request": None}, "asked for"),
        ({"ends": timedelta(seconds=-70), "begins": timedelta(minutes=-9)}, "expired"),
        ({"begins": timedelta(seconds=90)}, "future"),
        ({"ends": timedelta(days=2)}, "expired"),
    ],
)
def test_an_assertion_for_another_use_is_refused(
    idp: SamlIdp, party: SamlProvider, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(IdentityUnverified, match=sentence):
        read(party, replace(idp, **change).signed_response())


def test_clocks_may_differ_by_a_minute(idp: SamlIdp, party: SamlProvider) -> None:
    idp.begins, idp.ends = timedelta(seconds=40), timedelta(minutes=5)
    assert read(party, idp.signed_response())
    late = replace(idp, begins=timedelta(minutes=-9), ends=timedelta(seconds=-40), id="_late")
    assert read(party, late.signed_response())


def wrap(xml: str) -> tuple[Any, Any, Any]:
    """Return a response, its signed assertion, and a forged copy of that without the signature."""
    root = etree.fromstring(xml)
    assertion = root.find("{*}Assertion")
    assert assertion is not None
    forged = etree.fromstring(etree.tostring(assertion))
    signature, name = forged.find("{*}Signature"), forged.find("{*}Subject/{*}NameID")
    assert signature is not None
    assert name is not None
    forged.remove(signature)
    name.text = "admin"
    forged.set("ID", "_forged")
    return root, assertion, forged


def forged_before(root: Any, assertion: Any, forged: Any) -> None:
    root.insert(0, forged)


def forged_after(root: Any, assertion: Any, forged: Any) -> None:
    root.append(forged)


def original_in_extensions(root: Any, assertion: Any, forged: Any) -> None:
    root.replace(assertion, forged)
    etree.SubElement(root, "{urn:oasis:names:tc:SAML:2.0:protocol}Extensions").append(assertion)


def original_inside_forged(root: Any, assertion: Any, forged: Any) -> None:
    root.replace(assertion, forged)
    forged.append(assertion)


def original_in_object_of_signature(root: Any, assertion: Any, forged: Any) -> None:
    signature = assertion.find("{*}Signature")
    assert signature is not None
    assertion.remove(signature)
    root.replace(assertion, forged)
    forged.append(signature)
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(assertion)


def signature_at_forged(root: Any, assertion: Any, forged: Any) -> None:
    signature = assertion.find("{*}Signature")
    assert signature is not None
    forged.append(signature)
    root.insert(0, forged)


def same_id(root: Any, assertion: Any, forged: Any) -> None:
    forged.set("ID", assertion.get("ID", ""))
    root.insert(0, forged)


def other_namespace(root: Any, assertion: Any, forged: Any) -> None:
    forged.tag = "{urn:other}Assertion"
    root.insert(0, forged)


@pytest.mark.parametrize(
    "attack",
    [
        forged_before,
        forged_after,
        original_in_extensions,
        original_inside_forged,
        original_in_object_of_signature,
        signature_at_forged,
        same_id,
        other_namespace,
    ],
)
def test_a_wrapped_signature_is_refused(
    idp: SamlIdp, party: SamlProvider, attack: Callable[[Any, Any, Any], None]
) -> None:
    root, assertion, forged = wrap(idp.signed_response())
    honest = etree.tostring(root).decode()
    attack(root, assertion, forged)
    with pytest.raises(IdentityUnverified):
        read(party, etree.tostring(root).decode())
    assert read(party, honest).identity.subject == "person-1"


def unsigned(idp: SamlIdp) -> str:
    return idp.response(idp.assertion())


def other_key(idp: SamlIdp) -> str:
    return replace(idp, key=OTHER_KEY, certificate=OTHER_CERTIFICATE).signed_response()


def other_key_under_our_certificate(idp: SamlIdp) -> str:
    xml = other_key(idp)
    theirs, ours = ("".join(text.split("\n")[1:-2]) for text in (OTHER_CERTIFICATE, CERTIFICATE))
    compact = "".join(xml.split("\n")) if theirs not in xml else xml
    assert theirs in compact
    return compact.replace(theirs, ours)


def changed_subject(idp: SamlIdp) -> str:
    return idp.signed_response().replace("person-1", "admin")


def cut_signature(idp: SamlIdp) -> str:
    xml = idp.signed_response()
    start = xml.index("<ds:SignatureValue>") + len("<ds:SignatureValue>")
    return xml[:start] + xml[xml.index("</ds:SignatureValue>") :]


def signed_elsewhere(idp: SamlIdp) -> str:
    """The signature covers an element of no consequence."""
    extension = idp.sign(f'<x ID="_x">{idp.assertion()}</x>')
    return idp.response(idp.assertion()).replace("<samlp:Status>", f"{extension}<samlp:Status>")


def hmac_by_certificate(idp: SamlIdp) -> str:
    xml = idp.signed_response()
    return xml.replace("2001/04/xmldsig-more#rsa-sha256", "2001/04/xmldsig-more#hmac-sha256")


def old_digest(idp: SamlIdp) -> str:
    return idp.signed_response().replace("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1")


def document_type(idp: SamlIdp) -> str:
    return f"<!DOCTYPE x>{idp.signed_response()}"


def entity(idp: SamlIdp) -> str:
    xml = idp.signed_response().replace("person-1", "&who;")
    return f'<!DOCTYPE x [<!ENTITY who "person-1">]>{xml}'


def entity_bomb(idp: SamlIdp) -> str:
    bomb = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f"<!DOCTYPE x [{bomb}]>{idp.signed_response().replace('person-1', '&a11;')}"


def file_entity(idp: SamlIdp) -> str:
    xml = idp.signed_response().replace("person-1", "&file;")
    return f'<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>{xml}'


def no_xml(_: SamlIdp) -> str:
    return "<samlp:Response"


def only_an_assertion(idp: SamlIdp) -> str:
    return idp.sign(idp.assertion())


def transform(idp: SamlIdp) -> str:
    return idp.signed_response().replace(
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xpath-19991116"
    )


@pytest.mark.parametrize(
    "forge",
    [
        *(unsigned, other_key, other_key_under_our_certificate, changed_subject, cut_signature, signed_elsewhere),
        *(hmac_by_certificate, old_digest, document_type, entity, entity_bomb, file_entity, no_xml, only_an_assertion),
        transform,
    ],
)
def test_a_forged_response_is_refused(idp: SamlIdp, party: SamlProvider, forge: Callable[[SamlIdp], str]) -> None:
    begun = time.monotonic()
    with pytest.raises(IdentityUnverified):
        read(party, forge(idp))
    assert time.monotonic() - begun < 5
    assert read(party, idp.signed_response()).identity.subject == "person-1"


def test_a_comment_does_not_shorten_a_name(idp: SamlIdp, party: SamlProvider) -> None:
    idp.subject = "admin<!-- -->.evil"
    assert read(party, idp.signed_response()).identity.subject == "admin.evil"
    plain = replace(idp, subject="admin.evil", id="_second").signed_response()
    assert read(party, plain.replace("admin.evil", "admin<!-- -->.evil")).identity.subject == "admin.evil"


def test_an_assertion_is_known_again(idp: SamlIdp, party: SamlProvider) -> None:
    first, whole = read(party, idp.signed_response()), read(party, idp.sign(idp.response(idp.assertion())))
    assert first.assertion == whole.assertion == idp.id
    assert first.expires == pytest.approx(time.time() + idp.ends.total_seconds() + CLOCK_SKEW_S, abs=30)
    assert read(party, replace(idp, id="_second").signed_response()).assertion == "_second"


def test_the_provider_may_say_no(idp: SamlIdp, party: SamlProvider) -> None:
    idp.status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    with pytest.raises(SignInDenied, match="Firm"):
        read(party, idp.response(""))


def test_what_is_wrong_with_a_provider_is_said(idp: SamlIdp, party: SamlProvider, tmp_path: Path) -> None:
    idp.format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    with pytest.raises(IdentityMisconfigured, match="persistent"):
        read(party, idp.signed_response())
    with pytest.raises(IdentityMisconfigured, match="encrypts"):
        read(party, idp.response("<saml:EncryptedAssertion/>"))
    idp.attributes = {"employeeNumber": ["77"]}
    other = open_party(idp, tmp_path, subject_attribute="employeeNumber")
    assert read(other, idp.signed_response()).identity.subject == "77"
    key, certificate = new_certificate(timedelta(days=-1))
    expired = SamlIdp(key, certificate)
    with pytest.raises(IdentityUnverified, match="expired"):
        read(open_party(expired, tmp_path), expired.signed_response())


def test_metadata_that_is_none_is_refused(idp: SamlIdp, tmp_path: Path) -> None:
    file = tmp_path / "metadata.xml"
    settings = SamlSettings(kind="saml", metadata_file=file)
    with pytest.raises(SettingsError, match="cannot be read"):
        SamlProvider.open("Firm", settings)
    for text in ("no xml", "<x/>", "<!DOCTYPE x>" + idp.metadata(), idp.metadata().replace("X509Certificate", "Y")):
        file.write_text(text)
        with pytest.raises(SettingsError, match=r"Firm|provider"):
            SamlProvider.open("Firm", settings)
    with pytest.raises(SettingsError, match="groups_attribute"):
        open_party(idp, tmp_path, allowed_groups=("staff",))


def test_our_metadata_names_our_addresses() -> None:
    root = parse_xml(write_metadata('a"&b', CONSUMER))
    assert root.get("entityID") == 'a"&b'
    service = root.find("{*}SPSSODescriptor/{*}AssertionConsumerService")
    assert service is not None
    assert service.get("Location") == CONSUMER
