"""A PPTX presentation of a canvas: a slide for each heading, with native lists and tables."""

from __future__ import annotations

from collections.abc import Iterator

from eclair.office.package import (
    OFFICE,
    RELATIONSHIPS,
    clean,
    content_types,
    core_properties,
    custom_properties,
    package_relations,
    relations,
    write_package,
)
from eclair.transfer.canvas_view import ExportedCanvas, Slide, SlideLine, TableRows, list_slides
from eclair.transfer.export_view import to_datetime

WIDTH_EMU, HEIGHT_EMU = 12_192_000, 6_858_000
MARGIN_EMU = 838_200
BODY_TOP_EMU = 1_600_200
MAX_ROWS = 12
_NAMESPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
_GROUP = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
_KIND = "application/vnd.openxmlformats-officedocument.presentationml"


def render(canvas: ExportedCanvas) -> bytes:
    slides = list_slides(canvas)
    return write_package(_parts(canvas, slides))


def _parts(canvas: ExportedCanvas, slides: list[Slide]) -> Iterator[tuple[str, str]]:
    numbers = range(1, len(slides) + 1)
    yield (
        "[Content_Types].xml",
        content_types(
            {
                "/ppt/presentation.xml": f"{_KIND}.presentation.main+xml",
                "/ppt/slideMasters/slideMaster1.xml": f"{_KIND}.slideMaster+xml",
                "/ppt/slideLayouts/slideLayout1.xml": f"{_KIND}.slideLayout+xml",
                "/ppt/slideLayouts/slideLayout2.xml": f"{_KIND}.slideLayout+xml",
                "/ppt/theme/theme1.xml": "application/vnd.openxmlformats-officedocument.theme+xml",
                **{f"/ppt/slides/slide{number}.xml": f"{_KIND}.slide+xml" for number in numbers},
            }
        ),
    )
    yield "_rels/.rels", package_relations("ppt/presentation.xml")
    yield "docProps/core.xml", core_properties(canvas.heading, to_datetime(canvas.at), canvas.notice)
    yield "docProps/custom.xml", custom_properties(made_by_ai=bool(canvas.models))
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="slide{number}"/>' for number in numbers)
    yield (
        "ppt/presentation.xml",
        f'<p:presentation {_NAMESPACES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="master"/>'
        f'</p:sldMasterIdLst><p:sldIdLst>{ids}</p:sldIdLst><p:sldSz cx="{WIDTH_EMU}" cy="{HEIGHT_EMU}"/>'
        f'<p:notesSz cx="{HEIGHT_EMU}" cy="{WIDTH_EMU}"/></p:presentation>',
    )
    yield (
        "ppt/_rels/presentation.xml.rels",
        relations(
            ("master", f"{RELATIONSHIPS}/slideMaster", "slideMasters/slideMaster1.xml", False),
            ("theme", f"{RELATIONSHIPS}/theme", "theme/theme1.xml", False),
            *((f"slide{number}", f"{RELATIONSHIPS}/slide", f"slides/slide{number}.xml", False) for number in numbers),
        ),
    )
    yield from _masters()
    for number, slide in zip(numbers, slides, strict=True):
        is_title = number == 1 and not slide.lines and not slide.tables
        yield f"ppt/slides/slide{number}.xml", _slide(slide, canvas.notice if number == 1 else None, is_title=is_title)
        layout = f"../slideLayouts/slideLayout{1 if is_title else 2}.xml"
        yield (
            f"ppt/slides/_rels/slide{number}.xml.rels",
            relations(("layout", f"{RELATIONSHIPS}/slideLayout", layout, False)),
        )


