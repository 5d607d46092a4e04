"""LDAP: looks people up in a directory, checks their password by a bind as them, and reads their groups.

ldap3 is an extra, and blocks: it runs in threads. Each look-up passes the outbound gate.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import uuid
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from eclair.errors import IdentityMisconfigured, IdentityUnavailable, Refused, SettingsError, SignInDenied
from eclair.identity.admission import admit
from eclair.identity_settings import LdapSettings
from eclair.network.client import CallContext, OutboundGate, is_loopback_url
from eclair.schema.people import ProvidedIdentity
from eclair.schema.principal import LOCAL_PRINCIPAL

CONNECT_TIMEOUT_S = 5
REPLY_TIMEOUT_S = 10
MAX_LOOKUPS = 4
"""Look-ups at the same time: each holds a thread."""
MAX_GROUPS = 10_000
GROUPS_PER_PAGE = 500

SUBJECTS = ("entryUUID", "objectGUID", "ipaUniqueID", "nsUniqueId")
"""Attributes that name an entry for good, whatever becomes of its name."""
_ATTRIBUTES = (*SUBJECTS, "uid", "sAMAccountName", "cn", "displayName", "mail", "memberOf")
_ALL_MEMBERS = "(|(member={dn})(uniqueMember={dn}))"
_AD_FAULT = re.compile(r"\bdata ([0-9a-f]{2,4})\b")
_AD_SENTENCES = {
    "530": "the account may not be used at this hour; ask your administrator",
    "531": "the account may be used on some machines alone; ask your administrator",
    "532": "the password has expired; change it where you usually do",
    "773": "the password must be changed first; do so where you usually do",
    "533": "the account is disabled; ask your administrator",
    "701": "the account has expired; ask your administrator",
    "775": "the account is locked; ask your administrator",
}

FoundT = TypeVar("FoundT")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An entry: its distinguished name, and the values of its attributes by their names in lower case."""

    dn: str
    values: dict[str, list[bytes]]

    def first(self, *names: str) -> str | None:
        """Return the first value of the first attribute that has one."""
        found = (self.values.get(name.lower()) for name in names)
        return next((values[0].decode("utf-8", "replace") for values in found if values), None)


