from __future__ import annotations

from pathlib import Path

import pytest

from eclair.errors import InvalidInput, NotFound, SettingsError
from eclair.models import catalog, memory
from eclair.models.installed import quantization_of, shard_names
from eclair.models.quantization import QuantizationChoice, QuantizationOption, choose_quantization
from eclair.settings import Settings

GB = 1_000_000_000
ROW = '[[model]]\nid = "mine"\nname = "Mine"\nmaker = "Me"\nlicense = "MIT"\nweights = "open"\n'
FILE = '[[model.file]]\nrepo = "me/mine"\nfile = "mine-Q4_0.gguf"\nquant = "Q4_0"\n'


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "models.toml"


def test_our_own_rows_are_sound() -> None:
    found = catalog.load_entries()
    assert catalog.STARTER_MODEL in found
    assert all(id == entry.id for id, entry in found.items())
    for entry in found.values():
        for file in entry.files:
            assert file.quant == quantization_of(file.name) or not quantization_of(file.name), file
        assert "llama.cpp" in entry.engines or not entry.files, entry.id


def test_a_file_of_ones_own_adds_and_overrides(own: Path) -> None:
    own.write_text(f'{ROW}{FILE}\n[[model]]\nid = "{catalog.STARTER_MODEL}"\ntemperature = 0.7\n')
    found = catalog.load_entries(own)
    assert found["mine"].files[0].repo == "me/mine"
    assert found[catalog.STARTER_MODEL].temperature == 0.7
    assert found[catalog.STARTER_MODEL].files == catalog.starter_entry().files
    assert catalog.starter_entry().temperature == 0.2


def test_a_file_with_the_former_names_of_fields_is_read(own: Path) -> None:
    own.write_text(ROW.replace("license", "licence"))
    assert catalog.load_entries(own)["mine"].license == "MIT"


def test_no_file_is_no_fault(own: Path) -> None:
    assert catalog.load_entries(own).keys() == catalog.load_entries().keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model", "is not TOML"),
        ("x = 1", r"something else than \[\[model\]\] rows"),
        ("model = 3", r"something else than \[\[model\]\] rows"),
        ('[[model]]\nname = "x"', "row 1 has no `id`"),
        (ROW + ROW, "two rows have the id 'mine'"),
        ('[[model]]\nid = "mine"', "model 'mine' lacks `name`; add it"),
        (ROW + "licens = 1", "model 'mine' has `licens`, which is not a field; did you mean `license`"),
        (ROW + 'languages = ["english"]', r"model 'mine' has `languages.0` = 'english', which is not written"),
        (ROW + 'languages = ["de_DE"]', "languages.0"),
        (ROW + 'can = ["fly"]', "model 'mine' has `can.0` = 'fly': input should be 'tools'"),
        (ROW + 'parameters = "7"', "`parameters` = '7': input should be a valid number"),
        (ROW + "parameters = -7", "greater than 0"),
        (ROW + "context = 1.5", "`context`"),
        (ROW + 'country = "fr"', "`country`"),
        (ROW + 'released = "soon"', "`released`"),
        (ROW + 'restricts = " "', "`restricts`"),
        (ROW + 'files = "x"', "has `files`, which is not a field"),
        (ROW + 'file = "x"', "`file`"),
        (ROW + FILE.replace('repo = "me/mine"\n', ""), "model 'mine' has a file without `repo`"),
        (ROW + FILE.replace("mine-Q4_0.gguf", "../../x.gguf"), "`file.0.file`"),
        (ROW + FILE + 'sha256 = "0"', "`file.0.sha256`"),
        (ROW + f"context = {2**70}", "model 'mine' holds what no field can be"),
    ],
)
def test_a_fault_names_the_row(own: Path, text: str, said: str) -> None:
    own.write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        catalog.load_entries(own)
    assert str(own) in caught.value.message


def test_a_file_that_is_no_text(own: Path) -> None:
    own.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not text"):
        catalog.load_entries(own)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(NotFound, match="ministral-3-3b"):
        catalog.find_entry(catalog.load_entries(), "ministral-3b")


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("Ministral-3-3B-Instruct-2512-Q4_K_M.gguf", "Q4_K_M"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("x-UD-IQ3_XXS-00001-of-00002.gguf", "UD-IQ3_XXS"),
        ("x.bf16.gguf", "BF16"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("model.gguf", ""),
    ],
)
def test_the_quantisation_in_a_name(name: str, quant: str) -> None:
    assert quantization_of(name) == quant


def test_a_model_in_parts() -> None:
    assert shard_names("a-00001-of-00003.gguf") == [f"a-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert shard_names("a.gguf") == ["a.gguf"]


def test_what_memory_a_model_takes() -> None:
    entry = catalog.starter_entry()
    needed = memory.estimate(entry, entry.files[0], Settings())
    assert needed is not None
    assert 510_000_000 < needed < 1.3 * GB  # 510 MB were measured
    assert 0.9 < memory.bits_per_weight("Q4_K_M") / 4.85 < 1.1
    assert 0.9 < memory.bits_per_weight("Q8_0") / 8.5 < 1.1
    for billions, measured in ((3.4, 106_000), (8, 139_000), (14, 164_000), (24, 164_000), (123, 360_000)):
        assert 0.75 < memory.kv_bytes_per_token(billions, 0, "") / measured < 1.35


class TestChoice:
    SIZES = (("Q2_K", 3), ("Q4_K_M", 5), ("Q8_0", 8), ("BF16", 16))

    @pytest.fixture
    def machine(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        monkeypatch.setattr(memory, "physical", lambda: 10 * GB)
        return monkeypatch

    def options(self, times: float = 1) -> list[QuantizationOption]:
        return [
            QuantizationOption(quant, round(size * times * GB), round(size * times * GB)) for quant, size in self.SIZES
        ]

    @pytest.mark.parametrize(
        ("times", "quant", "why"),
        [
            (0.1, "Q4_K_M", "Q4_K_M: needs about 500 MB of this machine's 10 GB; larger ones answer more slowly"),
            (1.0, "Q4_K_M", "larger ones answer more slowly"),
            (1.6, "Q4_K_M", "the best that fits this machine"),
            (2.0, "Q2_K", "the best that fits this machine"),
        ],
    )
    def test_by_memory(self, machine: pytest.MonkeyPatch, times: float, quant: str, why: str) -> None:
        options = self.options(times)
        chosen = choose_quantization("Model", options)
        assert options[chosen.index].quant == quant
        assert why in chosen.why

    def test_none_fits(self, machine: pytest.MonkeyPatch) -> None:
        with pytest.raises(InvalidInput, match=r"Model needs about 9.0 GB of memory and this machine has 10 GB"):
            choose_quantization("Model", self.options(3))

    def test_one_that_is_asked_for(self, machine: pytest.MonkeyPatch) -> None:
        assert choose_quantization("Model", self.options(), "q8_0") == QuantizationChoice(
            2, "asked", "Q8_0, as you asked"
        )
        assert "too little" in choose_quantization("Model", self.options(), "BF16").why
        with pytest.raises(InvalidInput, match=r"not available as Q5\. Available: Q2_K, Q4_K_M, Q8_0, BF16"):
            choose_quantization("Model", self.options(), "Q5")

    def test_only_large_ones(self, machine: pytest.MonkeyPatch) -> None:
        assert choose_quantization("Model", self.options()[2:]).index == 0
        assert "the only one" in choose_quantization("Model", [QuantizationOption("", None, None)]).why