def _masters() -> Iterator[tuple[str, str]]:
    """Yield theme, master and the two layouts: of the title, and of a heading with content."""
    yield "ppt/theme/theme1.xml", _theme()
    title = _placeholder(2, "title", "", MARGIN_EMU, 457_200, WIDTH_EMU - 2 * MARGIN_EMU, 1_000_000)
    body = _placeholder(3, "body", ' idx="1"', MARGIN_EMU, BODY_TOP_EMU, WIDTH_EMU - 2 * MARGIN_EMU, 4_572_000)
    levels = "".join(
        f'<a:lvl{level}pPr marL="{228_600 + 457_200 * (level - 1)}" indent="-228600"><a:spcBef><a:spcPts val="600"/>'
        f'</a:spcBef><a:buFont typeface="Arial"/><a:buChar char="•"/><a:defRPr sz="{max(2200 - 200 * level, 1400)}">'
        '<a:solidFill><a:schemeClr val="tx1"/></a:solidFill><a:latin typeface="+mn-lt"/></a:defRPr>'
        f"</a:lvl{level}pPr>"
        for level in range(1, 6)
    )
    yield (
        "ppt/slideMasters/slideMaster1.xml",
        f"<p:sldMaster {_NAMESPACES}><p:cSld><p:bg>"
        '<p:bgRef idx="1001"><a:schemeClr val="bg1"/></p:bgRef></p:bg>'
        f"<p:spTree>{_GROUP}{title}{body}</p:spTree></p:cSld>"
        '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" '
        'accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'
        '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="layout1"/>'
        '<p:sldLayoutId id="2147483650" r:id="layout2"/>'
        '</p:sldLayoutIdLst><p:txStyles><p:titleStyle><a:lvl1pPr><a:defRPr sz="3200" b="1"><a:solidFill>'
        '<a:schemeClr val="tx1"/></a:solidFill><a:latin typeface="+mj-lt"/></a:defRPr></a:lvl1pPr></p:titleStyle>'
        f"<p:bodyStyle>{levels}</p:bodyStyle><p:otherStyle/></p:txStyles></p:sldMaster>",
    )
    yield (
        "ppt/slideMasters/_rels/slideMaster1.xml.rels",
        relations(
            ("layout1", f"{RELATIONSHIPS}/slideLayout", "../slideLayouts/slideLayout1.xml", False),
            ("layout2", f"{RELATIONSHIPS}/slideLayout", "../slideLayouts/slideLayout2.xml", False),
            ("theme", f"{RELATIONSHIPS}/theme", "../theme/theme1.xml", False),
        ),
    )
    wide = WIDTH_EMU - 2 * MARGIN_EMU
    layouts = (
        ("Title", "title", _placeholder(2, "ctrTitle", "", MARGIN_EMU, 2_286_000, wide, 1_500_000)),
        ("Heading and content", "obj", _placeholder(2, "title") + _placeholder(3, "", ' idx="1"')),
    )
    for number, (name, kind, shapes) in enumerate(layouts, 1):
        yield (
            f"ppt/slideLayouts/slideLayout{number}.xml",
            f'<p:sldLayout {_NAMESPACES} type="{kind}"><p:cSld name="{name}"><p:spTree>{_GROUP}{shapes}</p:spTree>'
            "</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>",
        )
        yield (
            f"ppt/slideLayouts/_rels/slideLayout{number}.xml.rels",
            relations(("master", f"{RELATIONSHIPS}/slideMaster", "../slideMasters/slideMaster1.xml", False)),
        )


def _placeholder(
    id: int,
    kind: str,
    more: str = "",
    x: int | None = None,
    y: int = 0,
    width: int = 0,
    height: int = 0,
    text: str = "",
) -> str:
    """Write a placeholder; without a place it takes that of the layout or master."""
    place = _transform(x, y, width, height) if x is not None else ""
    named = f' type="{kind}"' if kind else ""
    body = text or '<a:p><a:endParaRPr lang="en"/></a:p>'
    fit = "" if kind else "<a:normAutofit/>"
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{id}" name="{kind or "content"} {id}"/><p:cNvSpPr><a:spLocks noGrp="1"/>'
        f"</p:cNvSpPr><p:nvPr><p:ph{named}{more}/></p:nvPr></p:nvSpPr><p:spPr>{place}</p:spPr>"
        f"<p:txBody><a:bodyPr>{fit}</a:bodyPr><a:lstStyle/>{body}</p:txBody></p:sp>"
    )


def _transform(x: int, y: int, width: int, height: int, tag: str = "a:xfrm") -> str:
    return f'<{tag}><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/></{tag}>'


