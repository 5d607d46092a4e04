"""Parses the style rules of a page, as far as they decide what is seen.

Selectors are read with classes, ids, attributes, combinators and the pseudo-classes of an element's place. Rules for
states (`:hover`), for print and for narrow screens don't apply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from eclair.web.pages.dom import Element

MAX_STYLE_CHARS = 2 << 20
"""Style rules read per page."""

SCREEN_WIDTH_PX = 1280.0
"""Width of the screen that media queries are evaluated for."""

MAX_COMPOUNDS = 12
"""A selector with more is ignored."""

_TOKEN = re.compile(r"[{};]|\"[^\"\n]*+\"|'[^'\n]*+'|\([^()\n]*+\)")
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)")
_PIECE = re.compile(
    r"(?P<space>\s*+[>+~]\s*+|\s++)|(?P<star>\*)|(?P<tag>[a-zA-Z][\w-]*+)|#(?P<id>(?:[\w-]|\\.)++)"
    r"|\.(?P<class>(?:[\w-]|\\.)++)|\[(?P<attribute>[^\]]*+)\]"
    r"|(?P<pseudo>::?[\w-]++)(?:\((?P<argument>[^()]*+)\))?"
)
_ATTRIBUTE = re.compile(r"\s*+([\w-]++)\s*+(?:([~|^$*]?)=\s*+[\"']?([^\"']*+)[\"']?\s*+[iIsS]?)?\s*+")
_NAME = re.compile(r"(?<!not\()[.#](-?[a-zA-Z_][\w-]*+)(?![^(\[]{0,60}[)\]])")
"""An id or class in a selector, outside of brackets."""

_NTH = re.compile(r"([+-]?\d*)n(?:\s*([+-]\s*\d+))?")
_WIDTH = re.compile(r"\((min|max)-(?:device-)?width:\s*(\d+(?:\.\d+)?)(px|em|rem)\s*\)")
_WIDTH_RANGE = re.compile(r"\(\s*width\s*([<>])=?\s*(\d+(?:\.\d+)?)(px|em|rem)\s*\)")
_OTHER_MEDIA = re.compile(
    r"\b(?:print|speech|aural)\b|prefers-color-scheme:\s*dark|prefers-reduced|hover:\s*none|pointer:\s*coarse"
    r"|orientation:\s*portrait|forced-colors:\s*active|scripting:\s*none"
)
_VARIABLE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")
_GROUPS = ("@media", "@supports", "@layer", "@container", "@scope", "@starting-style", "@document")

Declarations = Mapping[str, tuple[str, bool]]
"""Values by property, each with whether it is `!important`."""


@dataclass(eq=False, slots=True)
class ElementPlace:
    """An element as selectors see it.

    `index` counts from 1 among its siblings, `of_type` among those of its tag. `active` are the rules for elements in
    it that its own name or that of an ancestor calls for.
    """

    tag: str
    id: str
    classes: frozenset[str]
    parent: ElementPlace | None
    element: Element
    previous: ElementPlace | None = None
    index: int = 0
    count: int = 0
    of_type: int = 0
    active: tuple[StyleRule, ...] = ()

    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.keys = (f"#{self.id}", *(f".{each}" for each in self.classes), self.tag, "*")


@dataclass(frozen=True, slots=True)
class _Compound:
    """Conditions on one element. `excluded` are those of `:not()`."""

    tag: str = ""
    id: str = ""
    classes: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str, str], ...] = ()
    places: tuple[tuple[str, int, int], ...] = ()
    excluded: tuple[_Compound, ...] = ()

    @property
    def key(self) -> str:
        """The id, class or tag by which the elements that it may match are found."""
        return f"#{self.id}" if self.id else f".{min(self.classes)}" if self.classes else self.tag or "*"

    @property
    def is_positional(self) -> bool:
        """Return whether it asks for more than tag, id and classes."""
        return bool(self.attributes or self.places) or any(each.is_positional for each in self.excluded)

    @property
    def specificity(self) -> int:
        own = 10_000 * bool(self.id) + 100 * (len(self.classes) + len(self.attributes) + len(self.places))
        return own + bool(self.tag) + sum(each.specificity for each in self.excluded)

    def matches(self, at: ElementPlace) -> bool:
        return (
            (not self.tag or self.tag == at.tag)
            and (not self.id or self.id == at.id)
            and self.classes <= at.classes
            and all(_has_attribute(at, *each) for each in self.attributes)
            and all(_is_at(at, *each) for each in self.places)
            and not any(each.matches(at) for each in self.excluded)
        )


@dataclass(frozen=True, eq=False, slots=True)
class StyleRule:
    """Declarations for the elements that a selector matches.

    `target` is the condition on the element itself, `around` those on elements around it, the nearest first, each
    with its combinator. `order` is the rule's position among all.
    """

    target: _Compound
    around: tuple[tuple[str, _Compound], ...]
    declarations: Declarations
    order: int

    @property
    def is_positional(self) -> bool:
        """Return whether more than the names of the element and its ancestors decide."""
        compounds = (self.target, *(each for _, each in self.around))
        return any(each.is_positional for each in compounds) or any(mark in "+~" for mark, _ in self.around)

    @property
    def scope(self) -> str | None:
        """The id or class of the nearest ancestor that must have one; None if there is none."""
        return next((each.key for _, each in self.around if each.id or each.classes), None)

    @property
    def priority(self) -> tuple[int, int]:
        return self.target.specificity + sum(each.specificity for _, each in self.around), self.order

    def matches(self, at: ElementPlace) -> bool:
        """Return whether the selector matches; ancestors are matched from the inside out, without going back."""
        if not self.target.matches(at):
            return False
        here: ElementPlace | None = at
        for combinator, compound in self.around:
            assert here is not None
            here = here.previous if combinator in "+~" else here.parent
            while combinator in " ~" and here is not None and not compound.matches(here):
                here = here.previous if combinator == "~" else here.parent
            if here is None or not compound.matches(here):
                return False
        return True


@dataclass(slots=True)
class StyleSheet:
    """The rules of a page by the id, class or tag that the element must have.

    `scoped` ones are by that of an ancestor, since many elements have their tag; `positional` ones depend on more than
    the names of an element and its ancestors.
    """

    by_key: dict[str, list[StyleRule]] = field(default_factory=dict[str, list[StyleRule]])
    scoped: dict[str, list[StyleRule]] = field(default_factory=dict[str, list[StyleRule]])
    positional: dict[str, list[StyleRule]] = field(default_factory=dict[str, list[StyleRule]])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def has_rules(self) -> bool:
        return bool(self.by_key or self.scoped or self.positional)

    def add(self, rule: StyleRule) -> None:
        if rule.is_positional:
            self.positional.setdefault(rule.target.key, []).append(rule)
        elif rule.target.id or rule.target.classes or (scope := rule.scope) is None:
            self.by_key.setdefault(rule.target.key, []).append(rule)
        else:
            self.scoped.setdefault(scope, []).append(rule)

    def active_rules(self, at: ElementPlace) -> tuple[StyleRule, ...]:
        """Return the scoped rules for what is in an element."""
        own = [rule for key in at.keys[:-2] for rule in self.scoped.get(key, ())] if self.scoped else []
        above = at.parent.active if at.parent is not None else ()
        return (*above, *(rule for rule in own if rule not in above)) if own else above

    def matching(self, at: ElementPlace) -> list[StyleRule]:
        """Return the rules for an element, without the positional ones."""
        candidates = [rule for key in at.keys for rule in self.by_key.get(key, ())]
        candidates += at.parent.active if at.parent is not None else ()
        return [rule for rule in candidates if rule.matches(at)]

    def matching_positional(self, at: ElementPlace) -> tuple[StyleRule, ...]:
        return tuple(rule for key in at.keys for rule in self.positional.get(key, ()) if rule.matches(at))

    def resolve(self, value: str) -> str:
        """Return a value with its variables replaced; those of unknown value stay."""
        for _ in range(4):
            if "var(" not in value:
                break
            value = _VARIABLE.sub(lambda found: self.variables.get(found[1], found[2] or "unknown"), value)
        return value.strip()


def override(found: dict[str, tuple[str, bool]], later: Declarations) -> None:
    """Add declarations that come later in the cascade; an important one yields to none that isn't."""
    for name, (value, important) in later.items():
        if important or not found.get(name, ("", False))[1]:
            found[name] = (value, important)


