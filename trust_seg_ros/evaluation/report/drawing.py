"""Shared parts of the figures: size, fonts, a palette for colour-blind readers, labels that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREEN, RED, SKY, PURPLE, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
"""Okabe and Ito's colours."""

GREY = "#8A8A8A"
STRONG = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK, "#7F6000")
"""Colours of named lines, the most important first."""

MANY = (*STRONG, "#0000FF", "#000044", "#1122AA", "#FFBB88", "#114411", "#444455", "#AA44FF")
"""Further colours, each the one furthest from all before it in CIELAB, as seen with and without deuteranopia."""

_DPI = 150


def colours(count: int) -> list[str]:
    """As many different colours as there are lines, those of ``STRONG`` first; very many go from dark to light."""
    if count <= len(MANY):
        return list(MANY[:count])
    ramp = mpl.colormaps["cividis"](np.linspace(0.0, 0.9, count))
    return [mpl.colors.to_hex(colour) for colour in ramp]


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "font.size": 14,
            "axes.titlesize": 15,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E2E2E2",
            "grid.linewidth": 0.8,
            "legend.framealpha": 0.9,
            "legend.edgecolor": "none",
            "lines.linewidth": 2.2,
            "mathtext.fontset": "dejavusans",
        }
    )


@contextmanager
def figure(path: str, height: float, width: float = 10.0) -> Iterator[Figure]:
    """A figure that is written to ``path`` (PNG) at the end; sizes in inches, 10 are meant for 1,000 px on a page."""
    with _style():
        drawn = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
        yield drawn
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        # a palette takes a third of the size, without a visible difference
        picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, "png", optimize=True)


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Positions close to those wanted, in their order, at least ``gap`` apart and within [low, high] if there is room.

    >>> spread_out([1.0, 1.1], 1.0, 0.0, 5.0).tolist()
    [0.55, 1.55]
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(len(order) - 1, 1))
    blocks: list[list[float]] = []  # [sum of first positions wanted, members]; a block is packed gap by gap
    for value in np.asarray(wanted, np.float64)[order]:
        blocks.append([value, 1])
        while len(blocks) > 1 and _start(blocks[-1]) < _start(blocks[-2]) + gap * blocks[-2][1]:
            total, members = blocks.pop()
            blocks[-1][0] += total - members * gap * blocks[-1][1]
            blocks[-1][1] += members
    placed = np.concatenate([_start(block) + gap * np.arange(block[1]) for block in blocks] or [np.empty(0)])
    room = gap * np.arange(len(order))
    placed = np.clip(placed, low + room, high - room[::-1])
    found = np.empty(len(order))
    found[order] = placed
    return found


def label_ends(axes: Axes, x: float, ends: Sequence[float], texts: Sequence[str], colours: Sequence[str]) -> None:
    """Names of lines, written right of their ends at ``x``, apart from each other."""
    low, high = axes.get_ylim()
    drawn = axes.figure
    assert isinstance(drawn, Figure)  # not a SubFigure
    height = drawn.get_size_inches()[1] * 72 * axes.get_position().height
    gap = 19 / height * (high - low)
    for y, end, text, colour in zip(spread_out(ends, gap, low, high), ends, texts, colours, strict=True):
        axes.annotate(
            text,
            (x, end),
            xytext=(1.03, (y - low) / (high - low)),
            textcoords="axes fraction",
            color=colour,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)},
        )


def _start(block: list[float]) -> float:
    return block[0] / block[1]
