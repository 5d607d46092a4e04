"""Reads a GGUF file's vocabulary: the texts that a chat template marks turns with, and the tokens that begin words.

As in `header`, everything read is bounded.
"""

from __future__ import annotations

import array
import mmap
import struct
import sys
from functools import lru_cache
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models.gguf.header import MAGIC, MAX_KEYS

MAX_VOCABULARY = 1 << 20
MAX_TOKEN_CHARS = 64
MAX_CONTROL_TOKENS = 4096

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_INT32, _TEXT, _LIST = 5, 8, 9
_CONTROL, _USER_DEFINED = 3, 4
_MARKUP = frozenset("<>[]|")


def read_control_tokens(path: Path) -> tuple[str, ...]:
    """Return the control tokens of a file, and those of its own that look like markup. Blocks.

    Raises ModelMissing if the file isn't GGUF or can't be read.
    """
    try:
        stat = path.stat()
        return _read_cached(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise ModelMissing(f"{path} is not a GGUF file; choose another.") from error


def read_word_tokens(path: Path) -> list[tuple[int, str]]:
    """Return the tokens of a file that begin a word: their ids and letters, without the space before. Blocks.

    Those without a space before begin with a capital letter; the others could stand within a word.
    Raises ModelMissing if the file isn't GGUF or can't be read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _word_tokens(_Vocabulary(data).tokens())
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error.strerror}.") from error
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise ModelMissing(f"{path} is not a GGUF file; choose another.") from error


def _word_tokens(tokens: list[bytes]) -> list[tuple[int, str]]:
    """Decode tokens that begin with the mark of a space, SentencePiece's or GPT-2's, or with a capital letter."""
    found: list[tuple[int, str]] = []
    for id, token in enumerate(tokens):
        text = token.decode(errors="replace")
        if text.startswith("\u2581"):
            found.append((id, text[1:]))
            continue
        try:
            word = bytes(map(_BYTES.__getitem__, text.removeprefix("\u0120"))).decode()
        except (KeyError, UnicodeDecodeError):  # a part of a letter, or a vocabulary of characters
            continue
        if text.startswith("\u0120") or word.istitle():
            found.append((id, word))
    return found


def _byte_characters() -> dict[str, int]:
    """Return the bytes that the characters of a byte-level vocabulary stand for: GPT-2's table."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(0x100 + at): byte for at, byte in enumerate(hidden)}


_BYTES = _byte_characters()


@lru_cache(maxsize=32)
def _read_cached(path: Path, size: int, changed_ns: int) -> tuple[str, ...]:
    """Read a file in the state that its size and time name."""
    del size, changed_ns
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Vocabulary(data).control_tokens()


class _Vocabulary:
    """Walks through the keys of a file up to the kinds of its tokens. Errors of the format are ValueErrors."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def tokens(self) -> list[bytes]:
        """Return the texts of all tokens, as the file has them."""
        for _ in range(self._keys()):
            key = self._bytes(*self._text())
            kind = self._number("<I")
            if key == b"tokenizer.ggml.tokens":
                return [self._bytes(*place) for place in self._texts(kind)]
            self._skip(kind)
        return []

    def control_tokens(self) -> tuple[str, ...]:
        places: list[tuple[int, int]] = []
        for _ in range(self._keys()):
            key = self._bytes(*self._text())
            kind = self._number("<I")
            if key == b"tokenizer.ggml.tokens":
                places = self._texts(kind)
            elif key == b"tokenizer.ggml.token_type":
                return self._chosen(places, self._kinds(kind))
            else:
                self._skip(kind)
        return ()

    def _keys(self) -> int:
        """Step to the first key; return how many there are."""
        if self._data[:4] != MAGIC:
            raise ValueError("its first bytes are others")
        count: int = struct.unpack_from("<Q", self._data, 16)[0]
        self._at = 24
        return min(count, MAX_KEYS)

    def _chosen(self, places: list[tuple[int, int]], kinds: array.array[int]) -> tuple[str, ...]:
        found: list[str] = []
        for place, kind in zip(places, kinds, strict=False):
            if kind not in (_CONTROL, _USER_DEFINED):
                continue
            token = self._bytes(*place).decode(errors="replace")
            if 1 < len(token) <= MAX_TOKEN_CHARS and (kind == _CONTROL or _MARKUP & set(token)):
                found.append(token)
        return tuple(found[:MAX_CONTROL_TOKENS])

    def _texts(self, kind: int) -> list[tuple[int, int]]:
        """Return where each text of a list stands, and its length."""
        count = self._list(kind, _TEXT)
        return [self._text() for _ in range(count)]

    def _kinds(self, kind: int) -> array.array[int]:
        count = self._list(kind, _INT32)
        kinds = array.array("i", self._bytes(self._at, 4 * count))
        if sys.byteorder == "big":
            kinds.byteswap()
        return kinds

    def _list(self, kind: int, item_kind: int) -> int:
        """Read the head of a list of that kind, and return its length."""
        if kind != _LIST or self._number("<I") != item_kind:
            raise ValueError("the vocabulary is of another kind")
        count = self._number("<Q")
        if count > MAX_VOCABULARY:
            raise ValueError("the vocabulary is too long")
        return count

    def _skip(self, kind: int) -> None:
        if kind == _TEXT:
            self._text()
        elif kind == _LIST:
            item_kind, count = self._number("<I"), self._number("<Q")
            if item_kind == _TEXT:
                if count > MAX_VOCABULARY:
                    raise ValueError("a list is too long")
                for _ in range(count):
                    self._text()
            else:
                self._at += _SIZES[item_kind] * count
        else:
            self._at += _SIZES[kind]

    def _text(self) -> tuple[int, int]:
        """Step over a text, and return where it stands and its length."""
        length: int = struct.unpack_from("<Q", self._data, self._at)[0]
        place = self._at + 8
        self._at = place + length
        if self._at > len(self._data):
            raise ValueError("it ends within its header")
        return place, length

    def _number(self, form: str) -> int:
        number: int = struct.unpack_from(form, self._data, self._at)[0]
        self._at += struct.calcsize(form)
        return number

    def _bytes(self, place: int, length: int) -> bytes:
        if place + length > len(self._data):
            raise ValueError("it ends within its header")
        return self._data[place : place + length]
