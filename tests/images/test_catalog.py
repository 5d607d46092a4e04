"""The catalog of picture models, and the rows that an owner adds to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.errors import SettingsError
from eclair.images.catalog import entries, entries_of
from eclair.models import catalog as engines

OWN = """
[[model]]
id = "mine"
name = "Mine"
maker = "Me"
license = "MIT"
weights = "open"

[[picture]]
id = "flux-1-schnell"
steps = 8

[[picture]]
id = "ours"
name = "Ours"
maker = "Us"
license = "MIT"
generator = "diffusers"
repo = "us/ours"
"""


def test_what_is_known_is_whole_and_says_what_its_license_forbids() -> None:
    known = entries()
    assert next(iter(known)) == "flux-1-schnell"
    assert {entry.country for entry in known.values()} == {"DE"}
    free = {id for id, entry in known.items() if not entry.restricts}
    assert free >= {"flux-1-schnell", "flux-2-klein-4b"}
    assert {known[id].license for id in free} == {"Apache-2.0"}
    assert known["flux-1-kontext-dev"].edits
    schnell = known["flux-1-schnell"].to_model(None)
    assert (schnell.steps, schnell.guidance, schnell.width, schnell.state) == (4, 0.0, 1024, "ready")
    assert known["flux-2-dev"].to_model("why").state == "absent"


def test_the_owner_adds_and_overrides(tmp_path: Path) -> None:
    own = tmp_path / "models.toml"
    own.write_text(OWN)
    assert entries(own)["flux-1-schnell"].steps == 8
    assert entries(own)["flux-1-schnell"].repo == "black-forest-labs/FLUX.1-schnell"
    assert entries_of("diffusers", own)["ours"].size is None
    assert "mine" in engines.load_entries(own)
    assert "ours" not in engines.load_entries(own)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("stepps = 3", "has `stepps`, which is not a field; did you mean `steps`?"),
        ('repo = "nowhere"', "has `repo` = 'nowhere', which is not written as that field is"),
        ('generator = "sdcpp"', "needs `repo` for the generator `diffusers`"),
        ("steps = 0", "has `steps` = 0"),
        ("width = 100", "has a `width` or `height` that is not between"),
        ("parts = []", "has `parts`, which is not a field; write [[picture.part]]"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, words: str) -> None:
    own = tmp_path / "models.toml"
    own.write_text(f'[[picture]]\nid = "flux-1-schnell"\n{row}\n')
    with pytest.raises(SettingsError) as caught:
        entries(own)
    assert words in caught.value.message
    assert "image model 'flux-1-schnell'" in caught.value.message


def test_another_table_is_named(tmp_path: Path) -> None:
    own = tmp_path / "models.toml"
    own.write_text("[[pictures]]\nid = 1\n")
    with pytest.raises(SettingsError, match="something else than"):
        entries(own)


def test_a_file_with_the_former_names_of_fields_is_read(tmp_path: Path) -> None:
    own = tmp_path / "models.toml"
    own.write_text(
        OWN.replace(
            'license = "MIT"\ngenerator', 'licence = "MIT"\nlicence_url = "https://us.example/terms"\ngenerator'
        )
    )
    entry = entries(own)["ours"]
    assert (entry.license, entry.license_url) == ("MIT", "https://us.example/terms")