def parse_sheets(sheets: Iterable[str], relevant: frozenset[str], names: frozenset[str]) -> StyleSheet:
    """Parse style sheets; only `relevant` properties and variables are kept.

    `names` are the ids and classes on the page: rules that ask for another one match nothing.
    """
    made = StyleSheet()
    order = 0
    for selectors, body in _blocks("\n".join(sheets)[:MAX_STYLE_CHARS]):
        declared = parse_declarations(body)
        made.variables.update({name: value for name, (value, _) in declared.items() if name.startswith("--")})
        kept = {name: value for name, value in declared.items() if name in relevant}
        if not kept:
            continue
        for selector in _split_list(selectors):
            order += 1
            if "\\" not in selector and any(each not in names for each in _NAME.findall(selector)):
                continue
            if (parts := _parse_selector(selector)) is not None:
                around = tuple((parts[at - 1][0], compound) for at, (_, compound) in enumerate(parts) if at)
                made.add(StyleRule(parts[0][1], around, kept, order))
    return made


@lru_cache(maxsize=4096)
def parse_declarations(body: str) -> Declarations:
    """Parse declarations, such as those of a `style` attribute; names and values in lower case."""
    found: dict[str, tuple[str, bool]] = {}
    for each in _COMMENT.sub("", body).split(";"):
        name, colon, value = each.partition(":")
        if colon:
            plain, mark, _ = value.lower().partition("!")
            found[name.strip().lower()] = (" ".join(plain.split()), bool(mark))
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of the rules that apply to a screen; nested ones stand below their parent."""
    text = _COMMENT.sub(" ", text)
    stack: list[tuple[str, bool]] = []  # selectors of the open blocks, empty for a group; and whether they apply
    bodies: list[list[str]] = []
    since = 0
    for found in _TOKEN.finditer(text):
        mark = found[0]
        if mark == "{":
            prelude = text[since : found.start()].strip()
            applies = (not stack or stack[-1][1]) and _applies(prelude)
            around = next((selectors for selectors, _ in reversed(stack) if selectors), "")
            stack.append(("" if prelude.startswith("@") else _nest(around, prelude), applies))
            bodies.append([])
        elif mark == "}":
            if stack:
                (selectors, applies), body = stack.pop(), bodies.pop()
                body.append(text[since : found.start()])
                selectors = selectors or next((each for each, _ in reversed(stack) if each), "")
                if applies and selectors:
                    yield selectors, ";".join(body)
        elif mark == ";":
            if bodies:
                bodies[-1].append(text[since : found.start()])
        else:
            continue
        since = found.end()


def _nest(around: str, selectors: str) -> str:
    """Return the selectors of a nested rule, with those of the rule around it."""
    if not around or len(around) + len(selectors) > 1000:
        return selectors
    pairs = ((outer, inner) for outer in _split_list(around) for inner in _split_list(selectors))
    return ",".join(inner.replace("&", outer) if "&" in inner else f"{outer} {inner}" for outer, inner in pairs)


def _split_list(selectors: str) -> list[str]:
    """Split a list at its commas, but not at those in brackets."""
    found, depth, since = list[str](), 0, 0
    for at, char in enumerate(selectors):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth <= 0:
            found.append(selectors[since:at])
            since = at + 1
    return [each for part in (*found, selectors[since:]) if (each := part.strip())]


def _applies(prelude: str) -> bool:
    """Return whether what a block holds applies to a wide screen."""
    if not prelude.startswith("@"):
        return True
    lower = prelude.lower()
    if not lower.startswith(_GROUPS):
        return False
    return not lower.startswith("@media") or any(map(_matches_screen, lower.removeprefix("@media").split(",")))


def _matches_screen(query: str) -> bool:
    query = query.strip()
    negated = query.startswith("not ")
    holds = not _OTHER_MEDIA.search(query)
    for kind, size, unit in _WIDTH.findall(query):
        width = float(size) * (1 if unit == "px" else 16)
        holds = holds and (width <= SCREEN_WIDTH_PX if kind == "min" else width >= SCREEN_WIDTH_PX)
    for kind, size, unit in _WIDTH_RANGE.findall(query):
        width = float(size) * (1 if unit == "px" else 16)
        holds = holds and (width <= SCREEN_WIDTH_PX if kind == ">" else width >= SCREEN_WIDTH_PX)
    return holds != negated


def _parse_selector(selector: str) -> list[tuple[str, _Compound]] | None:
    """Return the compounds of a selector, the last one first, each with the combinator before it.

    None for one that can't be decided from the page alone.
    """
    parts: list[tuple[str, _Compound]] = []
    combinator, at = "", 0
    while at < len(selector):
        end, compound = _parse_compound(selector, at)
        if compound is None or len(parts) == MAX_COMPOUNDS:
            return None
        parts.append((combinator, compound))
        if end < len(selector):
            found = _PIECE.match(selector, end)
            if found is None or found["space"] is None:
                return None
            combinator, end = found["space"].strip() or " ", found.end()
        at = end
    return parts[::-1] or None


def _parse_compound(selector: str, at: int) -> tuple[int, _Compound | None]:
    """Return the end of the compound that begins at a position, and the compound; None if it isn't supported."""
    tag, name = "", ""
    classes: set[str] = set()
    attributes: list[tuple[str, str, str]] = []
    places: list[tuple[str, int, int]] = []
    excluded: list[_Compound] = []
    begin = at
    while (found := _PIECE.match(selector, at)) is not None and found["space"] is None:
        at = found.end()
        tag = (found["tag"] or tag).lower()
        name = _unescape(found["id"] or name)
        classes |= {_unescape(found["class"])} if found["class"] else set()
        if found["attribute"] is not None:
            if (parsed := _ATTRIBUTE.fullmatch(found["attribute"])) is None:
                return at, None
            kind = (parsed[2] or "") + "=" if parsed[3] is not None else ""
            attributes.append((parsed[1].lower(), kind, parsed[3] or ""))
        if found["pseudo"] == ":root":
            tag = "html"
        elif found["pseudo"] == ":not":
            for each in _split_list(found["argument"] or ""):
                end, compound = _parse_compound(each, 0)
                if compound is None or end < len(each):
                    return at, None
                excluded.append(compound)
        elif found["pseudo"]:
            if (place := _parse_place(found["pseudo"], found["argument"])) is None:
                return at, None
            places.append(place)
    compound = _Compound(tag, name, frozenset(classes), tuple(attributes), tuple(places), tuple(excluded))
    return at, compound if at > begin else None


