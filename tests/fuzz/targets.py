"""All targets of fuzzing, by name."""

from __future__ import annotations

from tests.fuzz import files, messages
from tests.fuzz.target import Target

REFUSED_SEEDS = ("a.doc", "error", "refusal.json", "images")
"""The first is only its head, and no model draws."""

TARGETS: dict[str, Target] = {
    "documents": Target(200, files.documents, files.reading),
    "pictures": Target(120, files.pictures, files.decoding),
    "exports": Target(150, files.exports, files.importing),
    "feeds": Target(150, files.feeds, files.feeding),
    "marks": Target(60, files.marked, files.inspecting),
    "models": Target(100, files.models, files.loading),
    "frames": Target(200, messages.frames, messages.framing),
    "streams": Target(250, messages.streams, messages.streaming),
    "replies": Target(150, messages.replies, messages.serving_models),
    "requests": Target(150, messages.requests, messages.requesting),
    "uploads": Target(30, messages.uploads, messages.uploading),
}
