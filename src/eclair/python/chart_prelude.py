"""Code that runs in the sandbox before and after a person's: it saves charts, and gives them our style.

`plt.show` saves each open figure as SVG and PNG under the next free name; so does the end of a call, as in a notebook.
A figure that the code saved itself is not saved again.
"""

from __future__ import annotations

FOLDER = "/work"
BACKEND = "eclair_charts"
DESCRIPTIONS = ".descriptions.json"
"""The file with the texts for those who can't see the charts, by name."""

PRELUDE = f'''
def _prepare():
    import importlib.abc, importlib.machinery, os, sys
    source = r"""
import json, os
from matplotlib import rcParams
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas
from matplotlib.figure import Figure

rcParams.update({{
    "figure.figsize": (7.2, 4.2), "figure.dpi": 144, "savefig.dpi": 144, "figure.autolayout": True,
    "font.size": 10.5, "axes.titlesize": 12.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#767b85", "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e4e6ea", "grid.linewidth": 0.8,
    "xtick.color": "#4a4f59", "ytick.color": "#4a4f59", "text.color": "#1d2129", "axes.labelcolor": "#1d2129",
    "svg.fonttype": "path", "figure.facecolor": "white", "savefig.facecolor": "white",
}})
import matplotlib
rcParams["axes.prop_cycle"] = matplotlib.cycler(
    color=["#2457c5", "#d9622b", "#1c8a6a", "#8a4fbf", "#b98900", "#c2376b", "#4d7f9c", "#6b6f78"])

_described = {{}}
_save = Figure.savefig

def _savefig(self, fname, *args, **kwargs):
    _save(self, fname, *args, **kwargs)
    self._is_saved = True
    if isinstance(fname, (str, os.PathLike)):
        _note(os.fspath(fname), self)

Figure.savefig = _savefig

def _note(name, figure):
    _described[os.path.relpath(os.path.abspath(name), "{FOLDER}")] = describe(figure)
    with open("{FOLDER}/{DESCRIPTIONS}", "w") as file:
        json.dump(_described, file)

def describe(figure):
    parts = [figure.get_suptitle()] if figure.get_suptitle() else []
    for axes in figure.axes:
        title = axes.get_title("left") or axes.get_title() or axes.get_title("right")
        labels = " / ".join(each for each in (axes.get_ylabel(), axes.get_xlabel()) if each)
        parts += [each for each in (title, labels) if each]
    return ". ".join(dict.fromkeys(parts))[:300]

def show(*args, **kwargs):
    for manager in Gcf.get_all_fig_managers():
        figure = manager.canvas.figure
        if not getattr(figure, "_is_saved", False) and (figure.axes or figure.texts):
            number = 1
            while any(os.path.exists(_name(number) + end) for end in (".png", ".svg")):
                number += 1
            for end in (".png", ".svg"):
                figure.savefig(_name(number) + end)
    Gcf.destroy_all()

def _name(number):
    return "{FOLDER}/chart" + (f"-{{number}}" if number > 1 else "")

class FigureManager(FigureManagerBase):
    def show(self):
        show()
"""

    class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name, path=None, target=None):
            return importlib.machinery.ModuleSpec(name, self) if name == "{BACKEND}" else None

        def exec_module(self, module):
            exec(source, module.__dict__)

    sys.meta_path.insert(0, Finder())
    os.utime = lambda *args, **kwargs: None  # times of files can't be changed here, and libraries try
    os.makedirs("/tmp/matplotlib", exist_ok=True)
    os.chdir("{FOLDER}")


_prepare()
del _prepare
'''

FINISH = f"""
def _finish():
    import sys
    if "matplotlib.pyplot" in sys.modules and "{BACKEND}" in sys.modules:
        sys.modules["{BACKEND}"].show()
        sys.modules["{BACKEND}"]._described.clear()


_finish()
del _finish
"""
