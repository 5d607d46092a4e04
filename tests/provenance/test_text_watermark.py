"""The watermark of texts: its colors, its keys, and what a text must have to be taken for ours."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import SettingsError
from eclair.provenance.text_watermark import (
    MAX_FALSE_ALARMS,
    chance_of,
    detect_watermark,
    find_stems,
    green_tokens,
    is_green,
    is_in_code,
    stem_of,
)
from eclair.provenance.watermark_keys import WatermarkKeys
from tests.provenance.made import marked_words

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_marked_text_is_found_with_any_key_ever_used_and_with_no_other() -> None:
    text = marked_words(KEY, 60, 0.8)
    assert detect_watermark(text, [OTHER, KEY]) == "likely"
    assert detect_watermark(text, [OTHER]) == "unknown"
    assert detect_watermark(text, []) == "unknown"
    assert detect_watermark(marked_words(KEY, 60, 0.5), [KEY]) == "unknown"


def test_short_texts_are_never_decided() -> None:
    assert detect_watermark(marked_words(KEY, 20, 1.0), [KEY]) == "unknown"


def test_repeating_a_word_proves_no_more_than_saying_it_once() -> None:
    assert detect_watermark(" ".join([marked_words(KEY, 20, 1.0)] * 50), [KEY]) == "unknown"


def test_more_keys_need_stronger_signs() -> None:
    text = marked_words(KEY, 60, 0.75)
    assert chance_of(45, 60) < MAX_FALSE_ALARMS < 100 * chance_of(45, 60)
    assert detect_watermark(text, [KEY]) == "likely"
    assert detect_watermark(text, [KEY, *(bytes([number]) * 32 for number in range(99))]) == "unknown"


@pytest.mark.parametrize("word", ["Paris", "NATO", "sun", "can't", "1984", "with", "nicht", "state-owned", "x1yz"])
def test_names_numbers_and_small_words_have_no_color(word: str) -> None:
    assert stem_of(word) is None


def test_inflections_share_their_color() -> None:
    assert stem_of("walk") == stem_of("walked") == stem_of("walking") == "walk"


def test_code_and_quoted_names_are_left_out() -> None:
    text = "Please\n```python\nreturn something\n```\nconsider `another thing` slowly."
    assert find_stems(text) == {stem_of("consider"), stem_of("slowly")}


def test_letters_count_as_one_however_they_are_composed() -> None:
    assert find_stems("la région") == find_stems("la re\u0301gion")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("", False),
        ("Code:\n```", True),
        ("Code:\n```python\nx = 1", True),
        ("```\nx\n```", False),
        ("```\nx\n```\nand ```", False),
        ("~~~\n```\n", True),
        ("````\n```\n", True),
        ("1. a\n   ```sh\n   ls\n   ```\n", False),
    ],
)
def test_where_a_block_of_code_ends(text: str, inside: bool) -> None:
    assert is_in_code(text) is inside


def test_green_tokens_are_those_whose_word_is_green() -> None:
    listed = [(7, "walking"), (9, "walk"), (11, "Paris"), (13, "the"), (15, "Walking"), (17, "WALK"), (19, "Walker")]
    key = next(bytes([number]) * 32 for number in range(99) if is_green(bytes([number]) * 32, "walk"))
    assert green_tokens(listed, key) == [7, 9, 15], "a capital letter only where the word is known without"


@given(st.text(max_size=400))
def test_any_text_can_be_tested(text: str) -> None:
    assert detect_watermark(text, [KEY]) in ("likely", "unknown")


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    keys = WatermarkKeys(tmp_path / "marks")
    assert keys.all() == []
    key = keys.current()
    assert keys.current() == key
    assert WatermarkKeys(tmp_path / "marks").all() == [key]
    (file,) = (tmp_path / "marks").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_last_key_is_used_and_the_others_are_kept(tmp_path: Path) -> None:
    keys = WatermarkKeys(tmp_path)
    first = keys.current()
    with (tmp_path / "text-watermark.keys").open("a") as file:
        file.write(f"{OTHER.hex()}\n")
    assert (keys.all(), keys.current()) == ([first, OTHER], OTHER)


@pytest.mark.parametrize("content", ["no key\n", "abcd\n", "é" * 64])
def test_a_damaged_key_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "text-watermark.keys").write_text(content, "utf-8")
    with pytest.raises(SettingsError, match="no key"):
        WatermarkKeys(tmp_path).all()
