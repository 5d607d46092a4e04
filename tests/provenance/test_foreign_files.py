"""No file makes what reads marks say what is not so, or die."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from eclair.errors import EclairError
from eclair.provenance import c2pa
from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_report import ContentCredentials, Origin, ProvenanceReport
from eclair.provenance.service import Provenance
from eclair.provenance.worker import inspect_file
from eclair.sandbox.protocol import Rejected
from eclair.settings import Settings
from tests.provenance.made import decoded, encoded, malformed, photo

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of what is odd in a file

FORMS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")


class Pictures(dict[str, bytes]):
    """By their form."""

    def __repr__(self) -> str:
        return f"pictures as {', '.join(self)}"  # what fails is told without their bytes


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Marked pictures, small ones, so that a spot is seldom where it does nothing."""
    marks = Provenance.configured(Settings(data_dir=tmp_path_factory.mktemp("marks")))
    made = Origin("created", "FLUX.1 schnell")

    async def marked() -> list[bytes]:
        return await asyncio.gather(*(marks.mark(encoded(photo(40, 30), form), made) for form in FORMS))

    return Pictures(zip(FORMS, asyncio.run(marked()), strict=True))


def reported(data: bytes) -> ProvenanceReport | None:
    """What the process finds, without the process, so that many files are soon looked at; None where it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        try:
            return inspect_file(path, KnownSigners())
        except Rejected:
            return None


def same_picture(data: bytes, whole: bytes) -> bool:
    """Whether it shows the same, or nothing."""
    try:
        return bool((decoded(data) == decoded(whole)).all())
    except (OSError, SyntaxError, RuntimeError, ValueError):
        return True


def test_a_hundred_malformed_pictures_get_a_report_or_are_refused() -> None:
    found = [reported(data) for _, data in malformed()]
    assert len(found) == 100
    assert all(each is None or each.made is None for each in found)


async def test_what_is_refused_is_refused_in_a_sentence(tmp_path: Path) -> None:
    marks = Provenance.configured(Settings(data_dir=tmp_path / "data"), stay=True)
    refused: list[str] = []
    for name, data in malformed(16):
        path = tmp_path / name
        path.write_bytes(data)
        try:
            await marks.check(path, name)
        except EclairError as error:
            refused.append(error.message)
    await marks.close()
    assert refused
    assert all(sentence.endswith(".") for sentence in refused)


def signed(data: bytes) -> ContentCredentials:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        return c2pa.read(path, KnownSigners())


@hypothesis(max_examples=100)
@given(form=st.sampled_from(FORMS), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_never_goes_unseen(small: Pictures, form: str, place: float, bit: int) -> None:
    data = bytearray(small[form])
    data[int(place * len(data))] ^= 1 << bit
    found = signed(bytes(data))
    if found.state == "found":  # what is not signed are the sums and the filling around the signature itself
        assert found.how == "created"
        assert same_picture(bytes(data), small[form])


@hypothesis(max_examples=80)
@given(form=st.sampled_from(FORMS), start=st.floats(0, 1), cut=st.binary(max_size=300), upto=st.floats(0, 1))
def test_what_is_cut_or_spliced_is_seen(small: Pictures, form: str, start: float, cut: bytes, upto: float) -> None:
    whole = small[form]
    first, last = sorted((int(start * len(whole)), int(upto * len(whole))))
    data = whole[:first] + cut + whole[last:]
    if data and signed(data).state == "found":
        assert same_picture(data, whole)


@hypothesis(max_examples=40)
@given(st.binary(min_size=1, max_size=600))
def test_any_bytes_are_reported_or_refused(data: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif", b"II*\0"):
        found = reported(head + data)
        assert found is None or found.made is None
