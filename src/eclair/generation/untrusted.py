"""Neutralizes foreign text in prompts: that of files and web pages, their titles, headings and names.

It must neither end the block that marks it as data, nor hold a control token: engines read those of a filled chat
template as its own, so that a document could open a system turn. A space within the token makes it plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from eclair.schema.mcp_servers import MCP_NAME_SEPARATOR
from eclair.schema.messages import Message

_BLOCK_TAG = re.compile(r"<\s*+/?\s*+(passages|notes|closest|memories|part)\b[^>]*+>?", re.IGNORECASE)

_BRACKETED = (
    "INST|SYSTEM_PROMPT|MODEL_SETTINGS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK"
    "|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|PREFIX|MIDDLE|SUFFIX|TRANSCRIBE|STREAMING_PAD"  # Mistral
    r"|CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK|sMASK|UNUSED_TOKEN_\d{1,6}|control_\d{1,6}"  # BERT, GLM, InternLM
)
_ANGLED = (
    "s|bos|eos|pad|unk|mask|cls|sep|sop|eop|eod|eoh|eoa|BOS_TOKEN|EOS_TOKEN|PAD_TOKEN|endoftext|startoftext"
    "|start_of_turn|end_of_turn|start_of_image|end_of_image|image_soft_token|end_of_utterance"  # Gemma, SmolVLM
    "|think|thinking|tools|tool_call|tool_calls|tool_code|tool_output|tool_response|function_call"
    "|fim_prefix|fim_middle|fim_suffix|fim_pad|file_sep|repo_name|image|video|audio"
    r"|__media__|extra_id_\d{1,6}|reserved_\d{1,6}|unused\d{1,6}|SPECIAL_\d{1,6}|special_token_\d{1,6}"
)
_FIRST_CHARACTER = re.compile(
    r"<(?=[|｜][^\s|｜<>]{1,64}[|｜]>"  # ChatML, Llama 3, Phi, Command, GPT-OSS, DeepSeek: <|im_start|>
    r"|\|/?\w{1,32}>|/?\w{1,32}\|>"  # halves: <|turn> and <turn|>
    r"|</?SYS>>"  # Llama 2
    rf"|/?(?:{_ANGLED})>)"
    rf"|\[(?=/?(?:{_BRACKETED})\])",
    re.IGNORECASE,
)
"""The first character of a control token of a known family."""


def has_foreign_text(history: Iterable[Message]) -> bool:
    """Return whether a conversation has texts that the person didn't write: files, libraries, or what was found."""
    return any(message.passages or message.files or message.libraries or _has_results(message) for message in history)


def _has_results(message: Message) -> bool:
    """Tell whether calls of an answer brought texts from elsewhere: of MCP servers, or from outside."""
    found = (call for call in message.calls if call.outcome is not None)
    return any(call.access == "outbound" or MCP_NAME_SEPARATOR in call.tool for call in found)


def neutralize(text: str, control_tokens: tuple[str, ...] = ()) -> str:
    """Return a foreign text that neither ends its block nor holds a control token.

    `control_tokens` are those of the model beside the well-known ones.
    """
    return break_control_tokens(_BLOCK_TAG.sub(r"[\1]", text), control_tokens)


def neutralize_line(text: str, control_tokens: tuple[str, ...] = ()) -> str:
    """Return a foreign name or title on one line, neutralized."""
    return " ".join(neutralize(text, control_tokens).split())


def break_control_tokens(text: str, control_tokens: tuple[str, ...] = ()) -> str:
    """Return the text with a space in each control token."""
    broken = _FIRST_CHARACTER.sub(r"\g<0> ", text)
    return _breaker(control_tokens)(broken) if control_tokens else broken


@lru_cache(maxsize=16)
def _breaker(control_tokens: tuple[str, ...]) -> Callable[[str], str]:
    """Return what breaks those of the tokens that the well-known patterns miss."""
    missed = [token for token in control_tokens if len(token) > 1 and _FIRST_CHARACTER.sub(r"\g<0> ", token) == token]
    if not missed:
        return str
    pattern = re.compile("|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in missed))
    return lambda text: pattern.sub(r"\g<0> ", text)