class LdapDirectory:
    """One directory, as the settings describe it. `name` is for people to read."""

    def __init__(self, name: str, settings: LdapSettings, password: str | None, gate: OutboundGate) -> None:
        if find_spec("ldap3") is None:
            raise SettingsError(f"{name} speaks LDAP, for which a package is missing; install `eclair[ldap]`.")
        for filter, field in ((settings.user_filter, "{name}"), (settings.group_filter or "{dn}", "{dn}")):
            if field not in filter:
                raise SettingsError(f"A filter of {name} lacks {field}; add it where the {field[1:-1]} belongs.")
        url = urlsplit(settings.url)
        self._is_encrypted = url.scheme == "ldaps"
        if not self._is_encrypted and not settings.start_tls and not is_loopback_url(settings.url):
            raise SettingsError(f"{name} would get passwords unencrypted; use ldaps:// or leave `start_tls` on.")
        self.name = name
        self.settings = settings
        self._host = url.hostname or ""
        self._port = url.port or (636 if self._is_encrypted else 389)
        self._url = f"{url.scheme}://{url.hostname}:{self._port}"
        self._password = password
        self._gate = gate
        self._slots = asyncio.Semaphore(MAX_LOOKUPS)

    async def check(self, name: str, password: str) -> ProvidedIdentity | None:
        """Return who has a name and password; None where the directory knows no such person or password.

        Raises SignInDenied, NotAdmitted, IdentityUnavailable and IdentityMisconfigured.
        """
        if not name or not password:  # a bind without a password succeeds, as nobody
            return None
        return await self._call(partial(self._look_up, name, password))

    async def probe(self) -> None:
        """Bind and search as for a sign-in. Raises IdentityUnavailable and IdentityMisconfigured."""
        await self._call(self._try_search)

    async def _call(self, look_up: Callable[[], FoundT]) -> FoundT:
        """Run a look-up in a thread, past the gate."""
        async with self._slots:
            try:
                call = self._gate.begin("LDAP", self._url, CallContext(LOCAL_PRINCIPAL, "identity"))
            except Refused as error:
                raise IdentityMisconfigured(f"{self.name} can't be asked: {error.message}") from error
            if call is None:
                return await asyncio.to_thread(look_up)
            await self._gate.store(call)
            fault: str | None = "The look-up broke off."
            try:
                found = await asyncio.to_thread(look_up)
                fault = None
            except (IdentityUnavailable, IdentityMisconfigured) as error:
                fault = error.message
                raise
            except SignInDenied:
                fault = None
                raise
            finally:
                self._gate.end(call, fault)
            return found

    def _try_search(self) -> None:
        ldap3 = load_ldap3()
        try:
            with self._open(ldap3, self.settings.bind_dn, self._password) as connection:
                self._find_person(ldap3, connection, "nobody-of-this-name")
        except ldap3.core.exceptions.LDAPException as error:
            raise self._explain(ldap3, error) from error

    def _look_up(self, name: str, password: str) -> ProvidedIdentity | None:
        ldap3 = load_ldap3()
        try:
            with self._open(ldap3, self.settings.bind_dn, self._password) as connection:
                entry = self._find_person(ldap3, connection, name)
                if entry is None or not self._is_password(ldap3, entry.dn, password):
                    return None
                groups = self._find_groups(ldap3, connection, entry)
        except ldap3.core.exceptions.LDAPException as error:
            raise self._explain(ldap3, error) from error
        return self._identify(entry, name, groups)

    @contextmanager
    def _open(self, ldap3: ModuleType, user: str | None, password: str | None) -> Generator[Any]:
        """Open a connection, encrypted and bound, and close it at the end. Raises LDAPException."""
        encrypts = not self._is_encrypted and self.settings.start_tls
        tls = ldap3.Tls()
        tls.wrap_socket = partial(_encrypt, self._tls_context(), self._host)
        server = ldap3.Server(
            self._host,
            port=self._port,
            use_ssl=self._is_encrypted,
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=CONNECT_TIMEOUT_S,
        )
        connection = ldap3.Connection(
            server,
            user,
            password,
            receive_timeout=REPLY_TIMEOUT_S,
            auto_referrals=False,  # else passwords would go to servers that nobody chose
            read_only=True,
            raise_exceptions=True,
        )
        connection.strategy._open_socket = partial(_open_socket, connection, connection.strategy._open_socket)
        try:
            connection.open(read_server_info=False)
            if encrypts:
                connection.start_tls(read_server_info=False)
            connection.bind(read_server_info=False)
            yield connection
        finally:
            with suppress(ldap3.core.exceptions.LDAPException):
                connection.unbind()
            if connection.socket is not None:
                connection.socket.close()

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.settings.ca_file is not None:
            context.load_verify_locations(cafile=self.settings.ca_file.expanduser())
        return context

    def _is_password(self, ldap3: ModuleType, dn: str, password: str) -> bool:
        try:
            with self._open(ldap3, dn, password):
                return True
        except ldap3.core.exceptions.LDAPInvalidCredentialsResult as error:
            fault = _AD_FAULT.search(str(error.message))
            if fault is not None and fault[1] in _AD_SENTENCES:
                raise SignInDenied(f"{self.name} says that {_AD_SENTENCES[fault[1]]}.") from error
            return False

    def _find_person(self, ldap3: ModuleType, connection: Any, name: str) -> DirectoryEntry | None:
        """Return the one entry with a name; two of them are nobody."""
        filter = self.settings.user_filter.replace("{name}", _escape(ldap3, name))
        found = self._search(ldap3, connection, self.settings.base_dn, filter, _ATTRIBUTES)
        if len(found) > 1:
            log.warning("%s has several people of one name; make `user_filter` or `base_dn` narrower", self.name)
        return found[0] if len(found) == 1 else None

    def _find_groups(self, ldap3: ModuleType, connection: Any, entry: DirectoryEntry) -> list[str]:
        """Return the distinguished names of a person's groups, without reading who else is in them."""
        found = [value.decode("utf-8", "replace") for value in entry.values.get("memberof", [])]
        is_cut = any(name.startswith("memberof;") for name in entry.values)  # Active Directory: more than 1,500
        filter = self.settings.group_filter or (_ALL_MEMBERS if is_cut else None)
        base = self.settings.group_base_dn or self.settings.base_dn
        if filter is not None:
            filter = filter.replace("{dn}", _escape(ldap3, entry.dn))
            found += [group.dn for group in self._search(ldap3, connection, base, filter, ("cn",), all=True)]
        beneath = self.settings.group_base_dn
        if beneath is not None:
            found = [dn for dn in found if fold_dn(dn).endswith(f",{fold_dn(beneath)}")]
        return list({fold_dn(dn): dn for dn in found}.values())

    def _search(
        self,
        ldap3: ModuleType,
        connection: Any,
        base: str,
        filter: str,
        attributes: Sequence[str],
        *,
        all: bool = False,
    ) -> list[DirectoryEntry]:
        """Return the first two entries that a filter finds, or all, up to `MAX_GROUPS`."""
        options = {"search_scope": ldap3.SUBTREE, "attributes": list(attributes), "time_limit": REPLY_TIMEOUT_S}
        try:
            if all:
                pages = connection.extend.standard.paged_search(
                    base, filter, paged_size=GROUPS_PER_PAGE, generator=True, **options
                )
                rows = [row for row, _ in zip(pages, range(MAX_GROUPS), strict=False)]
            else:
                connection.search(base, filter, size_limit=2, **options)
                rows = connection.response
        except ldap3.core.exceptions.LDAPSizeLimitExceededResult:
            rows = connection.response
        return [
            DirectoryEntry(
                row["dn"],
                {name.lower(): [bytes(each) for each in values] for name, values in row["raw_attributes"].items()},
            )
            for row in rows or ()
            if row["type"] == "searchResEntry"
        ]

    def _identify(self, entry: DirectoryEntry, name: str, groups: list[str]) -> ProvidedIdentity:
        subject = _read_subject(entry)
        if subject is None:
            raise IdentityMisconfigured(
                f"{self.name} has no unchanging name for you; let its account read {', '.join(SUBJECTS[:2])}."
            )
        email = entry.first("mail")
        account = entry.first("sAMAccountName", "uid") or name
        common_names = {_common_name(group) for group in groups}
        identity = ProvidedIdentity(
            issuer=f"ldap:{self._host}",
            subject=subject,
            name=account,
            display_name=entry.first("displayName", "cn") or account,
            email=email,
            email_verified=email is not None and self.settings.verified_emails,
            groups=tuple(dict.fromkeys(map(_common_name, groups))),
            used_second_step=self.settings.trust_second_step,
        )
        return admit(self.name, self.settings, identity, {*groups, *common_names}, fold_dn)

    def _explain(self, ldap3: ModuleType, error: Exception) -> Exception:
        faults = ldap3.core.exceptions
        if isinstance(error, faults.LDAPInvalidCredentialsResult | faults.LDAPBindError):
            return IdentityMisconfigured(f"{self.name} refuses Éclair; check `bind_dn` and the password to it.")
        if isinstance(
            error, faults.LDAPNoSuchObjectResult | faults.LDAPInvalidFilterError | faults.LDAPInvalidDNSyntaxResult
        ):
            return IdentityMisconfigured(f"{self.name} can't be searched ({error}); check `base_dn` and `user_filter`.")
        if isinstance(error, faults.LDAPStrongerAuthRequiredResult | faults.LDAPConfidentialityRequiredResult):
            return IdentityMisconfigured(
                f"{self.name} wants an encrypted connection and a bind; check `url` and `bind_dn`."
            )
        if isinstance(error, faults.LDAPOperationsErrorResult) and self.settings.bind_dn is None:
            return IdentityMisconfigured(f"{self.name} lets nobody search without a name; set `bind_dn`.")
        if isinstance(error, faults.LDAPInsufficientAccessRightsResult):
            return IdentityMisconfigured(f"{self.name} doesn't let Éclair search; check the rights of `bind_dn`.")
        return IdentityUnavailable(f"{self.name} can't be reached ({_first_line(error)}); try again later.")


