"""Environment checks: what is installed, missing, or would leave the machine.

`examine` creates no file and starts no engine. It opens no connection but to the identity providers and the object
store of the settings, where it stores a small object and deletes it, and reads pip's configuration by running pip.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Literal

import eclair
from eclair.compliance.installation_facts import describe_short_logs
from eclair.errors import EclairError, ModelMissing, PortInUse, SettingsError, StoreError
from eclair.llm.local.kernels import ENGINE_PACKAGE, KERNEL_PACKAGE
from eclair.llm.servers.service import Server
from eclair.llm.tuning.bandwidth import measure_bandwidth
from eclair.llm.tuning.expected import SpeedEstimator, describe_speed
from eclair.models.catalog import starter_entry
from eclair.models.installed import verify
from eclair.models.offers import list_offers
from eclair.network.client import OutboundGate
from eclair.network.exposure import find_exposure, find_weak_key, is_unencrypted
from eclair.network.policy import OutboundPolicy
from eclair.network.tls import load_tls
from eclair.outgoing_data import OutgoingData, list_outgoing_data, list_servers
from eclair.provenance.certificates import EXPIRY_WARNING_MARGIN, Certificates
from eclair.sandbox.walls import Walls
from eclair.settings import LoadedSettings, Settings
from eclair.util.child_environment import child_environment
from eclair.util.child_process import python_module
from eclair.util.cpu import available_cores
from eclair.util.file_systems import network_file_system
from eclair.util.humanize import format_size
from eclair.util.port import find_holder, listen
from eclair.util.socket_owner import can_find_owners

State = Literal["ok", "note", "broken"]

BANDWIDTH_SAMPLE_BYTES = 256 << 20
MAX_SUGGESTED_MODELS = 4
"""Models not installed whose speed is estimated."""
LOW_FREE_DISK_BYTES = 1 << 30
"""Less free disk than this earns a note; less than the minimum is an error."""
MIN_FREE_DISK_BYTES = 64 << 20
_SERVING = re.compile(r"(?:^| )serve\b")
"""Matches the command line of a running server."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `remedy` says how to fix it."""

    name: str
    state: State
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorReport:
    checks: tuple[Check, ...]
    leaving: tuple[OutgoingData, ...]

    @property
    def is_broken(self) -> bool:
        return any(check.state == "broken" for check in self.checks)


async def examine(loaded: LoadedSettings) -> DoctorReport:
    """Run all checks, the quick ones first."""
    settings = loaded.settings
    checks = [_eclair(), _python(), _packages(), _page(), _file(loaded)]
    checks += [_data_folder(settings.data_dir), _disk(settings.data_dir)]
    checks += [_database(settings), *_database_encryption(settings), *_lost(settings.data_dir), _backups(settings)]
    checks.append(_port("Address", settings.host, settings.port))
    if settings.ollama_port is not None:
        checks.append(_port("Ollama's port", settings.host, settings.ollama_port, "ollama_port"))
    checks += [await _key(settings), _encryption(settings), _policy(settings)]
    checks += [*await _drift(settings), *_logs(settings), _marks(settings), await asyncio.to_thread(_walls)]
    checks += [_sandboxed_python(settings.data_dir), *_speech(settings.data_dir)]
    checks += _schedules(settings)
    checks += await _blobs(settings)
    checks += await _providers(settings)
    if settings.embedded:
        checks += [_engine(), _model(settings.data_dir), _speed(settings)]
    servers = list_servers(settings)
    checks += [*(_server(server) for server in servers), *_shared_cache(loaded, servers)]
    if not (settings.embedded or servers or settings.scripted):
        checks.append(Check("Engines", "broken", "No engine is configured.", "Set `embedded`, or add a server."))
    return DoctorReport(tuple(checks), tuple(await list_outgoing_data(settings)))


def _eclair() -> Check:
    return Check("Éclair", "ok", f"{eclair.__version__}, in {Path(eclair.__file__).parent}")