def _parse_place(pseudo: str, argument: str | None) -> tuple[str, int, int] | None:
    """Return `index`, `last` or `type`, with the step and offset of the places that are meant."""
    match pseudo:
        case ":first-child":
            return "index", 0, 1
        case ":last-child":
            return "last", 0, 1
        case ":first-of-type":
            return "type", 0, 1
        case ":nth-child" | ":nth-last-child" | ":nth-of-type" if argument is not None:
            kind = {":nth-child": "index", ":nth-last-child": "last", ":nth-of-type": "type"}[pseudo]
            plain = {"odd": "2n+1", "even": "2n"}.get(argument.strip().lower(), argument.strip().lower())
            if re.fullmatch(r"\+?\d{1,6}", plain):
                return kind, 0, int(plain)
            if (found := _NTH.fullmatch(plain)) is None or len(plain) > 16:
                return None
            step = found[1] if found[1] not in ("", "+", "-") else f"{found[1]}1"
            return kind, int(step), int((found[2] or "0").replace(" ", ""))
        case _:
            return None


def _is_at(at: ElementPlace, kind: str, step: int, offset: int) -> bool:
    place = at.index if kind == "index" else at.of_type if kind == "type" else at.count - at.index + 1
    return place == offset if step == 0 else (place - offset) % step == 0 and (place - offset) // step >= 0


def _has_attribute(at: ElementPlace, name: str, kind: str, wanted: str) -> bool:
    value = at.element.get(name)
    if value is None:
        return False
    match kind:
        case "":
            return True
        case "=":
            return value == wanted
        case "~=":
            return wanted in value.split()
        case "^=":
            return bool(wanted) and value.startswith(wanted)
        case "$=":
            return bool(wanted) and value.endswith(wanted)
        case "*=":
            return bool(wanted) and wanted in value
        case _:
            return value == wanted or value.startswith(f"{wanted}-")


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name) if "\\" in name else name
