"""What the drawing process and its parent say to each other, and what they read of a folder of weights, whatever it
holds."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eclair.images.backends.diffusers import device_plan, families, pipeline_protocol, safetensors
from eclair.images.backends.diffusers.device_plan import DeviceMemory, DevicePlan, DoesNotFit
from eclair.util.frames import FrameError

INTEGERS = st.integers(-(2**63), 2**63 - 1)
BLOBS = st.lists(st.binary(max_size=40), max_size=3).map(tuple)
MESSAGES = st.one_of(
    st.builds(pipeline_protocol.LoadPipelineRequest, st.text(), st.text(), st.text(), INTEGERS, st.text(), BLOBS),
    st.builds(
        pipeline_protocol.GenerateRequest,
        INTEGERS,
        st.text(),
        INTEGERS,
        INTEGERS,
        INTEGERS,
        INTEGERS,
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        BLOBS,
    ),
    st.builds(pipeline_protocol.StopRequest, INTEGERS),
    st.builds(pipeline_protocol.Heartbeat),
    st.builds(pipeline_protocol.PipelineLoaded, st.text(), st.text(), st.text(), st.booleans()),
    st.builds(pipeline_protocol.StepReport, INTEGERS, INTEGERS, INTEGERS, BLOBS),
    st.builds(pipeline_protocol.ImageReport, INTEGERS, BLOBS),
    st.builds(pipeline_protocol.StoppedReport, INTEGERS, INTEGERS),
    st.builds(
        pipeline_protocol.FailureReport,
        INTEGERS,
        st.sampled_from(["memory", "damaged", "missing", "input", "broken"]),
        st.text(),
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
GIB = 1 << 30


@given(MESSAGES)
def test_what_is_said_is_heard(message: pipeline_protocol.PipelineRequest | pipeline_protocol.PipelineReport) -> None:
    if isinstance(message, pipeline_protocol.PipelineRequest):
        assert (
            pipeline_protocol.REQUEST_CODEC.read(io.BytesIO(pipeline_protocol.REQUEST_CODEC.encode(message))) == message
        )
    else:
        assert (
            pipeline_protocol.REPORT_CODEC.read(io.BytesIO(pipeline_protocol.REPORT_CODEC.encode(message))) == message
        )


@pytest.mark.parametrize(
    "head",
    [
        '["Step", {"job": 1, "done": "2", "of": 3, "blobs": []}, [2]]',
        '["Step", {"job": 1, "done": 2, "blobs": []}, [2]]',
        '["Made", {"job": 1, "blobs": [1]}, [2]]',
        '["Failed", {"job": 1, "trouble": "mine", "message": "", "blobs": []}, [2]]',
        '["Load", {}, [2]]',
    ],
)
def test_a_report_of_other_values_is_none(head: str) -> None:
    with pytest.raises(FrameError):
        pipeline_protocol.REPORT_CODEC.decode(head.encode(), b"ab")


@given(st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_what_is_no_index_is_said_so(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        families.parse_index(data)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"_class_name": "StableDiffusionPipeline"}, "it is for StableDiffusionPipeline"),
        ({"_class_name": "FluxPipeline", "vae": ["own_code", "Vae"]}, "code of its own"),
        ({"_class_name": "FluxPipeline", "../../x": ["diffusers", "Vae"]}, "folders that are elsewhere"),
    ],
)
def test_an_index_that_is_not_drawn_with(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        families.parse_index(json.dumps(table).encode())


@given(st.binary(max_size=60))
def test_weights_of_any_bytes_are_damaged(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "part").mkdir()
    (folder / "part" / "x.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"part/x\.safetensors is damaged"):
        safetensors.count_parameters(folder, ["part"])


def test_weights_are_counted(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    head = json.dumps({"a": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}, "__metadata__": {}}).encode()
    file = tmp_path / "part" / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(head)) + head + bytes(24))
    assert safetensors.count_parameters(tmp_path, ["part", "tokenizer"]) == {"part": 12}
    file.write_bytes(struct.pack("<Q", len(head)) + head + bytes(20))
    with pytest.raises(ValueError, match="is damaged: it has"):
        safetensors.count_parameters(tmp_path, ["part"])
    with pytest.raises(ValueError, match="it has no weights"):
        safetensors.count_parameters(tmp_path, ["tokenizer"])


SCHNELL = {"transformer": 11_900_000_000, "text_encoder_2": 4_760_000_000, "vae": 84_000_000}


@pytest.mark.parametrize(
    ("machine", "layout_"),
    [
        (DeviceMemory("cuda", 80 * GIB, 128 * GIB, True), DevicePlan("cuda", "bfloat16", "none")),
        (DeviceMemory("cuda", 30 * GIB, 64 * GIB, True), DevicePlan("cuda", "bfloat16", "parts")),
        (DeviceMemory("cuda", 12 * GIB, 64 * GIB, True), DevicePlan("cuda", "bfloat16", "pieces")),
        (DeviceMemory("cuda", 80 * GIB, 64 * GIB, False), DevicePlan("cuda", "float16", "none")),
        (DeviceMemory("cpu", 0, 128 * GIB, False), DevicePlan("cpu", "float32", "none")),
        (DeviceMemory("cpu", 0, 128 * GIB, True), DevicePlan("cpu", "bfloat16", "none")),
        (DeviceMemory("cpu", 0, 48 * GIB, False), DevicePlan("cpu", "bfloat16", "none")),
        (DeviceMemory("mps", 0, 64 * GIB, True), DevicePlan("mps", "bfloat16", "none")),
        (DeviceMemory("cpu", 0, 32 * GIB, False), "it needs 36.7 GB of memory, and 34.4 GB are free"),
        (DeviceMemory("cuda", 12 * GIB, 16 * GIB, True), "it needs 33.5 GB of memory, and 17.2 GB are free"),
    ],
)
def test_a_model_is_laid_out_as_it_fits(machine: DeviceMemory, layout_: DevicePlan | str) -> None:
    if isinstance(layout_, str):
        with pytest.raises(DoesNotFit, match=layout_):
            device_plan.plan_device(SCHNELL, machine)
    else:
        assert device_plan.plan_device(SCHNELL, machine) == layout_