def _policy(settings: Settings) -> Check:
    try:
        description = OutboundPolicy.from_settings(settings).description
    except SettingsError as error:
        return Check("What may leave", "broken", error.message)
    return Check("What may leave", "ok", f"{description} `eclair egress` lists what did.")


async def _drift(settings: Settings) -> list[Check]:
    """Say whether the store is as the policy file declares; nothing without one."""
    from eclair.policy.policy_service import examine_policy

    try:
        drift = await examine_policy(settings)
    except StoreError:
        return []  # the check of the database says it
    if drift is None:
        return []
    if drift.problem is not None:
        return [Check("Policy file", "broken", drift.problem, "Correct it; `eclair admin apply --dry-run` tries it.")]
    if not drift.changes:
        return [Check("Policy file", "ok", f"everything is as {drift.file} says")]
    count = len(drift.changes)
    detail = f"the store differs from {drift.file} in {count:,} {'entry' if count == 1 else 'entries'}."
    return [Check("Policy file", "note", detail, "`eclair admin drift` lists them, `eclair admin apply` applies it.")]


async def _providers(settings: Settings) -> list[Check]:
    """Say of each identity provider whether it answers."""
    if settings.accounts == "off" or not settings.identity:
        return []
    from eclair.identity.provider_checks import check_providers
    from eclair.identity.providers import IdentityProviders

    gate = OutboundGate(OutboundPolicy.from_settings(settings))
    try:
        providers = IdentityProviders.open(settings, gate)
    except SettingsError as error:
        return [Check("Sign-in", "broken", error.message)]
    try:
        found = await check_providers(providers, time.time())
    finally:
        await providers.close()
    return [
        Check(
            f"Sign-in {each.name}",
            "broken" if each.is_broken else "ok" if each.fault is None else "note",
            f"{each.detail.rstrip('.')}.",
            "Renew it at the provider, and export its metadata again." if each.expires is not None else None,
        )
        for each in found
    ]


def _logs(settings: Settings) -> list[Check]:
    """Note logs that end too early for the high-risk use that is stated (AI Act, Art. 26 (6))."""
    fault = describe_short_logs(settings)
    return [] if fault is None else [Check("Logs", "note", fault, "Raise them, or set 0 for no limit.")]


def _marks(settings: Settings) -> Check:
    """Check that generated images can be signed, and until when."""
    try:
        found = Certificates.configured(settings).present()
    except SettingsError as error:
        return Check("Marks", "broken", error.message)
    if found is None:
        return Check("Marks", "ok", "a certificate is made when the first image is marked")
    until = f"valid until {found.expires.date()}"
    if found.ours:
        return Check(
            "Marks", "ok", f"signed with a certificate that was made here, {until}; it is renewed automatically"
        )
    if found.expires - datetime.now(UTC) < EXPIRY_WARNING_MARGIN:
        return Check("Marks", "note", f"signed with {settings.mark_certificate}, {until} only.", "Renew it.")
    return Check("Marks", "ok", f"signed with {settings.mark_certificate}, {until}")


def _walls() -> Check:
    """Raise the walls of a sandbox in a process of its own, and say which ones hold."""
    name = "Sandbox"
    command = python_module("eclair.sandbox.walls")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=child_environment())
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        return Check(name, "broken", f"A process that reads files cannot be enclosed: {last}.", "Report this.")
    walls = Walls(**json.loads(done.stdout))
    if not walls.no_new_privileges:
        return Check(
            name,
            "note",
            "files are read in processes with limits, but this system has no walls that Éclair can raise around them.",
            "Run Éclair on Linux if others send you files.",
        )
    held = ["no new privileges"]
    held += ["a network of its own"] if walls.namespaces else []
    held += [f"files by Landlock {walls.landlock}"] if walls.landlock else []
    held += ["system calls by seccomp"] if walls.seccomp else []
    if walls.landlock and walls.seccomp:
        return Check(name, "ok", f"files are read behind {_join(held)}")
    missing = [
        wall for wall, holds in (("Landlock (Linux 5.13)", walls.landlock), ("seccomp", walls.seccomp)) if not holds
    ]
    return Check(
        name, "note", f"files are read behind {_join(held)} alone.", f"Use a kernel that has {_join(missing)}."
    )


