from __future__ import annotations

import io
import struct
import zipfile

import pytest

from eclair.util.zip_directory import read_directory_bytes


def archive(comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("a.txt", "a")
        zipped.comment = comment
    return file.getvalue()


@pytest.mark.parametrize("comment", [b"", b"x" * 65535])
def test_the_size_is_that_of_the_directory(comment: bytes) -> None:
    assert read_directory_bytes(io.BytesIO(archive(comment))) == 46 + len("a.txt")


def test_the_size_of_a_zip64_is_in_its_own_end_record() -> None:
    plain = archive()
    end = plain.rindex(b"PK\5\6")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    assert read_directory_bytes(io.BytesIO(plain[:end] + record + locator + plain[end:])) == 1 << 40


@pytest.mark.parametrize("data", [b"", b"PK\3\4", archive()[:-1]])
def test_a_file_without_a_directory_is_damaged(data: bytes) -> None:
    with pytest.raises(zipfile.BadZipFile):
        read_directory_bytes(io.BytesIO(data))
