"""Pictures from elsewhere: the API of Black Forest Labs and those like OpenAI's, by stand-ins with the documented
shapes. What is asked goes through the door and into its ledger."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson
import pytest

from eclair.errors import EclairError, EngineBroken, EngineRefused, EngineUnavailable, InvalidInput, Refused
from eclair.images.backends.backend_registry import image_backends
from eclair.images.backends.bfl_backend import MAX_POLL_FAILURES, BflBackend
from eclair.images.backends.openai import OpenAIImageBackend
from eclair.images.backends.servers import ImageServers
from eclair.images.job import ImageJob
from eclair.llm.servers.bfl import CreditsProber
from eclair.llm.servers.probe import Probe, ProbeFinding
from eclair.llm.servers.service import ServerChange, ServerService
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage
from eclair.settings import EndpointSettings, EngineSettings, Settings
from eclair.storage.base import Storage
from eclair.storage.egress import CallRecord as Row
from eclair.storage.servers import StoredServer
from tests.images.conftest import left_open, png
from tests.images.support import job_of
from tests.llm.standin import Answer, Call, StandIn, cut, standing_in

JOB = job_of("a blue apple", 1024, 768, seed=7, steps=30, guidance=4.0)
KEY = "secret-key"
RemoteBackend = BflBackend | OpenAIImageBackend


@dataclass
class Ledger:
    rows: list[Row] = field(default_factory=list[Row])

    async def begin(self, call: Row) -> int:
        return 0

    def record(self, call: Row, begun: Awaitable[int] | None = None) -> None:
        self.rows.append(call)


async def nobody() -> Sequence[StoredServer]:
    return []


async def at_once(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


def says(status: int, body: object, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda call: call.reply(status, content, **headers)


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


async def drawn(generator: RemoteBackend, id: str, job: ImageJob = JOB) -> tuple[list[BackendProgress], UnmarkedImage]:
    told: list[BackendProgress] = []
    async for piece in generator.generate(replace(job, model=await model(generator, id), run="run_1")):
        if isinstance(piece, UnmarkedImage):
            return told, piece
        told.append(piece)
    raise AssertionError("nothing was drawn")


async def model(generator: RemoteBackend, id: str) -> ImageModel:
    return next(each for each in await generator.models() if each.id == id)


async def refused(generator: RemoteBackend, id: str, job: ImageJob = JOB) -> EclairError:
    with pytest.raises(EclairError) as caught:
        await drawn(generator, id, job)
    assert KEY not in caught.value.message
    return caught.value


# Black Forest Labs


class Lab:
    """Its API; `answers` are what it says to those who ask after a wish, the last of them again and again."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.answers: list[Answer] = []
        self.image = says(200, png())
        self.polling = f"{standin.url}/v1/get_result?id=task"
        for path in ("/v1/flux-2-pro", "/v1/flux-2-flex", "/v1/flux-kontext-pro"):
            standin.routes[path] = self.submit
        standin.routes["/v1/get_result?id=task"] = self.result
        standin.routes["/sample.png?sig=1"] = lambda call: self.image(call)

    async def submit(self, call: Call) -> None:
        await call.reply(200, orjson.dumps({"id": "task", "polling_url": self.polling, "cost": 3.0}))

    async def result(self, call: Call) -> None:
        await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(call)

    def ready(self, **more: object) -> Answer:
        sample = f"{self.standin.url}/sample.png?sig=1"
        return says(200, {"id": "task", "status": "Ready", "result": {"sample": sample, "seed": 9, **more}})

    @property
    def wish(self) -> dict[str, Any]:
        return next(call.json for call in self.standin.calls if call.method == "POST")


PENDING = {"id": "task", "status": "Pending", "result": None, "progress": 0.4}


@pytest.fixture
def lab(standin: StandIn) -> Lab:
    return Lab(standin)


@pytest.fixture
def bfl(lab: Lab, settings: Settings) -> BflBackend:
    own = replace(settings, engines={"bfl": EngineSettings(f"{lab.standin.url}/v1", key=KEY)})
    return BflBackend(ImageServers(own, nobody), sleep=at_once)


