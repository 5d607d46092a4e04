"""`eclair blobs`: says where the files of documents and images are; checks, copies and encrypts them."""

from __future__ import annotations

import argparse
import asyncio

from eclair.cli._arguments import load_settings
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, SettingsError, StoreError
from eclair.network.blob_calls import FILES, PICTURES, open_blob_keys, open_blob_store
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.storage.blob_stores.blob_encryption import BlobKeys
from eclair.storage.blob_stores.blob_folder import BlobFolder
from eclair.storage.blob_stores.blob_store import BlobStore
from eclair.storage.blob_transfer import TransferResult, check_blobs, copy_blobs, encrypt_blobs
from eclair.storage.blobs import Blobs
from eclair.util.humanize import format_size

FOLDER = "folder"
"""The place of `--copy-to` that is the data folder."""


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    if arguments.rotate_key or arguments.encrypt:
        return run_async(_encrypt(settings, terminal, rotate=arguments.rotate_key))
    if arguments.copy_to is not None:
        return run_async(_copy(settings, arguments.copy_to, terminal))
    return run_async(_check(settings, terminal) if arguments.check else _show(settings, terminal))


async def _show(settings: Settings, terminal: Terminal) -> int:
    async with open_gate(settings) as gate:
        store, keys = open_blob_store(settings, gate), open_blob_keys(settings)
        for folder, blobs in _all(settings, store, keys).items():
            found = await blobs.list_blobs()
            size = format_size(sum(each.size for each in found))
            terminal.line(f"{folder}: {len(found):,}, {size}, in {store.description}")
    how = f"encrypted with the first key in {keys.file}" if keys is not None else "stored as they are"
    terminal.line(f"New ones are {how}.")
    return 0


async def _check(settings: Settings, terminal: Terminal) -> int:
    async with open_gate(settings) as gate:
        all = _all(settings, open_blob_store(settings, gate), open_blob_keys(settings))
        result = await check_blobs(all, ProgressCounter(terminal, "Checking").show)
    _report_damage(result, terminal)
    terminal.line(f"All {result.unchanged:,} files are whole.")
    return 0


async def _copy(settings: Settings, place: str, terminal: Terminal) -> int:
    async with open_gate(settings) as gate:
        source = open_blob_store(settings, gate)
        is_folder = place == FOLDER
        target = BlobFolder(settings.data_dir) if is_folder else open_blob_store(settings, gate, place)
        if source.description == target.description:
            raise InvalidInput(f"The files are in {target.description} already; name another place.")
        await target.check()
        all = _all(settings, target, open_blob_keys(settings))
        result = await copy_blobs(source, target, all, ProgressCounter(terminal, "Copying").show)
    terminal.line(f"{result.changed:,} files were copied, {result.unchanged:,} were there already; all are compared.")
    _report_damage(result, terminal)
    setting = "unset ECLAIR_BLOBS_URL" if is_folder else f"set ECLAIR_BLOBS_URL={place}"
    terminal.line(f"Now stop Éclair, run this again for what came meanwhile, {setting}, and start it.")
    terminal.line(f"The files stay in {source.description} until you delete them.")
    return 0


async def _encrypt(settings: Settings, terminal: Terminal, *, rotate: bool) -> int:
    keys = open_blob_keys(settings)
    if keys is None:
        raise SettingsError("No file for keys is set; name one with `blobs_key_file`.")
    if rotate:
        if settings.database_url is not None:
            raise SettingsError(
                "Several servers may use this database, and those without a new key could not read what it encrypts. "
                "Give it to all first, then run `eclair blobs --encrypt`; docs/blobs.md says how."
            )
        await asyncio.to_thread(keys.rotate)
        terminal.line(f"A new key is the first in {keys.file}; keep a copy where the files are not.")
    async with open_gate(settings) as gate:
        all = _all(settings, open_blob_store(settings, gate), keys)
        result = await encrypt_blobs(all, ProgressCounter(terminal, "Encrypting").show)
    terminal.line(f"{result.changed:,} files were encrypted with the newest key, {result.unchanged:,} were already.")
    _report_damage(result, terminal)
    terminal.line("Older keys are needed no more, but for backups and earlier versions of the files.")
    return 0


def _all(settings: Settings, store: BlobStore, keys: BlobKeys | None) -> dict[str, Blobs]:
    return {folder: Blobs(settings.data_dir / folder, store, keys) for folder in (FILES, PICTURES)}


def _report_damage(result: TransferResult, terminal: Terminal) -> None:
    """Raises StoreError if there is some."""
    for sentence in result.damaged:
        terminal.warn(sentence)
    if result.damaged:
        raise StoreError(f"{len(result.damaged):,} files are damaged; restore them from a backup.")
