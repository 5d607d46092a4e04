"""Provisioning keeps the rules that SCIM's own contract suite checks of a storage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from scim2_models import ScimProvider
from scim2_server.storage import AsyncScimStorage
from scim2_server.testing import AsyncScimStorageContract
from scim2_server.utils import load_default_provider

from eclair.accounts.provisioning import Provisioning, ProvisioningStores
from eclair.accounts.service import Accounts
from eclair.live_settings import LiveSettings
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.storage.secrets import Vault
from tests.support import lay_database


class TestProvisioning(AsyncScimStorageContract):
    """The contract suite over people and groups, but for pages by cursor, which the service doesn't announce."""

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> ScimProvider:
        """The resources of the protocol, made once: their models take half a second."""
        return load_default_provider()

    @pytest.fixture
    def async_storage(self, tmp_path: Path) -> Iterator[AsyncScimStorage]:
        settings = Settings(data_dir=tmp_path / "data", accounts="on")
        lay_database(settings.data_dir)
        storage = open_storage(settings.data_dir)
        accounts = Accounts.open(LiveSettings(settings), storage, Vault.configured(settings))
        stores = ProvisioningStores(storage.scim, storage.people, storage.groups)
        yield Provisioning(stores, accounts.people, accounts.principals, LOCAL_PRINCIPAL)
        asyncio.run(storage.close())


for _name in [name for name in dir(AsyncScimStorageContract) if name.startswith("test_cursor")]:
    setattr(TestProvisioning, _name, None)