def _open_socket(connection: Any, opening: Callable[..., None], *arguments: Any, **options: Any) -> None:
    """Connect to one of a host's addresses, and leave no socket open where that fails: ldap3 tries the next one."""
    try:
        opening(*arguments, **options)
    except Exception:
        if connection.socket is not None:
            connection.socket.close()
        raise


def _encrypt(context: ssl.SSLContext, host: str, connection: Any, do_handshake: bool = False) -> None:
    """Encrypt a connection by the rules of Python, in place of those of ldap3."""
    connection.socket = context.wrap_socket(connection.socket, server_hostname=host)


def fold_dn(name: str) -> str:
    """Return a name of a group such that equal ones are equal: case and spaces around commas don't count."""
    return re.sub(r" ?([,=]) ?", r"\1", name).casefold()


def _common_name(dn: str) -> str:
    """Return the first part of a distinguished name, without its type and escapes."""
    first = re.split(r"(?<!\\),", dn, maxsplit=1)[0].partition("=")[2]
    return re.sub(r"\\([^0-9A-Fa-f])", r"\1", re.sub(r"(?:\\[0-9A-Fa-f]{2})+", _unescape, first))


def _unescape(escaped: re.Match[str]) -> str:
    return bytes.fromhex(escaped[0].replace("\\", "")).decode("utf-8", "replace")


def _read_subject(entry: DirectoryEntry) -> str | None:
    guid = entry.values.get("objectguid")
    if guid and len(guid[0]) == 16:
        return str(uuid.UUID(bytes_le=guid[0]))
    return entry.first(*SUBJECTS)


def _escape(ldap3: ModuleType, text: str) -> str:
    escape: Callable[[str], str] = ldap3.utils.conv.escape_filter_chars
    return escape(text)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def load_ldap3() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ldap3 of 2021 uses old names of pyasn1
        ldap3 = import_module("ldap3")
        import_module("ldap3.core.exceptions")
        import_module("ldap3.utils.conv")
    return ldap3