def _slide(slide: Slide, notice: str | None, *, is_title: bool) -> str:
    shapes = _placeholder(2, "ctrTitle" if is_title else "title", text=_paragraph(slide.title))
    if slide.lines:
        shapes += _placeholder(3, "", ' idx="1"', text="".join(map(_line, slide.lines)))
    for table in slide.tables:
        shapes += _table(table)
    if notice is not None:
        said = _paragraph(notice, ' sz="1000" i="1"')
        shapes += (
            '<p:sp><p:nvSpPr><p:cNvPr id="9" name="notice"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr>'
            f"{_transform(MARGIN_EMU, 6_300_000, WIDTH_EMU - 2 * MARGIN_EMU, 370_000)}"
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr wrap="square"/><a:lstStyle/>'
            f"{said}</p:txBody></p:sp>"
        )
    return (
        f"<p:sld {_NAMESPACES}><p:cSld><p:spTree>{_GROUP}{shapes}</p:spTree></p:cSld>"
        "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>"
    )


def _line(line: SlideLine) -> str:
    if line.is_bullet:
        return _paragraph(line.text, properties=f'<a:pPr lvl="{min(line.depth, 4)}"/>')
    look = '<a:latin typeface="Consolas"/>' if line.is_code else ""
    size = ' sz="1400"' if line.is_code else ""
    return _paragraph(line.text, size, look, '<a:pPr marL="0" indent="0"><a:buNone/></a:pPr>')


def _paragraph(text: str, attributes: str = "", look: str = "", properties: str = "") -> str:
    return f"<a:p>{properties}<a:r><a:rPr{attributes}>{look}</a:rPr><a:t>{clean(text)}</a:t></a:r></a:p>"


def _table(table: TableRows) -> str:
    columns = max(map(len, table), default=1)
    width = (WIDTH_EMU - 2 * MARGIN_EMU) // columns
    shown = table[: MAX_ROWS + 1]
    rows = "".join(
        f'<a:tr h="370840">{"".join(_cell(cell) for cell in (*row, *[""] * (columns - len(row))))}</a:tr>'
        for row in shown
    )
    grid = f'<a:gridCol w="{width}"/>' * columns
    return (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="4" name="table"/><p:cNvGraphicFramePr/><p:nvPr/>'
        f"</p:nvGraphicFramePr>{_transform(MARGIN_EMU, BODY_TOP_EMU, width * columns, 370_840 * len(shown), 'p:xfrm')}"
        '<a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/table"><a:tbl>'
        '<a:tblPr firstRow="1" bandRow="1"><a:tableStyleId>{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}</a:tableStyleId>'
        f"</a:tblPr><a:tblGrid>{grid}</a:tblGrid>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )


def _cell(text: str) -> str:
    body = _paragraph(text, ' sz="1400"')
    return f"<a:tc><a:txBody><a:bodyPr/><a:lstStyle/>{body}</a:txBody><a:tcPr/></a:tc>"


def _theme() -> str:
    colors = {
        "dk1": "2B211B",
        "lt1": "FFFFFF",
        "dk2": "66574C",
        "lt2": "F5EFE6",
        "accent1": "834317",
        "accent2": "E0A021",
        "accent3": "3F6527",
        "accent4": "2B5B84",
        "accent5": "8A3A62",
        "accent6": "8F4A10",
        "hlink": "2B5B84",
        "folHlink": "8A3A62",
    }
    scheme = "".join(f'<a:{name}><a:srgbClr val="{color}"/></a:{name}>' for name, color in colors.items())
    fonts = "".join(
        f'<a:{kind}Font><a:latin typeface="{face}"/><a:ea typeface=""/><a:cs typeface=""/></a:{kind}Font>'
        for kind, face in (("major", "Georgia"), ("minor", "Calibri"))
    )
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        '<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Éclair"><a:themeElements>'
        f'<a:clrScheme name="Éclair">{scheme}</a:clrScheme><a:fontScheme name="Éclair">{fonts}</a:fontScheme>'
        f'<a:fmtScheme name="Éclair"><a:fillStyleLst>{fill * 3}</a:fillStyleLst><a:lnStyleLst>{line * 3}</a:lnStyleLst>'
        f"<a:effectStyleLst>{effect * 3}</a:effectStyleLst><a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst>"
        "</a:fmtScheme></a:themeElements></a:theme>"
    )
