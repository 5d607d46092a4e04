"""Calls to an object store pass the outbound gate: recorded outside the house, refused where the policy says so."""

from __future__ import annotations

import pytest

from eclair.errors import StoreError
from eclair.network.blob_calls import StoreCalls
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from tests.network.gates import Rows

OUTSIDE = "https://s3.example.eu/bucket/files/ab/abcd"
INSIDE = ("http://minio:9000/bucket/files/ab/abcd", "http://10.0.0.9:9000/bucket", "http://127.0.0.1:9000/bucket")


async def test_a_call_that_leaves_the_house_is_recorded() -> None:
    rows = Rows()
    calls = StoreCalls(OutboundGate(OutboundPolicy("open"), rows))
    async with calls.call("PUT", OUTSIDE, 1000) as counted:
        counted.received = 7
    with pytest.raises(FileNotFoundError):
        async with calls.call("GET", OUTSIDE, 0):
            raise FileNotFoundError
    with pytest.raises(StoreError):
        async with calls.call("GET", OUTSIDE, 0):
            raise StoreError("The store is down.")
    found = [(call.purpose, call.host, call.verdict, call.reason) for call in rows.calls]
    assert found == [
        ("storage", "s3.example.eu", "passed", None),
        ("storage", "s3.example.eu", "passed", None),
        ("storage", "s3.example.eu", "failed", "The store is down."),
    ]
    assert rows.calls[0].sent >= 1000
    assert rows.calls[0].received == 7


@pytest.mark.parametrize("url", INSIDE)
async def test_a_store_in_the_house_is_called_without_a_record(url: str) -> None:
    rows = Rows()
    async with StoreCalls(OutboundGate(OutboundPolicy("listed"), rows)).call("PUT", url, 1000):
        pass
    assert rows.calls == []


@pytest.mark.parametrize("url", [OUTSIDE, INSIDE[0]])
async def test_a_policy_that_lets_nothing_out_names_itself(url: str) -> None:
    calls = StoreCalls(OutboundGate(OutboundPolicy("offline"), Rows()))
    with pytest.raises(StoreError, match="the policy is `offline`"):
        async with calls.call("GET", url, 0):
            raise AssertionError("it was called")
