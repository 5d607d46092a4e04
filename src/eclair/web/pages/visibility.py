"""Removes from a page what nobody sees, since orders to a model could hide there.

The page's own style rules, `style` attributes and the usual class names decide, as on a wide screen. Style sheets in
other files aren't fetched, so what they alone hide stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from eclair.web.pages.css_values import (
    BLACK,
    MIN_ALPHA,
    WHITE,
    Color,
    is_camouflaged,
    parse_color,
    parse_lengths,
    parse_number,
)
from eclair.web.pages.dom import Element
from eclair.web.pages.style_rules import (
    SCREEN_WIDTH_PX,
    ElementPlace,
    StyleRule,
    StyleSheet,
    override,
    parse_declarations,
    parse_sheets,
)

MIN_FONT_PX = 4.0
MAX_HIDDEN_SIZE_PX = 1.0
"""Width or height up to which a box that cuts off what overflows shows nothing."""

OFF_SCREEN_PX = 200.0
"""A box or text moved this far to the left or up is off the screen."""

FAR_OFF_SCREEN_PX = 2000.0
"""The same to the right or down, and for margins and movements, which layouts use too."""

MIN_SEEN_PROSE_CHARS = 140
"""With less text beside it, hidden content is taken to be what a script shows later."""

_DROPPED = frozenset(
    ("script", "style", "noscript", "template", "iframe", "object", "svg", "canvas", "dialog", "audio", "video")
)
_CONTENT = frozenset(("main", "article", "h1"))
_ROOTS = frozenset(("html", "body", "head"))
_PROSE = frozenset(("p", "h1", "h2", "h3", "td", "li", "dd", "blockquote", "div", "span", "article", "section", "main"))
_FURNITURE = frozenset(("nav", "header", "footer", "aside", "form", "button"))
_HIDING_CLASSES = frozenset(
    (
        *("hidden", "hide", "hidden-text", "is-hidden", "ishidden", "u-hidden", "uk-hidden", "visually-hidden"),
        *("visuallyhidden", "visually-hide", "invisible", "is-invisible", "sr-only", "sr_only", "sronly"),
        *("screen-reader-text", "screen-reader-only", "screen-reader", "screenreader-only", "show-for-sr"),
        *("d-none", "display-none", "displaynone", "dn", "dnone", "offscreen", "off-screen", "a-offscreen"),
        *("opacity-0", "is-visually-hidden", "u-visually-hidden", "accessibly-hidden", "assistive-text", "noshow"),
        *("element-invisible", "cdk-visually-hidden", "text-transparent", "is-sr-only", "u-sr-only"),
    )
)
_SHOWN_WHEN_WIDE = re.compile(
    r"(?:sm|md|lg|xl):(?:block|flex|grid|inline\S*|table\S*|contents|visible|not-sr-only)"
    r"|d-(?:sm|md|lg|xl)-(?!none)\S+|not-sr-only|visible-(?:sm|md|lg)\S*"
)
_DECIDING = frozenset(("class", "id", "style", "hidden", "bgcolor", "color"))
"""Attributes that decide how an element looks."""

_RELEVANT = frozenset(
    (
        *("display", "visibility", "content-visibility", "opacity", "filter", "color", "-webkit-text-fill-color"),
        *("background", "background-color", "background-image", "font", "font-size", "position", "left", "right"),
        *("top", "bottom", "inset", "text-indent", "margin", "margin-left", "margin-top", "transform", "translate"),
        *("scale", "clip", "clip-path", "width", "max-width", "height", "max-height", "overflow", "overflow-x"),
        *("overflow-y", "z-index", "letter-spacing", "line-height"),
    )
)
_FONT_SIZE = re.compile(r"(?:^|\s)([\d.]+(?:px|pt|em|rem|%)?)\s*(?:/|\s)")
_FONT_WORDS = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0}
_ZERO_SHAPE = re.compile(
    r"inset\( ?(?:[5-9]\d|100)(?:\.\d{1,9})?%|circle\( ?[01]?(?:\.\d{1,9})?(?:px|%)? ?(?:at\b|\))"
    r"|polygon\( ?0[ ,%px0]{0,60}\)"
)
_CLIPPED = re.compile(r"rect\((?: ?[01](?:px)?[ ,]{0,2}){4}\)|rect\( ?0")
_MOVED = re.compile(r"translate(x|y|3d)?\(([^()]*)\)")
_SHRUNK = re.compile(r"scale(?:x|y|3d)?\( ?0?(?:\.0\d{0,9})? ?[,)]|rotate[xy]\( ?-?90deg")


@dataclass(frozen=True, slots=True)
class _Look:
    """The look of an element's text; `ground` is None if it isn't known."""

    color: Color | None = BLACK
    ground: Color | None = WHITE
    font_px: float = 16.0
    opacity: float = 1.0
    is_visible: bool = True
    is_transparent: bool = False

    shows_text: bool = field(init=False)

    def __post_init__(self) -> None:
        camouflaged = self.color is not None and self.ground is not None and is_camouflaged(self.color, self.ground)
        is_seen = self.is_visible and not self.is_transparent and self.font_px >= MIN_FONT_PX
        object.__setattr__(self, "shows_text", is_seen and not camouflaged)


Declared = Mapping[str, str]


def remove_unseen(tree: Element) -> None:
    """Remove the elements and the text that nobody sees.

    Hidden content, such as a `main` that a script shows, stays if the page has hardly any other text.
    """
    sheets = [each.text_content() for each in tree.iter("style") if _is_for_screen(each.get("media"))]
    names = _names(tree) if sheets else frozenset[str]()
    walk = _Walk(parse_sheets(sheets, _RELEVANT, names))
    around = _Kind("", False, _Look(), False, None)
    walk.run(tree, walk.kind_of_root(tree, around))
    if walk.seen_chars < MIN_SEEN_PROSE_CHARS:
        for element, kind in walk.deferred:
            walk.run(element, replace(kind, is_hidden=False, look=_Look(ground=None)), is_shown=True)
        walk.deferred.clear()
    for element in (*walk.hidden, *(element for element, _ in walk.deferred)):
        if element.getparent() is not None:
            element.drop_tree()


def _names(tree: Element) -> frozenset[str]:
    """Return the ids and classes on a page."""
    attributes = {value for each in tree.iter() for name, value in each.items() if name in ("class", "id")}
    return frozenset(name for value in attributes for name in value.split())


def _is_for_screen(media: str | None) -> bool:
    return media is None or any(word in media.lower() for word in ("all", "screen", "min-width"))


@dataclass(eq=False, slots=True)
class _Kind:
    """Elements alike in their names, styles and ancestors: whether they are hidden, and how their text looks.

    `place` is None if the page has no rules.
    """

    tag: str
    is_hidden: bool
    look: _Look
    is_furniture: bool
    place: ElementPlace | None

    @property
    def is_prose(self) -> bool:
        return self.tag in _PROSE and not self.is_furniture


class _Walk:
    """Goes through a tree and notes what is hidden; text that can't be seen is removed right away.

    `deferred` are hidden elements with the page's content in them, and `seen_chars` counts the visible prose. Elements
    of a kind are judged once.
    """

    def __init__(self, sheet: StyleSheet) -> None:
        self.sheet = sheet
        self.hidden: list[Element] = []
        self.deferred: list[tuple[Element, _Kind]] = []
        self.seen_chars = 0
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def run(self, root: Element, kind: _Kind, *, is_shown: bool = False) -> None:
        """Walk through the elements in one of a kind; with `is_shown`, its own hidden content is dropped at once."""
        stack = [(root, kind, None if kind.place is None else replace(kind.place, element=root))]
        while stack:
            element, own, here = stack.pop()
            if not own.look.shows_text:
                _remove_text(element)
            elif own.is_prose:
                self.seen_chars += len((element.text or "").strip())
            for child, at in self._children(element, here):
                if not isinstance(child.tag, str) or child.tag in _DROPPED:
                    self.hidden.append(child)
                    continue
                below = self._kind(child, child.tag, own, at)
                if not below.is_hidden:
                    stack.append((child, below, at))
                elif not is_shown and (child.tag in _CONTENT or any(True for _ in child.iter(*_CONTENT))):
                    self.deferred.append((child, below))
                else:
                    self.hidden.append(child)

    def kind_of_root(self, root: Element, around: _Kind) -> _Kind:
        return self._kind(root, "html", around, _place(root, None) if self.sheet.positional else None)

    def _children(self, element: Element, here: ElementPlace | None) -> Iterator[tuple[Element, ElementPlace | None]]:
        """Yield the children, with their places if positional rules need them."""
        if not self.sheet.positional:
            yield from ((child, None) for child in element)
            return
        count, previous = len(element), None
        tags: dict[object, int] = {}
        for index, child in enumerate(element, 1):
            tags[child.tag] = tags.get(child.tag, 0) + 1
            previous = replace(
                _place(child, here), previous=previous, index=index, count=count, of_type=tags[child.tag]
            )
            yield child, previous

    def _kind(self, element: Element, tag: str, around: _Kind, at: ElementPlace | None) -> _Kind:
        """Return the kind of an element, which is made if it is new."""
        attributes = tuple(each for each in element.items() if each[0] in _DECIDING)
        positional = self.sheet.matching_positional(at) if at is not None else ()
        key = (around, tag, attributes, positional)
        if (known := self._kinds.get(key)) is None:
            place = _place(element, around.place) if self.sheet.has_rules else None
            declared = self._declared(element, place, positional)
            if place is not None:
                place.active = self.sheet.active_rules(place)
            is_hidden = tag not in _ROOTS and _is_hidden(element, declared, around.look)
            look = _look(element, declared, around.look)
            known = _Kind(tag, is_hidden, look, around.is_furniture or tag in _FURNITURE, place)
            self._kinds[key] = known
        return known

    def _declared(self, element: Element, place: ElementPlace | None, positional: tuple[StyleRule, ...]) -> Declared:
        """Return the declarations that hold for an element."""
        rules = [*positional, *(self.sheet.matching(place) if place is not None else ())]
        found: dict[str, tuple[str, bool]] = {}
        for rule in sorted(rules, key=lambda rule: rule.priority):
            override(found, rule.declarations)
        if (style := element.get("style")) is not None:
            override(found, parse_declarations(style))
        return {name: self.sheet.resolve(value) for name, (value, _) in found.items()}


def _place(element: Element, parent: ElementPlace | None) -> ElementPlace:
    classes = frozenset((element.get("class") or "").split())
    return ElementPlace(str(element.tag), element.get("id") or "", classes, parent, element)


def _remove_text(element: Element) -> None:
    """Remove an element's own text, but not that of the elements in it."""
    element.text = None
    for child in element:
        child.tail = None


