"""Puts Éclair's own kernels into llama.cpp's sources before they are compiled (`engines/kernels/`).

Matrices in Q4_0, Q4_1, Q8_0, Q4_K and Q6_K are laid out and multiplied by `strips.h`, and what one query attends to is
summed by `attention.h`, each on processors that gain by it; on others llama.cpp does as it always does. By `threads.h`
as many threads compute as pays beside what else the machine does, on all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eclair.errors import EngineMissing
from eclair.llm.local.profile import KERNELS

PLACE = "thirdparty/llama.cpp/ggml/src/ggml-cpu"


@dataclass(frozen=True, slots=True)
class Edit:
    """`old`, which is there once in `file`, becomes `new`."""

    file: str
    old: str
    new: str


_CHOICE = (
    "static const ggml::cpu::tensor_traits * ggml_repack_get_optimal_repack_type(const struct ggml_tensor * cur) {\n"
)
_POSITIONS = "        for (int64_t ic = ic_start; ic < ic_end; ++ic) {\n"
_WIDENED = """\
        if (v->type == GGML_TYPE_F16) {
            for (int64_t d = 0; d < DV; ++d) {
"""

_SPLIT = "&& (k->type == v->type) && q->type == GGML_TYPE_F32 && nek1 >= 512;\n"
"""Where positions are shared out among threads: heads are, unless there are fewer of them, so that an answer does not
depend on how many threads compute."""

_THREADS = """\
    int n_threads                               = cplan->n_threads;
    struct ggml_threadpool * threadpool = cplan->threadpool;
"""
_ENDED = "    enum ggml_status ret = threadpool->ec;\n"

EDITS = (
    Edit(
        "repack.cpp",
        _CHOICE,
        f"""\
#include "repack.inc"

{_CHOICE}    if (const auto * strips = eclair_strips_of(cur)) {{
        return strips;
    }}
""",
    ),
    Edit("ops.cpp", '#include "vec.h"\n', '#include "vec.h"\n#include "attention.h"\n'),
    Edit(
        "ops.cpp",
        _POSITIONS,
        """\
        const bool attended = k->type == GGML_TYPE_F16 && v->type == GGML_TYPE_F16 && logit_softcap == 0.0f &&
            eclair::attend(DK, DV, pq, scale, (const char *) k->data + ik2*nbk2 + ik3*nbk3, nbk1,
                           (const char *) v->data + iv2*nbv2 + iv3*nbv3, nbv1, mp, slope, ic_start, ic_end,
                           M, S, VKQ32);
        for (int64_t ic = attended ? ic_end : ic_start; ic < ic_end; ++ic) {
""",
    ),
    Edit(
        "ggml-cpu.c",
        '#include "ggml-cpu-impl.h"\n',
        '#include "ggml-cpu-impl.h"\n#include "threads.h"\n',
    ),
    Edit(
        "ggml-cpu.c",
        _THREADS,
        """\
    static _Thread_local struct eclair_gear gears[ECLAIR_GEARS];
    const int64_t tokens = cgraph->n_nodes > 0 ? cgraph->nodes[0]->ne[1] : 0;
    struct eclair_gear * gear = &gears[eclair_gear_of(tokens)];
    int n_threads = eclair_threads(gear, cplan->n_threads);
    struct ggml_threadpool * threadpool = cplan->threadpool;
    const int64_t began = ggml_time_us();
""",
    ),
    Edit(
        "ggml-cpu.c",
        _ENDED,
        f"""\
    eclair_took(gear, tokens, ggml_time_us() - began);

{_ENDED}""",
    ),
    Edit("ops.cpp", _SPLIT, _SPLIT.replace("nek1 >= 512;", "nek1 >= 512 && neq2 < nth;")),
    Edit("ops.cpp", _WIDENED, _WIDENED.replace("(v->type", "(!attended && v->type")),
)


def add(folder: Path) -> None:
    """Change the package's sources there. Raises OSError, and EngineMissing, with nothing changed, where they are not
    those that the kernels are for."""
    place = folder / PLACE
    texts: dict[str, str] = {}
    for edit in EDITS:
        text = texts.get(edit.file) or (place / edit.file).read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise EngineMissing(f"{PLACE}/{edit.file} is not the one that Éclair's kernels are for")
        texts[edit.file] = text.replace(edit.old, edit.new)
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    for file in KERNELS:
        (place / file.name).write_bytes(file.read_bytes())
