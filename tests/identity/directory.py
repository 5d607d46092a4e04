"""A directory: OpenLDAP's slapd on ports of its own, with people, groups and a certificate."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.identity.ldap import load_ldap3
from tests.network.https import Authority

BASE = "dc=house,dc=example"
ROOT = f"cn=admin,{BASE}"
ROOT_PASSWORD = "root secret"
READER = f"cn=reader,{BASE}"
READER_PASSWORD = "reader secret"
PROGRAM = shutil.which("slapd", path="/usr/sbin:/usr/libexec:/usr/local/libexec:/usr/bin:/usr/local/sbin")

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {certificate}
sizelimit size.soft=1000 size.pr=500 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by anonymous auth by * none
database mdb
suffix {base}
rootdn {root}
rootpw "{password}"
directory {folder}/data
maxsize 1073741824
overlay memberof
"""


@dataclass(frozen=True, slots=True)
class Directory:
    """Addresses of a running directory, and a connection that may change it."""

    url: str
    secure_url: str
    admin: Any

    def add(self, dn: str, kinds: Sequence[str], **values: object) -> None:
        self.admin.add(dn, list(kinds), values)

    def add_person(self, uid: str, name: str, mail: str, password: str) -> str:
        dn = f"uid={uid},ou=people,{BASE}"
        self.add(dn, ["inetOrgPerson"], cn=name, sn=name.split()[-1], mail=mail, userPassword=password)
        return dn

    def add_group(self, name: str, members: Sequence[str], unit: str = "groups") -> None:
        self.add(f"cn={name},ou={unit},{BASE}", ["groupOfNames"], member=list(members))


def big_group(members: int) -> str:
    """LDIF of a group that the overlay doesn't know of, as in a directory without it."""
    lines = [f"dn: cn=everybody,ou=groups,{BASE}", "objectClass: groupOfNames", "cn: everybody"]
    lines += [f"member: uid=person{number},ou=people,{BASE}" for number in range(members)]
    return "\n".join([*lines, f"member: uid=ada,ou=people,{BASE}"]) + "\n"


@contextmanager
def directory(folder: Path, authority: Authority, ldif: str = "") -> Generator[Directory]:
    """Run a directory whose people are `ada` and `bob`; `ldif` is added beneath its units before it starts."""
    assert PROGRAM is not None, "slapd is missing; install OpenLDAP (Debian: apt install slapd)"
    (folder / "data").mkdir(parents=True)
    settings = {"folder": folder, "certificate": authority.server, "base": BASE, "root": ROOT}
    file = folder / "slapd.conf"
    file.write_text(CONFIGURATION.format(**settings, password=ROOT_PASSWORD, reader=READER))
    units = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: House\ndc: house\n"]
    units += [
        f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n" for unit in ("people", "groups", "other")
    ]
    subprocess.run(
        [PROGRAM, "-T", "add", "-f", file], input="\n".join([*units, ldif]), text=True, check=True, capture_output=True
    )
    plain, secure = free_port(), free_port()
    urls = (f"ldap://localhost:{plain}", f"ldaps://localhost:{secure}")
    with subprocess.Popen([PROGRAM, "-f", file, "-h", " ".join(urls), "-d", "0"], stderr=subprocess.DEVNULL) as process:
        try:
            admin = _connect(urls[0], process)
            try:
                opened = Directory(*urls, admin)
                opened.add(READER, ["organizationalRole", "simpleSecurityObject"], userPassword=READER_PASSWORD)
                ada = opened.add_person("ada", "Ada L.", "ada@example.eu", "ada's secret")
                bob = opened.add_person("bob", "Bob (b*)", "bob@example.eu", "bob's secret")
                opened.add_group("staff", [ada, bob])
                opened.add_group("Labs\\, Paris", [ada])
                opened.add_group("boss", [bob], unit="other")
                yield opened
            finally:
                admin.unbind()
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _connect(url: str, process: subprocess.Popen[bytes]) -> Any:
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    while True:
        assert process.poll() is None, "slapd ended"
        with suppress(OSError), socket.create_connection(address):
            break
        time.sleep(0.02)
    ldap3 = load_ldap3()
    server = f"ldap://{address[0]}:{address[1]}"
    return ldap3.Connection(server, ROOT, ROOT_PASSWORD, auto_bind=True, raise_exceptions=True)