def _is_hidden(element: Element, declared: Declared, around: _Look) -> bool:
    """Return whether neither the element nor anything in it is shown."""
    if element.get("hidden") is not None:
        return True
    if (classes := element.get("class")) is not None and "display" not in declared:
        names = classes.lower().split()
        if not _HIDING_CLASSES.isdisjoint(names) and not any(map(_SHOWN_WHEN_WIDE.fullmatch, names)):
            return True
    return bool(declared) and (
        declared.get("display") == "none"
        or declared.get("content-visibility") == "hidden"
        or around.opacity * _opacity(declared) < MIN_ALPHA
        or _is_off_screen(declared, around)
        or _is_clipped(declared, around)
    )


def _opacity(declared: Declared) -> float:
    opacity = parse_number(declared.get("opacity", "1"))
    filtered = re.search(r"opacity\( ?([\d.]{1,9}%?) ?\)", declared.get("filter", ""))
    return (1.0 if opacity is None else opacity) * ((parse_number(filtered[1]) or 0.0) if filtered else 1.0)


def _is_off_screen(declared: Declared, around: _Look) -> bool:
    font = _font_px(declared, around.font_px)
    position = declared.get("position", "")
    if position in ("absolute", "fixed", "relative", "sticky"):
        if (number := parse_number(declared.get("z-index", "0"))) is not None and number < 0:
            return True
        for side in ("left", "right", "top", "bottom", "inset"):
            if any(_is_away(each) for each in parse_lengths(declared.get(side, ""), font, 12.8)):
                return True
    for name in ("left", "top", "right"):  # for what a script positions
        if not position and any(each <= -FAR_OFF_SCREEN_PX for each in parse_lengths(declared.get(name, ""), font, 1)):
            return True
    if any(_is_away(each) for each in parse_lengths(declared.get("text-indent", ""), font, 12.8)):
        return True
    for name in ("margin", "margin-left", "margin-top"):
        if any(each <= -FAR_OFF_SCREEN_PX / 4 for each in parse_lengths(declared.get(name, ""), font, 1)):
            return True
    moves = [found[2] for found in _MOVED.finditer(declared.get("transform", ""))] + [declared.get("translate", "")]
    away = (each for move in moves for each in parse_lengths(move, font, 12.8))
    return any(each <= -OFF_SCREEN_PX * 5 or each >= SCREEN_WIDTH_PX for each in away)