def _sandboxed_python(data_dir: Path) -> Check:
    """Say what code of models can use."""
    from eclair.python.data_tools import DataTools

    name = "Code of models"
    status = DataTools(data_dir).status()
    if status.state == "ready":
        return Check(name, "ok", f"runs in a sandbox, with numpy, pandas and matplotlib ({format_size(status.size)})")
    return Check(name, "ok", "runs in a sandbox, without numpy and pandas; `eclair python install` adds them")


def _speech(data_dir: Path) -> list[Check]:
    """Say which parts of speech are installed."""
    from eclair.speech.speech_parts import SpeechParts

    checks: list[Check] = []
    for part, installation in SpeechParts(data_dir).all.items():
        status, size = installation.status(), format_size(installation.packages.download_bytes)
        name = f"Speech, {part}"
        match status.state:
            case "ready":
                checks.append(Check(name, "ok", f"installed ({format_size(status.size)})"))
            case "unsupported":
                checks.append(Check(name, "note", "this system or this Python has no packages for it."))
            case "absent" | "installing":
                adds = f"`eclair speech install {part}` adds it ({size})"
                checks.append(Check(name, "ok", f"not installed; {adds}"))
    return checks


def _join(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _python() -> Check:
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return Check("Python", "ok", f"{platform.python_version()} on {system}, {os.cpu_count()} cores")


def _packages() -> Check:
    versions: dict[str, str | None] = {}
    for name in required_packages():
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return Check("Packages", "broken", f"{', '.join(missing)} not installed.", "Install Éclair again.")
    return Check("Packages", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))


def required_packages() -> list[str]:
    """List Éclair's required packages on this platform, from its own metadata.

    The embedded engine's packages and extras are left out.
    """
    required = [requirement for requirement in metadata.requires("eclair") or () if _is_for_here(requirement)]
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in required]
    return [name for name in names if name not in (ENGINE_PACKAGE, KERNEL_PACKAGE)]


def _is_for_here(requirement: str) -> bool:
    """Check that a requirement's markers match this machine and belong to no extra."""
    if "extra == " in requirement:
        return False
    stated = {
        name: re.findall(rf"{name} == [\"']([^\"']+)", requirement) for name in ("sys_platform", "platform_machine")
    }
    here = {"sys_platform": sys.platform, "platform_machine": platform.machine()}
    return all(not values or here[name] in values for name, values in stated.items())


def _page() -> Check:
    if (resources.files("eclair.server") / "static" / "index.html").is_file():
        return Check("Web app", "ok", "built")
    return Check(
        "Web app", "broken", "It is not built; the API and the command line work without it.", "Run `make run`."
    )


def _file(loaded: LoadedSettings) -> Check:
    return Check("Settings", "ok", f"{loaded.file}{'' if loaded.file.exists() else ' (not there: defaults)'}")


def _data_folder(folder: Path) -> Check:
    there = _nearest_folder(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Check(
            "Data", "broken", f"{folder} cannot be written.", "Give this user the right, or set ECLAIR_DATA_DIR."
        )
    network = network_file_system(there)
    if network is not None:
        return Check(
            "Data",
            "note",
            f"{folder} is on a network file system ({network}), where a crash may damage the database.",
            "Set ECLAIR_DATA_DIR to a folder on a disk of this machine.",
        )
    return Check("Data", "ok", str(folder) if folder.exists() else f"{folder} (made at the first start)")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_nearest_folder(folder)).free
    remedy = "Free some space, or choose another folder (ECLAIR_DATA_DIR)."
    if free < MIN_FREE_DISK_BYTES:
        return Check("Disk", "broken", f"Only {format_size(free)} free.", remedy)
    if free < LOW_FREE_DISK_BYTES:
        return Check("Disk", "note", f"Only {format_size(free)} free.", remedy)
    return Check("Disk", "ok", f"{format_size(free)} free")