async def test_a_wish_is_handed_in_asked_after_and_fetched(lab: Lab, bfl: BflBackend) -> None:
    lab.answers = [says(200, PENDING), lab.ready(prompt="a very blue apple")]
    told, picture = await drawn(bfl, "flux-2-pro")
    assert told == [BackendProgress(40, 100)]
    assert picture == UnmarkedImage(png(), 9, "a very blue apple")
    assert lab.wish == {
        "prompt": "a blue apple",
        "seed": 7,
        "output_format": "png",
        "width": 1024,
        "height": 768,
    }
    keys = [call.headers.get("x-key") for call in lab.standin.calls]
    assert keys == [KEY, KEY, KEY, None], "the picture's own address needs none"


async def test_what_a_model_takes_is_sent_and_what_it_does_not_take_is_said(lab: Lab, bfl: BflBackend) -> None:
    lab.answers = [lab.ready()]
    await drawn(bfl, "flux-2-flex", replace(JOB, sources=(png(), b"two")))
    assert (lab.wish["steps"], lab.wish["guidance"]) == (30, 4.0)
    assert base64.b64decode(lab.wish["input_image"]) == png()
    assert base64.b64decode(lab.wish["input_image_2"]) == b"two"
    lab.standin.calls.clear()
    await drawn(bfl, "flux-kontext-pro", replace(JOB, sources=(png(),)))
    assert (lab.wish["aspect_ratio"], "width" in lab.wish) == ("4:3", False)
    assert (
        "takes at most 1 images" in (await refused(bfl, "flux-kontext-pro", replace(JOB, sources=(b"", b"")))).message
    )
    for job, param in (
        (replace(JOB, negative="trees"), "negative"),
        (replace(JOB, sources=(png(),), mask=left_open()), "mask"),
    ):
        error = await refused(bfl, "flux-2-pro", job)
        assert (type(error), error.param) == (InvalidInput, param)
    pro = await model(bfl, "flux-pro-1.1")
    assert (pro.edits, pro.multiple, pro.jurisdiction, pro.state) == (False, 32, None, "ready")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (says(403, {"detail": "Not authenticated"}), EngineRefused, "does not accept the key"),
        (says(402, {"detail": f"Insufficient credits for {KEY}"}), EngineRefused, "no credit left"),
        (says(422, {"detail": [{"loc": ["body", "width"], "msg": "too small"}]}), EngineRefused, "too small"),
        (says(429, {"detail": "Rate limit exceeded"}), EclairError, "is busy: Rate limit exceeded."),
        (says(503, b"<html>"), EngineUnavailable, "status 503"),
        (says(200, b"{"), EngineBroken, "send JSON"),
        (says(200, {"id": "task"}), EngineBroken, "refers to another server"),
        (says(200, {"polling_url": "http://169.254.169.254/"}), EngineBroken, "refers to another server (169.254"),
        (says(200, {"polling_url": "http://127.0.0.1:9/v1/x"}), EngineBroken, "refers to another server (127.0.0.1"),
        (says(200, {"polling_url": "https://127.0.0.1/v1/x"}), EngineBroken, "refers to another server (127.0.0.1"),
        (says(200, {"polling_url": "http://[x"}), EngineBroken, "refers to another server (nowhere"),
        (cut, EngineUnavailable, "cannot be reached"),
    ],
)
async def test_a_wish_that_is_not_taken(
    lab: Lab, bfl: BflBackend, answer: Answer, kind: type[EclairError], words: str
) -> None:
    lab.standin.routes["/v1/flux-2-pro"] = answer
    error = await refused(bfl, "flux-2-pro")
    assert isinstance(error, kind)
    assert words in error.message


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ({"status": "Request Moderated", "result": None}, EngineRefused, "moderation rejects the prompt"),
        ({"status": "Content Moderated", "result": None}, EngineRefused, "moderation rejects the image"),
        ({"status": "Task not found"}, EngineBroken, "has lost the request"),
        ({"status": "Error", "details": {"error": "out of order"}}, EngineBroken, "out of order"),
        ({"status": "Resting"}, EngineBroken, "'Resting', which isn't understood"),
        ({"status": "Ready", "result": {"sample": "https://elsewhere.example/x.png"}}, EngineBroken, "elsewhere"),
        ({"status": "Ready", "result": {}}, EngineBroken, "nowhere"),
        ({"status": "Pending"}, EngineUnavailable, "generated nothing in 300 seconds"),
    ],
)
async def test_a_wish_that_comes_to_nothing(
    lab: Lab, bfl: BflBackend, data: object, kind: type[EclairError], words: str
) -> None:
    lab.answers = [says(200, data)]
    error = await refused(bfl, "flux-2-pro")
    assert isinstance(error, kind)
    assert words in error.message