def _is_away(offset: float) -> bool:
    return offset <= -OFF_SCREEN_PX or offset >= FAR_OFF_SCREEN_PX


def _is_clipped(declared: Declared, around: _Look) -> bool:
    """Return whether the element is cut, shrunk or squeezed to nothing."""
    if _CLIPPED.search(declared.get("clip", "")) or _ZERO_SHAPE.search(declared.get("clip-path", "")):
        return True
    if _SHRUNK.search(declared.get("transform", "")) or parse_number(declared.get("scale", "1")) == 0:
        return True
    font = _font_px(declared, around.font_px)
    if any(each <= -font / 2 for each in parse_lengths(declared.get("letter-spacing", ""), font, 1)):
        return True
    cuts = any(
        word in ("hidden", "clip")
        for name in ("overflow", "overflow-x", "overflow-y")
        for word in _words(declared, name)
    )
    sizes = ("width", "max-width", "height", "max-height", "line-height")
    return cuts and any(
        lengths[0] <= MAX_HIDDEN_SIZE_PX
        for name in sizes
        if (lengths := parse_lengths(declared.get(name, ""), font, 12.8))
        and (name != "line-height" or declared[name].endswith("px") or lengths[0] == 0)
    )


def _words(declared: Declared, name: str) -> list[str]:
    return declared.get(name, "").split()


