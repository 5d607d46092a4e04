"""Find regular expressions that take more than linear time on some text, by trying.

For each repeat of a pattern, texts are built that begin as the pattern wants, go on with what the repeat matches, many
times over, and end with something that it doesn't. A pattern fails where twice the text takes much more than twice the
time. `tests/test_redos.py` holds every pattern of Éclair to that; `bench/attacks.py` prints the figures.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import pkgutil
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import eclair
from eclair.text.lexicon import loader

_PARSER: Any = importlib.import_module("re._parser")
SOURCE = Path(eclair.__file__).parent
ALPHABET = " \t\n\r\u00a0aAzZéß09_-–.,:;!?()[]{}<>/\\\"'`*#|&=+@%$€~^。中ア\u0e01\x00"
"""Characters tried for a class; one for each kind that patterns tell apart."""

TAILS = ("", "\x00", "!", "\n", "a", "0", "<", "x y")
SIZES = (16, 20, 24, 28, 32, 48, 64, 128, 512, 2048, 8192, 16384)
"""Characters: close together where time may double with each, since what is exponential would not come back."""

SLOW_S = 0.01
"""No verdict on what is quicker than that; a linear pattern needs about 0.1 ms for the longest text."""

MAX_GROWTH = 1.5
"""Exponent of the time by the length: 1 is linear and 2 quadratic."""

STEADY_GROWTH = 1.2
"""Up to this exponent the longest text is not tried: it would be slow only for being long."""

LINEAR_GROWTH = 1.1
"""Up to this exponent, a text of an eighth of the longest says how long that takes."""

MAX_PAIRS = 120
"""Heads with pumps that are tried for one pattern, each with every tail."""


_CALL = re.compile(r"\bre\s*\.\s*\w+\s*\(")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of the source, `at` "module.py:line", and how it is used there."""

    at: str
    regex: re.Pattern[Any]
    method: str = "search"


@dataclass(frozen=True, slots=True)
class Growth:
    """The worst text that was found: `pump` repeated to `size` characters takes `seconds`, growing by `exponent`."""

    pattern: Pattern
    head: str
    pump: str
    tail: str
    size: int
    seconds: float
    exponent: float

    def __str__(self) -> str:
        text = f"{self.head!r} + {self.pump!r} * n + {self.tail!r}"
        figures = f"n^{self.exponent:.1f}, {self.seconds * 1000:.0f} ms at {self.size}"
        return f"{self.pattern.at} {self.pattern.method}: {text}: {figures}"


def worst_growth(pattern: Pattern, limit_s: float = 1.0) -> Growth | None:
    """Return the attack with the highest exponent above 1; None where every one was quick."""
    end = time.thread_time() + limit_s
    worst: Growth | None = None
    for head, pump, tail in attacks(pattern.regex):
        found = _growth(pattern, head, pump, tail)
        if found is not None and (worst is None or found.exponent > worst.exponent):
            worst = found
        if (worst is not None and worst.exponent > MAX_GROWTH) or time.thread_time() > end:
            break
    return worst


def steady_growth(pattern: Pattern, limit_s: float = 1.0) -> Growth | None:
    """Return the worst growth, measured again where other programs may have disturbed it."""
    growth = worst_growth(pattern, limit_s)
    for _ in range(2):
        if growth is None or growth.exponent <= MAX_GROWTH:
            break
        again = worst_growth(pattern, limit_s)
        growth = again if again is None or again.exponent < growth.exponent else growth
    return growth


def _growth(pattern: Pattern, head: str, pump: str, tail: str) -> Growth | None:
    """Lengthen a text until it is slow, then say how the time grew."""
    took: dict[int, float] = {}
    for size in SIZES:
        took[size] = _took(pattern, head, pump, tail, size)
        if took[size] > SLOW_S:
            took[size] = min(took[size], _took(pattern, head, pump, tail, size))
        if took[size] > SLOW_S:
            shorter = max((each for each in took if each <= size * 0.6), default=size - 4)
            before = min(_took(pattern, head, pump, tail, shorter) for _ in range(3))
            exponent = math.log(took[size] / max(before, 1e-6)) / math.log(size / shorter)
            return Growth(pattern, head, pump, tail, size, took[size], exponent)
        if took[size] * (SIZES[-1] / size) ** 3 < SLOW_S:
            break  # even if it were cubic, the longest text would be quick
        if size == SIZES[-2] and math.log(took[size] / took[SIZES[-3]]) < STEADY_GROWTH * math.log(size / SIZES[-3]):
            break
        if size == SIZES[-3] and _stays_quick(took):
            break
    return None


