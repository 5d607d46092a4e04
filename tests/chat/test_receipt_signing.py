"""Receipts: what was signed is found valid, and any change of it is found."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.chat.receipt_signing import check_receipt, is_receipt, sign_receipt, write_receipt
from eclair.schema.receipts import (
    Receipt,
    ReceiptAnswer,
    ReceiptCall,
    ReceiptCalls,
    ReceiptImage,
    ReceiptIssuer,
    ReceiptMarks,
    ReceiptModel,
    ReceiptSource,
    ReceiptUsage,
)
from eclair.storage.signing_key import SigningKey, encode_key

MOMENT = "2026-11-28T21:00:00.000Z"


def receipt(key: SigningKey) -> Receipt:
    call = ReceiptCall(MOMENT, "api.example.eu", "FR", "engine", "passed", 200, 1200, 3400, 900)
    source = ReceiptSource(1, "file", "Bericht für Ä.pdf", None, None, 3, 2, "a" * 64, None)
    return Receipt(
        type="eclair.receipt",
        version=1,
        issued=MOMENT,
        issuer=ReceiptIssuer("Éclair", "0.1.0", None, encode_key(key.public())),
        answer=ReceiptAnswer("msg_1", "con_1", "run_1", MOMENT, "finished", "stop", 12, "b" * 64, "c" * 64),
        model=ReceiptModel("muse", "Muse", "Maker", "FR", "Apache-2.0", "rack", "country", "FR", None),
        outside=ReceiptCalls(complete=True, calls=(call,)),
        sources=(source,),
        usage=ReceiptUsage(100, 40, 10, 2000, 1250, "measured", 888, "EUR"),
        marks=ReceiptMarks(
            "trained", "ai-disclosure: mode=machine-generated", (ReceiptImage("img_1", "m", "d" * 64),), 20
        ),
    )


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey(tmp_path_factory.mktemp("key") / "signing.key")


@pytest.fixture(scope="module")
def fields(key: SigningKey) -> dict[str, Any]:
    return orjson.loads(write_receipt(sign_receipt(receipt(key), key)))


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value that is neither an object nor a list."""
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value).items()
        return [found for name, each in named for found in leaves(each, (*path, name))]
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        return [found for index, each in enumerate(listed) for found in leaves(each, (*path, index))]
    return [path]


def changed(fields: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    found = copy.deepcopy(fields)
    place: Any = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return found


def test_a_receipt_is_valid_in_any_layout_and_order(fields: dict[str, Any], key: SigningKey) -> None:
    for data in (
        orjson.dumps(fields),
        orjson.dumps(fields, option=orjson.OPT_INDENT_2),
        orjson.dumps(dict(reversed(fields.items()))),
    ):
        check = check_receipt(data, key.public())
        assert (check.state, check.own) == ("valid", True)
        assert check.receipt is not None
        assert check.receipt.usage.millijoules == 1250
        assert is_receipt(data)


def test_the_key_is_told_apart_from_another(fields: dict[str, Any], key: SigningKey, tmp_path: Path) -> None:
    data = orjson.dumps(fields)
    assert check_receipt(data, None).own is None
    other = SigningKey(tmp_path / "other.key")
    assert check_receipt(data, other.public()).own is False
    forged = changed(fields, ("issuer", "public_key"), encode_key(other.public()))
    assert check_receipt(orjson.dumps(forged), key.public()).state == "altered"


values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_change_of_a_field_is_found(fields: dict[str, Any], key: SigningKey, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(fields)))
    original: Any = fields
    for step in path:
        original = original[step]
    value = data.draw(values.filter(lambda each: (type(each), each) != (type(original), original)))
    check = check_receipt(orjson.dumps(changed(fields, path, value)), key.public())
    assert check.state in ("altered", "unreadable")
    assert check.receipt is None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_changed_byte_is_found_or_means_the_same(
    fields: dict[str, Any], key: SigningKey, data: st.DataObject
) -> None:
    good = orjson.dumps(fields)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([data.draw(st.integers(0, 255))]) + good[place + 1 :]
    check = check_receipt(bad, key.public())
    if check.state == "valid":
        assert orjson.loads(bad) == fields


def test_whole_parts_cannot_be_left_out_added_or_doubled(fields: dict[str, Any], key: SigningKey) -> None:
    for name in fields:
        less = {other: value for other, value in fields.items() if other != name}
        assert check_receipt(orjson.dumps(less), key.public()).state == "unreadable", name
    assert check_receipt(orjson.dumps({**fields, "note": "x"}), key.public()).state == "unreadable"
    for path in (("sources",), ("outside", "calls"), ("marks", "images")):
        assert check_receipt(orjson.dumps(changed(fields, path, [])), key.public()).state == "altered"
    twice = b'{"issued":"never",' + orjson.dumps(fields)[1:]
    assert check_receipt(twice, key.public()).state == "unreadable"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"a":1.5}', b'{"a":NaN}', b"[" * 100_000]
)
def test_what_is_no_receipt_is_told_calmly(data: bytes) -> None:
    assert check_receipt(data, None).state == "unreadable"
    assert not is_receipt(data)
