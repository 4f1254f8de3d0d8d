"""Films what the pipeline says of a recording as a GIF: python tools/make_gif.py motorway --start 3.5 --out a.gif."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from trust_seg_ros import TrustPipeline
from trust_seg_ros.drawing.panels import PanelContent, PanelPainter
from trust_seg_ros.drawing.pictures import SEGMENT_FLAG, SIGNAL, UNKNOWN, FlagLabel, colour_map
from trust_seg_ros.drawing.wording import not_class, unknown_object
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.recordings.section import Section
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.types import Frame, TrustFrame

_LABELS = 3


def main() -> None:
    """Write the film, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="as for trust-seg play, e.g. motorway")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds to skip (default: 0)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length (default: 5)")
    parser.add_argument("--every", type=int, default=2, help="show every n-th frame; all are judged (default: 2)")
    parser.add_argument("--width", type=int, default=800, help="in pixels (default: 800)")
    parser.add_argument("--colours", type=int, default=144, help="colours of the GIF, 60 to 256 (default: 144)")
    parser.add_argument("--out", type=Path, required=True, help="the GIF")
    args = parser.parse_args()
    source = open_source(args.source, section=Section(args.start, args.seconds))
    pipeline = TrustPipeline.load()
    palette = pipeline.labels.palette
    panels = [Image.fromarray(panel) for panel in _panels(pipeline, source, args.every, args.width)]
    films = _with_one_palette(panels, args.colours, palette)
    films[0].save(
        args.out, save_all=True, append_images=films[1:], duration=round(1000 * args.every / source.rate), loop=0
    )
    print(f"{args.out}: {len(films)} frames, {args.out.stat().st_size / 1e6:.2f} MB")


def _with_one_palette(panels: list[Image.Image], colours: int, palette: np.ndarray) -> list[Image.Image]:
    """All panels in the same colours, so that what stands still does not flicker: a third for flags, heat, classes."""
    ramp = colour_map(np.linspace(0, 1, colours // 3 - len(palette), dtype=np.float32)[None])[0]
    fixed = np.vstack([[SIGNAL, UNKNOWN], palette, ramp]).astype(np.uint8)
    rest = colours - len(fixed)
    drawn = panels[len(panels) // 2].quantize(rest, Image.Quantize.MEDIANCUT).getpalette() or []
    key = Image.new("P", (1, 1))
    key.putpalette([*fixed.ravel().tolist(), *drawn[: 3 * rest]])
    return [panel.quantize(palette=key, dither=Image.Dither.NONE) for panel in panels]


def _panels(pipeline: TrustPipeline, source: Iterable[Frame], every: int, width: int) -> Iterator[np.ndarray]:
    painter = None
    options = MessageOptions(pipeline.labels.names, pipeline.labels.palette)
    for index, frame in enumerate(source):
        result = pipeline(frame)
        if index % every == 0:
            painter = painter or PanelPainter(frame.image.shape[:2], options.palette, options.names, width)
            yield painter.paint(_content(Rendering(result, options)))


def _content(view: Rendering) -> PanelContent:
    result = view.frame
    assert result.trust is not None
    number = int(result.trust.unreliable.sum()) + (0 if result.ood is None else int(result.ood.kept.sum()))
    return PanelContent(
        image=result.frame.image,
        classes=view.classes,
        entropy=view.entropy_bytes,
        unreliable=view.unreliable == SEGMENT_FLAG,  # single pixels would flicker
        ood=view.ood,
        labels=_labels(result, view.options.names)[:_LABELS],
        notes=(f"{number} segments flagged",),
        threshold=0.5,
    )


def _labels(result: TrustFrame, names: tuple[str, ...]) -> list[FlagLabel]:
    """Labels of flagged segments, largest first."""
    segments, trust, ood = result.segments, result.trust, result.ood
    assert segments is not None
    assert trust is not None
    found = [
        (
            segments.sizes[k],
            FlagLabel(_box(segments.boxes[k]), not_class(names[segments.class_ids[k]], trust.p_wrong[k])),
        )
        for k in np.flatnonzero(trust.unreliable).tolist()
    ]
    if ood is not None and ood.p_ood is not None:
        found += [
            (ood.sizes[k], FlagLabel(_box(ood.boxes[k]), unknown_object(ood.p_ood[k]), UNKNOWN))
            for k in np.flatnonzero(ood.kept).tolist()
        ]
    return [label for _, label in sorted(found, key=lambda item: -item[0])]


def _box(box: np.ndarray) -> tuple[int, int, int, int]:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom


if __name__ == "__main__":
    main()