def _font_px(declared: Declared, around: float) -> float:
    size = declared.get("font-size")
    if size is None and "font" in declared:
        found = _FONT_SIZE.search(declared["font"] + " ")
        size = found[1] if found else None
    if size is None:
        return around
    return _FONT_WORDS.get(size) or next(iter(parse_lengths(size, around, around / 100)), around)


def _look(element: Element, declared: Declared, around: _Look) -> _Look:
    """Return the look of an element's text, given that of the text around it."""
    color, ground = element.get("color") if element.tag == "font" else None, element.get("bgcolor")
    if not declared and color is None and ground is None:
        return around
    look = _with_ground(around, declared, ground)
    said = declared.get("-webkit-text-fill-color") or declared.get("color") or (color or "").lower()
    if said and said not in ("inherit", "currentcolor", "unset"):
        parsed = parse_color(said)
        look = replace(look, is_transparent=isinstance(parsed, str))
        look = look if isinstance(parsed, str) else replace(look, color=parsed)
        if element.tag in ("html", "body") and not look.shows_text:
            look = replace(look, ground=None, is_transparent=False)  # its ground is in a file that isn't fetched
    if element.tag in ("html", "body"):
        return look
    visibility = declared.get("visibility", "")
    return replace(
        look,
        font_px=_font_px(declared, around.font_px),
        opacity=around.opacity * _opacity(declared),
        is_visible=visibility not in ("hidden", "collapse") if visibility else around.is_visible,
    )


def _with_ground(around: _Look, declared: Declared, attribute: str | None) -> _Look:
    """Return the look with the ground that is declared for an element."""
    said = declared.get("background-color") or declared.get("background") or (attribute or "").lower()
    image = f"{declared.get('background-image', '')} {declared.get('background', '')}"
    if "url(" in image or "gradient" in image:
        return replace(around, ground=None)
    if not said or said in ("none", "inherit", "initial", "unset", "0 0"):
        return around
    parsed = parse_color(said)
    return around if isinstance(parsed, str) else replace(around, ground=parsed)