def _nearest_folder(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _database(settings: Settings) -> Check:
    from eclair.storage.open import inspect_database

    try:
        report = inspect_database(settings)
    except StoreError as error:
        return Check("Database", "broken", error.message)
    if report is None:
        return Check("Database", "ok", "none yet (made at the first start)")
    if report.version > report.latest:
        detail = f"It has format {report.version}; this Éclair knows {report.latest}."
        return Check("Database", "broken", detail, "Update Éclair.")
    if report.damage is not None:
        damage, _, remedy = report.damage.partition("; ")
        return Check("Database", "broken", f"{damage}.", remedy[:1].upper() + remedy[1:])
    if report.needs_compaction:
        detail = f"{format_size(report.size)}, of which {format_size(report.unused)} are unused; it can't shrink yet."
        return Check("Database", "note", detail, "Stop Éclair once, and run `eclair doctor --compact`.")
    older = f", brought up to {report.latest} at the next start" if report.version < report.latest else ""
    return Check("Database", "ok", f"{format_size(report.size)}, format {report.version}{older}, sound")


def _database_encryption(settings: Settings) -> list[Check]:
    from eclair.storage.open import find_unencrypted_host

    if (host := find_unencrypted_host(settings)) is None:
        return []
    detail = f"Without TLS on {host}, everything that is stored crosses the network in the clear."
    return [Check("Connection to the database", "note", detail, "Add ?sslmode=verify-full to database_url.")]


def _backups(settings: Settings) -> Check:
    """Say when the data folder was backed up last."""
    from eclair.storage.backup.schedule import newest_snapshot

    folder = settings.backup_folder
    if folder is None:
        remedy = "Set backup_folder, best on another disk, or run `eclair backup FOLDER` regularly."
        return Check("Backups", "note", "none are made by themselves.", remedy)
    try:
        made = newest_snapshot(folder)
    except StoreError as error:
        return Check("Backups", "broken", error.message, "Check that the disk is there and that Éclair may read it.")
    if made is None:
        return Check("Backups", "note", f"none in {folder} yet.", "Start Éclair, or run `eclair backup`.")
    age_s = (datetime.now(UTC) - made).total_seconds()
    detail = f"the newest in {folder} is of {made:%Y-%m-%d %H:%M} UTC"
    if age_s > 3 * settings.backup_hours * 3600:
        return Check(
            "Backups", "broken", f"{detail}, though one is due every {settings.backup_hours:g} hours.", "Read the log."
        )
    return Check("Backups", "ok", detail)


async def _blobs(settings: Settings) -> list[Check]:
    """Say where the files of documents and images are, unless they are in the data folder as they are."""
    if settings.blobs_url is None and settings.blobs_key_file is None:
        return []
    from eclair.network.blob_calls import open_blob_keys, open_blob_store
    from eclair.storage.blob_stores.blob_marks import SharedBlobStore, heeds_versions

    try:
        store = open_blob_store(settings, OutboundGate(OutboundPolicy.from_settings(settings)))
        keys = open_blob_keys(settings)
        how = f"encrypted with the first key in {keys.file}" if keys is not None and keys.current else "not encrypted"
        await store.check()
        is_safe = not isinstance(store, SharedBlobStore) or await heeds_versions(store)
    except (SettingsError, StoreError) as error:
        return [Check("Files", "broken", error.message)]
    if not is_safe:
        detail = (
            f"in {store.description}, {how}, which replaces an object whatever If-Match says: a file that is "
            "uploaded at the very moment it is being erased may be lost."
        )
        return [Check("Files", "note", detail, "Use a store with conditional writes; docs/blobs.md says more.")]
    return [Check("Files", "ok", f"in {store.description}, {how}")]


def _schedules(settings: Settings) -> list[Check]:
    """Say how many schedules there are, and how mail about them is sent; nothing without any."""
    from eclair.storage.open import read_schedule_counts

    try:
        counts = read_schedule_counts(settings)
    except StoreError:
        return []  # the check of the database says it
    if not counts and settings.smtp_host is None:
        return []
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "none"
    mail = "no mail is sent" if settings.smtp_host is None else f"mail goes by {settings.smtp_host}"
    if settings.smtp_host is not None and settings.smtp_from is None:
        remedy = "Set `smtp_from`, the address that mail comes from."
        return [Check("Schedules", "broken", f"{states}; {mail}, but from nobody.", remedy)]
    return [Check("Schedules", "ok", f"{states}; {mail}")]


def _lost(folder: Path) -> list[Check]:
    """Say which files and databases were set aside; nothing if there are none."""
    from eclair.storage.lost import DATABASE_FOLDER, list_lost

    databases = [lost for lost in list_lost(folder) if lost.folder.startswith(DATABASE_FOLDER)]
    blobs = [lost for lost in list_lost(folder) if lost not in databases]
    checks: list[Check] = []
    if blobs:
        count, size = sum(each.count for each in blobs), format_size(sum(each.size for each in blobs))
        detail = (
            f"{count:,} files ({size}) that the database doesn't know are in {folder / 'lost'}, since {blobs[0].day}."
        )
        remedy = "Put back the database that knows them, or erase them: `eclair lost --erase`."
        checks.append(Check("Lost files", "note", detail, remedy))
    if databases:
        size = format_size(sum(each.size for each in databases))
        detail = f"a damaged one ({size}) that was repaired on {databases[-1].day} is in {folder / 'lost'}."
        checks.append(Check("Old database", "note", detail, "Once nothing is missing: `eclair lost --erase`."))
    return checks


def _port(name: str, host: str, port: int, option: str = "--port") -> Check:
    if port == 0:
        return Check(name, "ok", f"any free port of {host}")
    try:
        listen(host, port, option).close()
    except PortInUse as error:
        held = find_holder(port)
        if held is not None and _serves(held.command):
            return Check(name, "ok", f"Éclair serves at {host}, port {port} (process {held.pid})")
        return Check(name, "broken", error.message)
    except EclairError as error:
        return Check(name, "broken", error.message)
    return Check(name, "ok", f"{host}, port {port} is free")


def _serves(command: str) -> bool:
    """Tell whether a process's command line is that of `eclair serve`."""
    program, _, arguments = command.partition(" ")
    while arguments and not program.endswith(("eclair", "eclair.cli")):
        program, _, arguments = arguments.partition(" ")
    return _SERVING.search(arguments) is not None


async def _key(settings: Settings) -> Check:
    if (weakness := find_weak_key(settings)) is not None:
        problem, _, remedy = weakness.partition("; ")
        return Check("Key", "broken", f"{problem}.", remedy[:1].upper() + remedy[1:])
    if settings.api_key is not None:
        return Check("Key", "ok", "set; every request must carry it, or one of `eclair key list`")
    exposure = find_exposure(settings)
    if exposure is None:
        if settings.loopback_accounts == "all":
            return Check("Key", "ok", "none is needed by any account of this machine")
        if await can_find_owners():
            return Check("Key", "ok", "none is needed by this account; other accounts of this machine need one")
        remedy = "Open the address that `eclair serve` prints; make keys for programs with `eclair key new NAME`."
        return Check("Key", "note", "this system doesn't say which account connects.", remedy)
    if _has_keys(settings):
        return Check("Key", "ok", "every request must carry one of `eclair key list`")
    problem, _, remedy = exposure.partition("; ")
    return Check("Key", "broken", f"{problem}.", remedy[:1].upper() + remedy[1:])


def _encryption(settings: Settings) -> Check:
    try:
        has_tls = load_tls(settings) is not None
    except SettingsError as error:
        return Check("Encryption", "broken", error.message)
    if is_unencrypted(settings):
        remedy = "Set tls_certificate and tls_key, or put a proxy with TLS in front."
        return Check("Encryption", "note", f"none, and {settings.host} can be reached from other machines.", remedy)
    return Check("Encryption", "ok", "https" if has_tls else "none, as nothing crosses a network")


def _has_keys(settings: Settings) -> bool:
    from eclair.storage.open import has_api_keys

    try:
        return has_api_keys(settings)
    except StoreError:  # which the check of the database reports
        return False


def _engine() -> Check:
    try:
        version = metadata.version(ENGINE_PACKAGE)
    except metadata.PackageNotFoundError:
        return Check(
            "Embedded engine",
            "broken",
            f"{ENGINE_PACKAGE} is not installed.",
            "Install Éclair again; on a platform without it, set `embedded = false` and use `engines`.",
        )
    command = python_module("eclair.llm.local.kernels")  # in its own process: the wrong CPU would kill it
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=child_environment())
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        return Check(
            "Embedded engine",
            "broken",
            f"{ENGINE_PACKAGE} {version} cannot be loaded: {last}.",
            "Install Éclair again.",
        )
    kernels = done.stdout.strip()
    described = f"; large models run on kernels for this CPU ({kernels})" if kernels else ""
    return Check("Embedded engine", "ok", f"{ENGINE_PACKAGE} {version} (llama.cpp){described}")


