"""A stand-in for the Gemini API, as strict about headers and bodies."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.llm.standin import Call, StandIn

JSON = dict[str, Any]
KEY = "AIza-quite-secret"
SIGNATURE = "c2lnbmVk"

PART: dict[str, set[str]] = {
    "text": {"text", "thought", "thoughtSignature"},
    "inlineData": {"inlineData"},
    "functionCall": {"functionCall", "thoughtSignature"},
    "functionResponse": {"functionResponse"},
}
CONFIG = {
    *("temperature", "topP", "topK", "maxOutputTokens", "seed", "stopSequences", "presencePenalty"),
    *("frequencyPenalty", "responseMimeType", "responseJsonSchema", "thinkingConfig"),
}
FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}


def row(id: str, *methods: str, **more: Any) -> JSON:
    """A model of the list."""
    limits = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
    about = {"name": f"models/{id}", "version": "001", "displayName": "Gemini Muse", **limits}
    return {**about, "supportedGenerationMethods": list(methods or ("generateContent", "countTokens")), **more}


def check_body(body: JSON, model: str) -> str | None:
    """Return what the API would refuse."""
    unknown = (set(body) - FIELDS) | (set(body.get("generationConfig", {})) - CONFIG)
    if unknown:
        return f'Invalid JSON payload received. Unknown name "{unknown.pop()}": Cannot find field.'
    if not body.get("contents"):
        return "* GenerateContentRequest.contents: contents is not specified"
    for turn in body["contents"]:
        if turn["role"] not in ("user", "model") or not turn["parts"]:
            return "Please use a valid role: user, model."
        for part in turn["parts"]:
            kind = next((kind for kind in PART if kind in part), None)
            if kind is None or not set(part) <= PART[kind]:
                return f"Invalid value at 'contents.parts': {part}"
    return _check_calls(body["contents"], model)


def _check_calls(contents: list[JSON], model: str) -> str | None:
    for before, after in itertools.pairwise(contents):
        calls = [part for part in before["parts"] if "functionCall" in part]
        results = [part for part in after["parts"] if "functionResponse" in part]
        if len(calls) != len(results):
            return "Please ensure that the number of function response parts is equal to that of function call parts."
        if calls and model.startswith("gemini-3") and "thoughtSignature" not in calls[0]:
            return "Function call is missing a thought_signature in functionCall parts."
        if any(not isinstance(part["functionResponse"]["response"], dict) for part in results):
            return "Proto field is not repeating, cannot start list."
    return None


def chunk(*parts: JSON, reason: str | None = None, **more: Any) -> bytes:
    candidate: JSON = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": 9, "totalTokenCount": 9}
    data = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-muse", "responseId": "r", **more}
    return b"data: " + orjson.dumps(data) + b"\r\n\r\n"


def answer(*parts: JSON, reason: str = "STOP", **usage: int) -> list[bytes]:
    """A chunk for each part, then the end with the tokens."""
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 12, "totalTokenCount": 21, **usage}
    return [*(chunk(part) for part in parts), chunk({"text": ""}, reason=reason, usageMetadata=counts)]


def obey(body: JSON) -> list[bytes]:
    """The answer of a model that can do what it is asked."""
    mode = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    if mode == "ANY":
        name = body["tools"][0]["functionDeclarations"][0]["name"]
        return answer({"functionCall": {"name": name, "args": {"city": "Paris"}}, "thoughtSignature": SIGNATURE})
    text = "OK"
    if "responseJsonSchema" in body.get("generationConfig", {}):
        text = '{"count": 3}'
    elif any("inlineData" in part for part in body["contents"][-1]["parts"]):
        text = "Red."
    return answer({"text": text}, cachedContentTokenCount=1024)


@dataclass
class SpeakingGemini:
    """Answers with `says` in turn, or the last of it again; refuses what the API would.

    With nothing to say it does what is asked of it: calls a function, keeps to a schema, sees a red square.
    """

    standin: StandIn
    model: str = "gemini-3-muse"
    lists: list[JSON] = field(default_factory=list[JSON])
    says: list[list[bytes]] = field(default_factory=lambda: [answer({"text": "Hello "}, {"text": "there."})])
    bodies: list[JSON] = field(default_factory=list[JSON])

    def __post_init__(self) -> None:
        self.lists = self.lists or [row(self.model), row("embed-muse", "embedContent"), row("draw-muse", "predict")]
        base = "/v1beta/models"
        for path in (base, f"{base}?pageSize=1000"):
            self.standin.routes[path] = self._keyed(self._models)
        self.standin.routes[f"{base}/{self.model}:streamGenerateContent?alt=sse"] = self._keyed(self._answer)
        self.standin.routes[f"{base}/embed-muse:batchEmbedContents"] = self._keyed(self._embed)

    @property
    def url(self) -> str:
        return f"{self.standin.url}/v1beta"

    @property
    def path(self) -> str:
        return f"/v1beta/models/{self.model}:streamGenerateContent?alt=sse"

    def _keyed(self, reply: Callable[[Call], Awaitable[None]]) -> Callable[[Call], Awaitable[None]]:
        async def checked(call: Call) -> None:
            if call.headers.get("x-goog-api-key") != KEY:
                await fail(call, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
            else:
                await reply(call)

        return checked

    async def _models(self, call: Call) -> None:
        await call.reply(200, orjson.dumps({"models": self.lists}), Content_Type="application/json")

    async def _answer(self, call: Call) -> None:
        body = call.json
        self.bodies.append(body)
        wrong = check_body(body, self.model)
        if wrong is not None:
            await fail(call, 400, "INVALID_ARGUMENT", wrong)
        elif not self.says:
            await call.stream(*obey(body))
        else:
            await call.stream(*(self.says.pop(0) if len(self.says) > 1 else self.says[0]))

    async def _embed(self, call: Call) -> None:
        asked = call.json["requests"]
        assert all(each["model"] == "models/embed-muse" for each in asked)
        vectors = [{"values": [0.5, len(each["content"]["parts"][0]["text"])]} for each in asked]
        await call.reply(200, orjson.dumps({"embeddings": vectors}), Content_Type="application/json")


async def fail(call: Call, status: int, kind: str, message: str, *details: JSON, **headers: str) -> None:
    error = {"code": status, "message": message, "status": kind, "details": list(details)}
    await call.reply(status, orjson.dumps({"error": error}), Content_Type="application/json", **headers)