async def test_a_few_troubles_while_it_is_asked_after_are_borne(lab: Lab, bfl: BflBackend) -> None:
    lab.answers = [says(500, b""), cut, says(429, b""), says(200, b"{"), lab.ready()]
    with pytest.raises(EngineBroken, match="send JSON"):
        await drawn(bfl, "flux-2-pro")
    lab.answers = [says(500, b""), cut, says(429, b""), says(503, b""), lab.ready()]
    assert (await drawn(bfl, "flux-2-pro"))[1].image == png()
    lab.answers = [says(500, {"detail": "on fire"})]
    assert "on fire" in (await refused(bfl, "flux-2-pro")).message
    assert len([call for call in lab.standin.calls if "get_result" in call.path]) == 4 + 5 + MAX_POLL_FAILURES


async def test_a_picture_that_is_none(lab: Lab, bfl: BflBackend) -> None:
    lab.answers = [lab.ready()]
    lab.image = says(200, b"<html>expired</html>")
    assert "sent no valid image" in (await refused(bfl, "flux-2-pro")).message
    lab.image = says(403, b"expired")
    assert isinstance(await refused(bfl, "flux-2-pro"), EngineRefused)

    async def half(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n" + png()[:20])
        await cut(call)

    lab.image = half
    assert "broke off" in (await refused(bfl, "flux-2-pro")).message


async def test_the_policy_holds_and_what_passes_is_put_down(
    standin: StandIn, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API under its own name, behind a proxy."""
    monkeypatch.setenv("http_proxy", standin.url)
    monkeypatch.setenv("no_proxy", "")
    there = "http://api.eu.bfl.ai/v1"
    polled, sample = "http://api.eu2.bfl.ai/v1/get_result?id=1", "http://delivery.eu2.bfl.ai/x.png"
    standin.routes[f"{there}/flux-2-pro"] = says(200, {"id": "1", "polling_url": polled})
    standin.routes[polled] = says(200, {"status": "Ready", "result": {"sample": sample}})
    standin.routes[sample] = says(200, png())
    servers = ImageServers(replace(settings, engines={"lab": EngineSettings(there, key=KEY)}), nobody)
    for rules in (OutboundPolicy("offline"), OutboundPolicy("eu")):
        ledger = Ledger()
        closed = BflBackend(servers, gate=OutboundGate(rules, ledger), sleep=at_once)
        locked = await model(closed, "flux-2-pro")
        assert (locked.state, locked.jurisdiction, locked.country) == ("locked", "US", "DE")
        assert f"api.eu.bfl.ai may not be called: the policy is `{rules.mode}`" in (locked.why or "")
        assert isinstance(await refused(closed, "flux-2-pro"), Refused)
        assert [row.verdict for row in ledger.rows] == ["refused"]
    assert not standin.calls
    for rules in (OutboundPolicy("listed"), OutboundPolicy("eu", ("bfl.ai",))):
        ledger = Ledger()
        opened = BflBackend(servers, gate=OutboundGate(rules, ledger), sleep=at_once)
        assert (await drawn(opened, "flux-2-pro"))[1].image == png()
        rows = [(row.host, row.run, row.owner, row.verdict, row.country) for row in ledger.rows]
        hosts_called = ["api.eu.bfl.ai", "api.eu2.bfl.ai", "delivery.eu2.bfl.ai"]
        assert rows == [(host, "run_1", "local", "passed", "US") for host in hosts_called]


async def test_a_server_that_was_added_keeps_its_key_and_is_tried(
    lab: Lab, settings: Settings, storage: Storage
) -> None:
    servers = ServerService(settings, storage)
    await servers.add("bfl", ServerChange(url=lab.standin.url, key=KEY))
    lab.standin.routes["/v1/credits"] = says(200, {"credits": 42.5})
    found = [each async for each in servers.probe("bfl")]
    assert isinstance(found[-1], Probe)
    assert (found[-1].fault, found[-1].notes) == (None, ("It makes images; 42.5 credits are left.",))
    assert lab.standin.calls[-1].headers["x-key"] == KEY
    lab.answers = [lab.ready()]
    known = image_backends(settings, storage.servers.list_servers)
    assert {"diffusers", "sdcpp", "bfl", "openai"} <= {generator.name for generator in known}
    (bfl,) = (each for each in known if isinstance(each, BflBackend))
    ids = {model.id for model in await bfl.models()}
    assert ids >= {"flux-2-pro", "flux-2-klein-4b@bfl"}, "the catalog has one of that name"
    lab.standin.calls.clear()
    assert (await drawn(bfl, "flux-2-pro"))[1].image == png()
    assert lab.standin.calls[0].headers["x-key"] == KEY


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (says(403, {"detail": "no"}), "failed", "does not accept the key"),
        (says(404, b""), "no", "not one of this API"),
        (says(200, {"credits": "many"}), "no", "not one of this API"),
        (says(500, {"detail": "on fire"}), "failed", "on fire."),
        (cut, "failed", "cannot be reached"),
    ],
)
async def test_a_key_that_is_not_accepted(standin: StandIn, answer: Answer, outcome: str, words: str) -> None:
    standin.routes["/v1/credits"] = answer
    found = [each async for each in CreditsProber(standin.url, KEY).run()]
    assert isinstance(found[0], ProbeFinding)
    assert found[0].outcome == outcome
    assert isinstance(found[-1], Probe)
    assert words in (found[-1].fault or "")


# OpenAI's images API


@pytest.fixture
def rack(standin: StandIn, settings: Settings) -> OpenAIImageBackend:
    listed = [{"id": name} for name in ("gpt-image-1", "FLUX.1-schnell", "llama", "nomic-embed", "dall-e-3")]
    standin.routes["/v1/models"] = says(200, {"data": listed})
    engine = EngineSettings(f"{standin.url}/v1", key=KEY, pictures=("my-own",))
    return OpenAIImageBackend(ImageServers(replace(settings, engines={"rack": engine}), nobody))


def coded(image: bytes = png(), **more: object) -> dict[str, Any]:
    return {"created": 1, "data": [{"b64_json": base64.b64encode(image).decode(), **more}]}


async def test_models_are_known_by_their_names_or_the_settings(standin: StandIn, rack: OpenAIImageBackend) -> None:
    found = {model.id: model for model in await rack.models()}
    assert list(found) == ["my-own", "gpt-image-1", "FLUX.1-schnell", "dall-e-3"]
    assert (found["gpt-image-1"].edits, found["gpt-image-1"].masks, found["my-own"].edits) == (True, True, False)
    assert found["dall-e-3"].most == 1792
    await rack.models()
    assert len(standin.calls) == 1, "a list is asked for now and then"


async def test_a_picture_is_asked_for(standin: StandIn, rack: OpenAIImageBackend) -> None:
    standin.routes["/v1/images/generations"] = says(200, coded(revised_prompt="a very blue apple"))
    _, picture = await drawn(rack, "my-own")
    assert picture == UnmarkedImage(png(), None, "a very blue apple")
    fields = {"model": "my-own", "prompt": "a blue apple", "n": 1, "size": "1024x768"}
    assert standin.calls[-1].json == fields | {"response_format": "b64_json", "seed": 7}
    assert standin.calls[-1].headers["authorization"] == f"Bearer {KEY}"
    await drawn(rack, "gpt-image-1")
    assert standin.calls[-1].json == fields | {"model": "gpt-image-1"}


async def test_another_endpoint_takes_over(standin: StandIn, settings: Settings) -> None:
    async with standing_in() as other:
        for each in (standin, other):
            each.routes["/v1/models"] = says(200, {"data": [{"id": "flux-1"}]})
        standin.routes["/v1/images/generations"] = says(503, {"error": {"message": "The rack is off."}})
        other.routes["/v1/images/generations"] = says(200, coded())
        engine = EngineSettings(
            f"{standin.url}/v1", weight=1000, endpoints=(EndpointSettings(f"{other.url}/v1", 0.001),)
        )
        servers = ImageServers(replace(settings, engines={"rack": engine}), nobody)
        backend = OpenAIImageBackend(servers)
        for _ in range(3):
            _, image = await drawn(backend, "flux-1")
            assert image.image == png()
        asked = [sum(call.path == "/v1/images/generations" for call in each.calls) for each in (standin, other)]
        assert asked == [1, 3]
        other.routes["/v1/images/generations"] = says(400, {"error": {"message": "The prompt is too long."}})
        assert isinstance(await refused(backend, "flux-1"), EngineRefused)
        other.routes["/v1/images/generations"] = says(503, {"error": {"message": "Off, too."}})
        assert isinstance(await refused(backend, "flux-1"), EngineUnavailable)


async def test_a_model_is_asked_of_the_endpoint_that_lists_it(standin: StandIn, settings: Settings) -> None:
    async with standing_in() as other:
        standin.routes["/v1/models"] = says(200, {"data": [{"id": "flux-1"}]})
        other.routes["/v1/models"] = says(200, {"data": [{"id": "flux-2"}]})
        engine = EngineSettings(
            f"{standin.url}/v1", weight=1000, endpoints=(EndpointSettings(f"{other.url}/v1", 0.001),), pictures=("own",)
        )
        backend = OpenAIImageBackend(ImageServers(replace(settings, engines={"rack": engine}), nobody))
        standin.routes["/v1/images/generations"] = says(404, {"error": {"message": "No such model."}})
        other.routes["/v1/images/generations"] = says(200, coded())
        assert (await drawn(backend, "flux-2"))[1].image == png()
        assert not [call for call in standin.calls if call.path == "/v1/images/generations"]
        assert isinstance(await refused(backend, "own"), EngineRefused), "no list has it: any may be asked"
        assert standin.calls[-1].path == "/v1/images/generations"


async def test_fields_that_a_server_refuses_are_left_out(standin: StandIn, rack: OpenAIImageBackend) -> None:
    async def particular(call: Call) -> None:
        for name in ("response_format", "seed"):
            if name in call.json:
                await call.reply(400, orjson.dumps({"error": {"message": f"Unknown parameter: '{name}'."}}))
                return
        await call.reply(200, orjson.dumps(coded()))

    standin.routes["/v1/images/generations"] = particular
    assert (await drawn(rack, "my-own"))[1].image == png()


async def test_pictures_are_edited_in_a_form(standin: StandIn, rack: OpenAIImageBackend) -> None:
    standin.routes["/v1/images/edits"] = says(200, coded())
    await drawn(rack, "gpt-image-1", replace(JOB, sources=(png(), b"\xff\xd8two"), mask=left_open()))
    call = standin.calls[-1]
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    parts = list(BytesParser(policy=HTTP).parsebytes(head + call.body).iter_parts())
    named = [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]
    assert named == [
        ("model", b"gpt-image-1"),
        ("prompt", b"a blue apple"),
        ("n", b"1"),
        ("size", b"1024x768"),
        ("image[]", png()),
        ("image[]", b"\xff\xd8two"),
        ("mask", left_open()),
    ]
    assert [part.get_content_type() for part in parts[4:]] == ["image/png", "image/jpeg", "image/png"]
    assert (await refused(rack, "dall-e-3", replace(JOB, sources=(png(),)))).param == "sources"
    assert (await refused(rack, "gpt-image-1", replace(JOB, mask=left_open()))).param == "mask"


async def test_the_key_goes_to_no_other_port_of_the_host(standin: StandIn, rack: OpenAIImageBackend) -> None:
    async with standing_in() as other:
        other.routes["/1.png"] = says(200, png())
        standin.routes["/v1/images/generations"] = says(200, {"data": [{"url": f"{other.url}/1.png"}]})
        elsewhere = await refused(rack, "my-own")
        assert "offers the image at another address" in elsewhere.message
        assert other.calls == []


async def test_a_picture_behind_an_address(standin: StandIn, rack: OpenAIImageBackend) -> None:
    answer = {"data": [{"url": f"{standin.url}/generated/1.png"}]}
    standin.routes["/v1/images/generations"] = says(200, answer)
    standin.routes["/generated/1.png"] = says(200, png())
    assert (await drawn(rack, "my-own"))[1].image == png()
    inner = {"data": [{"url": "http://localhost:1/x.png"}]}
    standin.routes["/v1/images/generations"] = says(200, inner)
    elsewhere = await refused(rack, "my-own")
    assert "offers the image at another address" in elsewhere.message
    data = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    standin.routes["/v1/images/generations"] = says(200, {"data": [{"url": data}]})
    assert (await drawn(rack, "my-own"))[1].image == png()


MODERATED = {"error": {"code": "moderation_blocked", "message": "Your request was rejected by the safety system."}}
QUOTA = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (says(400, MODERATED), EngineRefused, "its moderation rejects it"),
        (says(429, QUOTA), EngineRefused, "has no credit left: You exceeded your current quota."),
        (says(429, {"error": {"message": "slow down"}}), EclairError, "is busy: slow down."),
        (says(401, {"error": {"message": f"Incorrect API key {KEY}"}}), EngineRefused, "does not accept the key"),
        (says(404, {"error": {"message": "The model is gone"}}), EngineRefused, "The model is gone."),
        (says(400, {"error": {"message": "Invalid size"}}), EngineRefused, "refuses the request: Invalid size."),
        (says(500, b"<html>"), EngineBroken, "status 500"),
        (says(200, b"not json"), EngineBroken, "send JSON"),
        (says(200, []), EngineBroken, "isn't understood"),
        (says(200, {"data": []}), EngineBroken, "replied without an image"),
        (says(200, {"data": [{"b64_json": None}]}), EngineBroken, "replied without an image"),
        (says(200, {"data": [{"b64_json": "%%%"}]}), EngineBroken, "no valid image"),
        (says(200, coded(b"no picture")), EngineBroken, "no valid image"),
        (cut, EngineUnavailable, "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_draw(
    standin: StandIn, rack: OpenAIImageBackend, answer: Answer, kind: type[EclairError], words: str
) -> None:
    standin.routes["/v1/images/generations"] = answer
    error = await refused(rack, "gpt-image-1")
    assert isinstance(error, kind)
    assert words in error.message


async def test_closing_ends_the_call(standin: StandIn, rack: OpenAIImageBackend) -> None:
    gone = asyncio.Event()

    async def endless(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n{")
        assert await call.gone()
        gone.set()

    standin.routes["/v1/images/generations"] = endless
    task = asyncio.create_task(drawn(rack, "my-own"))
    async with asyncio.timeout(20):
        while not any(call.path.endswith("generations") for call in standin.calls):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()


async def test_a_server_that_is_down_lists_nothing_and_a_closed_policy_asks_nothing(settings: Settings) -> None:
    engines = {
        "down": EngineSettings("http://127.0.0.1:1/v1"),
        "far": EngineSettings("https://api.openai.com/v1", models=("gpt-image-1", "gpt-5")),
    }
    offered = await OpenAIImageBackend(ImageServers(replace(settings, engines=engines), nobody)).models()
    assert [(model.id, model.state) for model in offered] == [("gpt-image-1", "locked")]
    assert "the policy is `offline`" in (offered[0].why or "")