def _model(data_dir: Path) -> Check:
    entry = starter_entry()
    try:
        path = verify(entry, data_dir, thorough=True)
    except ModelMissing as error:
        return Check("Embedded model", "broken", error.message)
    bytes = format_size(path.stat().st_size)
    return Check("Embedded model", "ok", f"{entry.name}, {bytes}, {entry.license}, SHA-256 verified")


def _speed(settings: Settings) -> Check:
    """Estimate which models run here and how fast, from measurements or memory bandwidth."""
    rate = measure_bandwidth(BANDWIDTH_SAMPLE_BYTES, available_cores())
    speeds = SpeedEstimator.from_profiles(settings, rate)
    found = sorted(
        (offer for offer in list_offers(settings) if offer.fits and offer.size), key=lambda offer: offer.size or 0
    )
    others = [offer for offer in found if not offer.installed]
    shown = [offer for offer in found if offer.installed] + others[:: max(1, len(others) // MAX_SUGGESTED_MODELS)]
    writes = ", ".join(
        f"{offer.entry.name} {describe_speed(speeds.estimate(offer.entry, offer.size))}" for offer in shown
    )
    remedy = None if speeds.measured else "`eclair tune` measures the actual speed."
    return Check("Speed", "ok", f"{rate / 1e9:.0f} GB/s from memory, measured now. It would write: {writes}.", remedy)


def _server(server: Server) -> Check:
    title = f"Engine {server.name}"
    detail = f"{server.addresses}; {server.location.text}"
    if server.problem is not None:
        remedy = f"`eclair engines change {server.name} --key` sets it."
        return Check(title, "note", f"{detail}. {server.problem}", remedy)
    if server.note is not None:
        return Check(title, "note", f"{detail}; questions travel unencrypted.", "Use https.")
    return Check(title, "ok", detail)


def _shared_cache(loaded: LoadedSettings, servers: Sequence[Server]) -> list[Check]:
    """Note that all people share what engines of the house have read of prompts, unless somebody chose so."""
    settings = loaded.settings
    in_house = [server.name for server in servers if server.location.kind in ("machine", "network")]
    if settings.accounts == "off" or settings.cache_scope != "everyone" or "cache_scope" in loaded.origins:
        return []
    if not in_house:
        return []
    detail = (
        f"as far as {_join(in_house)} can keep what was read of prompts, all people share it: the time to the first "
        "word tells whether somebody asked the same before."
    )
    remedy = "Set cache_scope to groups or person, or to everyone if that is wanted; docs/engines.md has the costs."
    return [Check("Cache of prompts", "note", detail, remedy)]
