"""The compose files: their parts agree with each other, with the settings and with the commands."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from starlette.datastructures import Headers

from eclair.cli._arguments import parse
from eclair.server.client_address import ClientAddresses
from eclair.settings import Settings, load
from eclair.storage.postgres.database import MAX_CONNECTIONS
from tests.postgres import TestDatabases, databases
from tests.support import serving

__all__ = ["databases"]

FOLDER = Path(__file__).parent.parent / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("eclair-1", "eclair-2", "worker")
DATA = "/var/lib/eclair"
RESERVED_CONNECTIONS = 4
"""For PostgreSQL's administrator, and a backup."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as `secrets.sh` leaves it."""
    folder = tmp_path_factory.mktemp("compose") / "compose"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".env", "secrets"))
    subprocess.run([folder / "secrets.sh", "ai.example.org"], check=True)
    return folder


def filled(text: str, found: dict[str, str]) -> str:
    """Return a value with its variables, or their defaults, in place."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?[^}]*\}", lambda match: found.get(match[1]) or match[2] or "", text)


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_secrets_are_written_once_and_name_what_is_needed(written: Path) -> None:
    found = variables(written)
    used = {name for name, default in re.findall(r"\$\{(\w+)(:-[^}]*)?", TEXT) if not default}
    assert used == found.keys()
    for secret in COMPOSE["secrets"].values():
        assert (written / secret["file"]).stat().st_mode & 0o777 == 0o444
    password = (written / "secrets" / "database_password").read_text()
    assert (written / "secrets" / "database_url").read_text() == f"postgresql://eclair:{password}@postgres/eclair"
    again = subprocess.run([written / "secrets.sh", "ai.example.org"], capture_output=True, check=False, text=True)
    assert again.returncode == 1
    assert "there already" in again.stderr
    assert variables(written) == found


@pytest.mark.parametrize("name", OURS)
def test_settings_are_read_as_they_are_written(name: str, written: Path, tmp_path: Path) -> None:
    found = variables(written)
    environ = {key: filled(str(value), found) for key, value in SERVICES[name]["environment"].items()}
    for key in ("ECLAIR_DATABASE_URL_FILE", "ECLAIR_SECRET_KEY_FILE"):
        environ[key] = str(written / "secrets" / Path(environ[key]).name)
    settings = load({**environ, "ECLAIR_CONFIG": str(tmp_path / "none.toml")}, {"data_dir": tmp_path}).settings
    assert settings.background_work == "workers"
    assert settings.database_url is not None
    assert settings.database_url.endswith("@postgres/eclair")
    assert settings.blobs_url == "s3://eclair/files"
    assert settings.public_url == "https://ai.example.org"


def test_the_worker_is_a_command_with_its_health_where_it_is_asked() -> None:
    arguments = parse(SERVICES["worker"]["command"])
    assert (arguments.module, arguments.kinds) == ("worker", None)
    assert f":{arguments.metrics_port}/api/health/live" in SERVICES["worker"]["healthcheck"]["test"][-1]


def test_postgresql_has_connections_for_all(written: Path) -> None:
    command = SERVICES["postgres"]["command"]
    (limit,) = (int(each.removeprefix("max_connections=")) for each in command if each.startswith("max_connections="))
    named = re.search(r"has connections for (\d+) workers", TEXT)
    assert named is not None
    servers = sum(name.startswith("eclair-") for name in SERVICES)
    assert (servers + int(named[1])) * MAX_CONNECTIONS <= limit - RESERVED_CONNECTIONS


async def test_the_role_of_the_database_owns_it_and_may_do_nothing_else(
    written: Path, databases: TestDatabases, settings: Settings
) -> None:
    script = (written / "database.sql").read_text("utf-8").replace("/run/secrets", str(written / "secrets"))
    databases.psql(script)
    given = urlsplit((written / "secrets" / "database_url").read_text())
    url = urlsplit(databases.url("eclair"))._replace(netloc=f"{given.username}:{given.password}@").geturl()
    try:
        (role,) = databases.fetch(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolpassword LIKE 'SCRAM%' FROM pg_authid"
            f" WHERE rolname = '{given.username}'"
        )
        assert role == (False, False, False, True)
        async with serving(replace(settings, database_url=url)) as server:
            answer = await server.say(await server.begin(), "script: words=3")
            assert answer["status"] == "finished"
    finally:
        databases.run("DROP DATABASE eclair WITH (FORCE)")
        databases.run("DROP ROLE eclair")


def test_what_is_named_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= SERVICES.keys()
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source == DATA or source in COMPOSE["volumes"] or (FOLDER / source).is_file(), volume
    proxy = (FOLDER / "Caddyfile").read_text("utf-8")
    assert "reverse_proxy eclair-1:8642 eclair-2:8642 {" in proxy
    assert "health_uri /api/health/ready?engines=false" in proxy, "without an engine nobody could add one"
    endpoint = SERVICES["worker"]["environment"]["ECLAIR_BLOBS_ENDPOINT"]
    port = re.search(r"api_bind_addr = \".*:(\d+)\"", (FOLDER / "garage.toml").read_text("utf-8"))
    assert port is not None
    assert endpoint == f"http://garage:{port[1]}"
    assert yaml.safe_load((FOLDER / "searxng.yml").read_text("utf-8"))["search"]["formats"] == ["html", "json"]


@pytest.mark.parametrize(("folder", "servers"), [("compose", OURS), ("container", ("eclair",))])
def test_backups_go_to_a_volume_that_the_image_lets_be_written(folder: str, servers: tuple[str, ...]) -> None:
    compose = yaml.safe_load((FOLDER.parent / folder / "compose.yaml").read_text("utf-8"))
    script = (FOLDER.parent / "container" / "build.sh").read_text("utf-8")
    owned = re.search(r"install -d -o \$user -g \$user (.*)", script)
    assert owned is not None
    for name in servers:
        place = compose["services"][name]["environment"]["ECLAIR_BACKUP_FOLDER"]
        mounted = [volume.split(":") for volume in compose["services"][name]["volumes"]]
        (source,) = [volume[0] for volume in mounted if volume[-1] == place]
        assert source in compose["volumes"]
        for path in (place, DATA):
            assert f'1\\"{path}' in owned[1], "Docker gives a new volume the owner of the folder in the image"


def test_images_from_a_hub_have_versions() -> None:
    images = [filled(service["image"], {}) for service in SERVICES.values()]
    tags = [image.rpartition(":")[2] for image in images if not image.startswith("localhost/")]
    assert len(tags) == 3
    for tag in tags:
        assert re.match(r"v?\d+\.\d+\.\d+", tag), tag


@pytest.mark.parametrize("network", ["10.86.42", "192.168.7"])
@pytest.mark.parametrize(("folder", "server"), [("compose", "eclair-1"), ("container", "eclair")])
def test_the_proxy_alone_says_who_a_client_is(folder: str, server: str, network: str) -> None:
    text = filled((FOLDER.parent / folder / "compose.yaml").read_text("utf-8"), {"NETWORK": network})
    compose = yaml.safe_load(text)
    trusted = load({"ECLAIR_TRUSTED_PROXIES": compose["services"][server]["environment"]["ECLAIR_TRUSTED_PROXIES"]})
    addresses = ClientAddresses(trusted.settings.trusted_proxies)
    proxy = compose["services"]["proxy"]["networks"]["default"]["ipv4_address"]
    (pool,) = compose["networks"]["default"]["ipam"]["config"]
    others = ipaddress.IPv4Network(pool["ip_range"])
    assert others.subnet_of(ipaddress.IPv4Network(pool["subnet"]))
    assert ipaddress.ip_address(proxy) in ipaddress.IPv4Network(pool["subnet"])
    assert ipaddress.ip_address(proxy) not in others, "another service may have taken it before the proxy starts"

    headers = Headers({"X-Forwarded-For": "203.0.113.7"})
    assert addresses.find({"client": (proxy, 1)}, headers) == "203.0.113.7"
    assert addresses.find({"client": (str(others[3]), 1)}, headers) == str(others[3])


@pytest.mark.parametrize("name", [*OURS, "proxy"])
def test_our_own_have_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["image"].startswith("localhost/eclair")


@pytest.mark.parametrize("name", ["vllm/vllm.service", "vllm/compose.yaml", "llm-d/vllm.yaml"])
def test_engines_call_tools_and_count_what_was_cached(name: str) -> None:
    text = (FOLDER.parent / name).read_text("utf-8")
    used = dict(re.findall(r"(--[a-z-]+)(?:[ =]([^\s-]\S*))?", re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)))
    assert {"--enable-prompt-tokens-details", "--enable-auto-tool-choice", "--max-num-seqs"} <= used.keys()
    assert "mistral" in used["--tool-call-parser"] or "TOOL_PARSER" in used["--tool-call-parser"]