def _stays_quick(took: Mapping[int, float]) -> bool:
    """Say whether the longest text is quick too: what would be quadratic there, and slow, shows in these already."""
    shorter, size = SIZES[-4], SIZES[-3]
    is_linear = math.log(took[size] / took[shorter]) < LINEAR_GROWTH * math.log(size / shorter)
    return is_linear and took[size] * (SIZES[-1] / size) ** MAX_GROWTH < SLOW_S


def _took(pattern: Pattern, head: str, pump: str, tail: str, size: int) -> float:
    """Return the seconds of this thread's processor time for a text of about so many characters."""
    text = head + pump * (size // len(pump) + 1) + tail
    subject: Any = text.encode("utf-8", "replace") if isinstance(pattern.regex.pattern, bytes) else text
    regex, method = pattern.regex, pattern.method
    begun = time.thread_time()
    match method:
        case "match":
            regex.match(subject)
        case "fullmatch":
            regex.fullmatch(subject)
        case "search":
            regex.search(subject)
        case _:
            deque(cast("Iterator[object]", regex.finditer(subject)), maxlen=0)
    return time.thread_time() - begun


def attacks(regex: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (head, pump, tail): each repeat's own pumps after its own head first, then all pumps alone and mixed."""
    source = regex.pattern.decode("latin-1") if isinstance(regex.pattern, bytes) else regex.pattern
    tree: Any = _PARSER.parse(source, regex.flags & ~re.UNICODE if isinstance(regex.pattern, bytes) else regex.flags)
    repeats = [(head, list(_pumps(body))) for more in (False, True) for head, body in _repeats(tree, "", more=more)]
    pumps = list(dict.fromkeys(pump for _, own in repeats for pump in own))
    heads = list(dict.fromkeys(head for head, _ in repeats))
    pairs = [(head, pump) for head, own in repeats for pump in own]
    pairs += [("", pump) for pump in pumps]
    pairs += [("", head) for head in heads if head]
    pairs += [(head, pump) for head in heads[:6] for pump in pumps[:12]]
    pairs += [("", one + other) for one in pumps[:6] for other in pumps[:6] if one != other]
    for head, pump in list(dict.fromkeys(pairs))[:MAX_PAIRS]:
        for tail in TAILS:
            yield head, pump, tail


def _repeats(tree: Any, head: str, *, more: bool) -> Iterator[tuple[str, Any]]:
    """Yield every repeat without a small bound, with a text before it that matches; `more` has optional parts once."""
    for operation, argument in tree:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            if int(argument[1]) > 8:
                yield head, argument[2]
            yield from _repeats(argument[2], head, more=more)
        elif name == "SUBPATTERN":
            yield from _repeats(argument[3], head, more=more)
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _repeats(branch, head, more=more)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _repeats(argument[1], head, more=more)
        elif name == "ATOMIC_GROUP":
            yield from _repeats(argument, head, more=more)
        head += _sample([(operation, argument)], more=more)


def _pumps(body: Any) -> Iterator[str]:
    """Yield short texts that a repeat's body matches."""
    shortest = _sample(body)
    if shortest:
        yield shortest
    if len(body) == 1:
        operation, argument = body[0]
        name = str(operation)
        if name in ("IN", "ANY", "NOT_LITERAL", "CATEGORY"):
            found = [each for each in ALPHABET if _matches([(operation, argument)], each)]
            yield from found[:10]
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _pumps(branch)
        elif name == "SUBPATTERN":
            yield from _pumps(argument[3])
    longer = _sample(body, more=True)
    if longer != shortest:
        yield longer


def _sample(tree: Any, *, more: bool = False) -> str:
    """Return a short text that a part of a pattern matches; with `more`, optional parts once."""
    text = ""
    for operation, argument in tree:
        name = str(operation)
        if name == "LITERAL":
            text += chr(argument)
        elif name in ("IN", "ANY", "NOT_LITERAL", "CATEGORY"):
            text += next((each for each in "a 0-.<" + ALPHABET if _matches([(operation, argument)], each)), "")
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, body = argument
            text += _sample(body, more=more) * (max(least, 1) if more and most else least)
        elif name == "SUBPATTERN":
            text += _sample(argument[3], more=more)
        elif name == "BRANCH":
            text += min((_sample(branch, more=more) for branch in argument[1]), key=len)
        elif name == "ATOMIC_GROUP":
            text += _sample(argument, more=more)
    return text


def _matches(part: Any, character: str) -> bool:
    operation, argument = part[0]
    name = str(operation)
    if name == "ANY":
        return True
    if name == "NOT_LITERAL":
        return ord(character) != argument
    negated = False
    for kind, value in argument if name == "IN" else [(operation, argument)]:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL" if chr(value) == character:
                return not negated
            case "RANGE" if value[0] <= ord(character) <= value[1]:
                return not negated
            case "CATEGORY" if _in_category(str(value), character):
                return not negated
            case _:
                pass
    return negated


def _in_category(name: str, character: str) -> bool:
    kind = name.rpartition("_")[2]
    inside = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }[kind]
    return inside != ("NOT" in name)


@cache
def all_patterns() -> list[Pattern]:
    """Return every regular expression of Éclair: of modules, of cached functions for each language, and in calls."""
    methods = dict(_methods())
    found: dict[tuple[Any, int], Pattern] = {}

    def add(at: str, regex: re.Pattern[Any], method: str) -> None:
        found.setdefault((regex.pattern, regex.flags), Pattern(at, regex, method))

    for module in _modules():
        name = module.__name__.removeprefix("eclair.").replace(".", "/")
        values = cast("dict[str, object]", vars(module))
        for variable, value in list(values.items()):
            for regex in _within(value):
                add(f"{name}:{variable}", regex, methods.get((name, variable), "search"))
            if callable(value) and getattr(value, "__module__", "") == module.__name__ and hasattr(value, "cache_info"):
                for regex in _called(value):
                    add(f"{name}:{variable}()", regex, methods.get((name, f"{variable}()"), "search"))
    for at, pattern, flags, method in _calls():
        add(at, re.compile(pattern, flags), method)
    return sorted(found.values(), key=lambda pattern: pattern.at)


def _modules() -> Iterator[ModuleType]:
    for module in pkgutil.walk_packages(eclair.__path__, "eclair."):
        if not module.name.endswith("__main__"):
            try:
                yield importlib.import_module(module.name)
            except ImportError as error:  # parts of other environments, such as diffusers
                print(f"{module.name}: {error}", file=sys.stderr)


def _within(value: object, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield cast("re.Pattern[Any]", value)
    elif depth < 3:
        for part in _parts(value):
            yield from _within(part, depth + 1)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(cast("Mapping[object, object]", value).values())
    if isinstance(value, tuple | list | frozenset):
        return list(cast("Collection[object]", value))
    if type(value).__module__.startswith("eclair.") and is_dataclass(value):
        return [getattr(value, each.name) for each in fields(value)]
    return []


def _called(function: Callable[..., object]) -> Iterator[re.Pattern[Any]]:
    wanted = [each for each in inspect.signature(function).parameters.values() if each.default is each.empty]
    if not wanted:
        yield from _within(function())
    elif len(wanted) == 1 and wanted[0].name in ("code", "language"):
        for language in loader.lexicon_codes():
            yield from _within(function(language))


def _methods() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield how the pattern of each variable is used in its module."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        name = path.relative_to(SOURCE).as_posix().removesuffix(".py")
        used: dict[str, set[str]] = {}
        for variable, method in re.findall(
            r"(\b_?\w+(?:\(\))?)\.(match|fullmatch|search|sub|finditer|findall|split)\(", text
        ):
            used.setdefault(variable, set()).add(method)
        for variable, ways in used.items():
            yield (name, variable), _hardest(ways)


def _hardest(ways: set[str]) -> str:
    return next(
        (way for way in ("sub", "finditer", "findall", "split", "search", "match", "fullmatch") if way in ways),
        "search",
    )


def _calls() -> Iterator[tuple[str, Any, int, str]]:
    """Yield the literal patterns of calls such as `re.sub("...", ...)`."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        if not _CALL.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in ("sub", "match", "search", "findall", "split", "fullmatch", "finditer")
                and isinstance(node.args[0], ast.Constant)
            ):
                flags = 0
                for each in ast.walk(node):
                    if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "re":
                        flag = getattr(re, each.attr, 0)
                        flags |= flag if isinstance(flag, re.RegexFlag) else 0
                yield (
                    f"{path.relative_to(SOURCE).as_posix()}:{node.lineno}",
                    node.args[0].value,
                    int(flags),
                    node.func.attr,
                )


def main() -> int:
    patterns = all_patterns()
    slow = 0
    for pattern in patterns:
        growth = worst_growth(pattern)
        if growth is not None and growth.exponent > MAX_GROWTH:
            slow += 1
            print(growth, flush=True)
    print(f"{len(patterns)} patterns, {slow} grow faster than linearly")
    return slow > 0


if __name__ == "__main__":
    sys.exit(main())
