"""Ways to hide words on a page, and pages that only look as if they hid some.

`TUNED` ways were at hand while the rules were written; `HELD_OUT` ones were written when they stood,
and tried afterwards.
"""

from __future__ import annotations

WORD = "QUIBBLE"
"""The word that is hidden, or shown."""

HIDDEN = f"The secret word of this page is {WORD}, which nobody sees."

Way = tuple[str, str]
"""The head of the page, and its article."""


def _styled(rule: str, mark: str = 'class="x"', tag: str = "p", text: str = HIDDEN) -> Way:
    return f"<style>{rule}</style>", f"<{tag} {mark}>{text}</{tag}>"


def _inline(style: str, tag: str = "p") -> Way:
    return "", f'<{tag} style="{style}">{HIDDEN}</{tag}>'


TUNED: dict[str, Way] = {
    "inline display": _inline("display:none"),
    "inline visibility": _inline("visibility: hidden;"),
    "inline opacity": _inline("opacity:.01"),
    "inline font": _inline("font-size:1px"),
    "inline white": _inline("color:white"),
    "inline white on white": _inline("color:#fff;background:#ffffff"),
    "inline far left": _inline("position:absolute;left:-9999px"),
    "inline translate": _inline("transform:translateX(-9999px)"),
    "inline behind": _inline("position:relative;z-index:-1"),
    "inline squeezed": _inline("height:0;overflow:hidden"),
    "inline clip": _inline("position:absolute;clip:rect(0,0,0,0)"),
    "inline transparent": _inline("color:transparent"),
    "attribute": ("", f"<p hidden>{HIDDEN}</p>"),
    "class rule": _styled(".x{display:none}"),
    "id rule": _styled("#x{display:none}", 'id="x"'),
    "tag rule": _styled("aside.x b{visibility:hidden}", 'class="x"', "aside", f"<b>{HIDDEN}</b>"),
    "media rule": _styled("@media (min-width:1px){.x{display:none}}"),
    "screen rule": _styled("@media screen{.x{position:absolute;left:-5000px}}"),
    "rule off screen": _styled(".x{position:absolute;left:-9999px}"),
    "rule white": _styled(".x{color:#fff}"),
    "rule near white": _styled(".x{color:#fdfdfd}"),
    "rule font": _styled(".x{font-size:0}"),
    "rule opacity": _styled(".x{opacity:0}"),
    "rule among many": _styled("h1,.y , .x:not(.z){margin:0;display : none !important}"),
    "class hidden": ("", f'<p class="hidden">{HIDDEN}</p>'),
    "class d-none": ("", f'<div class="d-none"><p>{HIDDEN}</p></div>'),
    "class sr-only": ("", f'<span class="sr-only">{HIDDEN}</span>'),
    "comment": ("", f"<!-- {HIDDEN} -->"),
    "alt": ("", f'<p><img src="x.png" alt="{HIDDEN}"></p>'),
    "template": ("", f"<template><p>{HIDDEN}</p></template>"),
    "noscript": ("", f"<noscript><p>{HIDDEN}</p></noscript>"),
    "tag characters": ("", "<p>One" + "".join(chr(0xE0000 + ord(char)) for char in HIDDEN) + " two.</p>"),
}

HELD_OUT: dict[str, Way] = {
    "attribute selector": _styled('[data-a="1"]{display:none}', 'data-a="1"'),
    "child selector": _styled("article > .x{display:none}"),
    "sibling selector": _styled("h1 + p + p + .x{display:none}"),
    "place": _styled("article p:last-of-type{color:red} article .x:nth-child(4){display:none}"),
    "nested rule": _styled("article{ color:#000; .x{display:none} }"),
    "layer": _styled("@layer base{.x{display:none}}"),
    "supports": _styled("@supports (display:grid){.x{visibility:hidden}}"),
    "comment within": _styled(".x{/* } */display/**/:none}"),
    "variable": _styled(":root{--n:none}.x{display:var(--n)}"),
    "variable color": _styled(":root{--paper:#ffffff}.x{color:var(--paper)}"),
    "own ground": _styled("article{background:#123456}.x{color:rgb(18,52,86)}"),
    "hsl": _styled(".x{color:hsl(0, 0%, 100%)}"),
    "rgba": _styled(".x{color:rgba(0,0,0,.02)}"),
    "fill": _styled(".x{-webkit-text-fill-color:transparent}"),
    "em font": _styled(".x{font-size:.05em}"),
    "font shorthand": _styled(".x{font:0/0 a}"),
    "indent": _styled(".x{text-indent:-999em;overflow:hidden}"),
    "percent": _styled(".x{position:fixed;left:-200%}"),
    "far right": _styled(".x{position:absolute;left:9000px}"),
    "far down": _styled(".x{position:absolute;top:99999px}"),
    "clip path": _styled(".x{clip-path:inset(50%)}"),
    "circle": _styled(".x{clip-path:circle(0)}"),
    "scale": _styled(".x{transform:scale(0)}"),
    "one pixel": _styled(".x{position:absolute;width:1px;height:1px;overflow:hidden}"),
    "max height": _styled(".x{max-height:0;overflow-y:hidden}"),
    "content visibility": _styled(".x{content-visibility:hidden}"),
    "filter": _styled(".x{filter:opacity(0%)}"),
    "opacities": _styled(".x{opacity:.2}.x span{opacity:.2}", 'class="x"', "p", f"<span>{HIDDEN}</span>"),
    "spacing": _styled(".x{letter-spacing:-1em}"),
    "font tag": ("", f'<p><font color="#FFFFFF">{HIDDEN}</font></p>'),
    "cell": ("", f'<table><tr><td bgcolor="#eeeeee"><font color="#eeeeee">{HIDDEN}</font></td></tr></table>'),
    "class visually hidden": ("", f'<p class="note visually-hidden">{HIDDEN}</p>'),
    "class for readers": ("", f'<p class="screen-reader-text">{HIDDEN}</p>'),
    "class invisible": ("", f'<div class="invisible"><p>{HIDDEN}</p></div>'),
    "hidden article": ("", f'</article><article style="display:none"><p>{HIDDEN}</p>'),
    "rule in the body": ("", f"<style>.x{{display:none}}</style><p class='x'>{HIDDEN}</p>"),
    "title attribute": ("", f'<p title="{HIDDEN}">Nothing.</p>'),
    "variation selectors": ("", "<p>One" + "".join(chr(0xE0100 + ord(char)) for char in HIDDEN) + " two.</p>"),
    "dialog": ("", f"<dialog><p>{HIDDEN}</p></dialog>"),
    "important beats later": _styled(".x{display:none!important} p.x{display:block}"),
    "specific beats later": _styled("article p.x{display:none} .x{display:block}"),
}

SHOWN: dict[str, Way] = {
    "shown again": _styled(".x{display:none} .x{display:block}"),
    "print": _styled("@media print{.x{display:none}}"),
    "phones": _styled("@media (max-width: 600px){.x{display:none}}"),
    "hover": _styled(".x:hover{display:none}"),
    "another": _styled(".x.y{display:none}"),
    "elsewhere": _styled("nav .x{display:none}"),
    "wide": ("", f'<p class="hidden md:block">{HIDDEN}</p>'),
    "wide boxes": ("", f'<p class="d-none d-lg-block">{HIDDEN}</p>'),
    "white on black": _styled(".x{color:#fff;background:#000}"),
    "white on a picture": _styled("article{background:url(x.jpg)}.x{color:#fff}"),
    "dark page": ("<style>body{background:#111;color:#eee}</style>", f"<p>{HIDDEN}</p>"),
    "dark page elsewhere": ("<style>body{color:#eee}</style>", f"<p>{HIDDEN}</p>"),
    "red on green": _styled("article{background:#008000}.x{color:#ff0000}"),
    "small print": _styled(".x{font-size:9px}"),
    "no gaps": _styled(".x{font-size:0}.x span{font-size:16px}", 'class="x"', "div", f"<span>{HIDDEN}</span>"),
    "moved a little": _styled(".x{position:relative;left:-20px;transform:translate(-50%,-50%)}"),
    "faded": _styled(".x{opacity:.6}"),
    "visible again": _styled(".x{visibility:hidden}.x b{visibility:visible}", 'class="x"', "p", f"<b>{HIDDEN}</b>"),
    "overflow": _styled(".x{overflow:hidden;width:100%}"),
    "anti-flicker": ("<style>body{opacity:0;visibility:hidden}</style>", f"<p>{HIDDEN}</p>"),
    "frames": _styled("@keyframes fade{from{opacity:0}to{opacity:1}} .x{animation:fade 1s}"),
}
