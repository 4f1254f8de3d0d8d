"""A result in a terminal, in a notebook and as a picture."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from library_results import LABELS, blocks, made

import trust_seg_ros
from trust_seg_ros.drawing.pictures import PictureError
from trust_seg_ros.library.picture import Picture


class Balanced(HTMLParser):
    """Which tags are open, and which were seen."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def result():
    return made(blocks(), unknown=np.eye(24, 32) > 0, name="<script>alert(1)</script> & Straße 路.jpg")


def test_one_line_says_what_was_found(result):
    n, wrong = len(result.segments), result.trust.unreliable.sum()
    share = 100 * result.pixel_flags.mean()
    expected = f"TrustFrame(32×24, {n} segments ({wrong} unreliable), 1 unknown object, {share:.1f} % pixels flagged)"
    assert repr(result) == expected
    assert "(1 unreliable)" not in repr(made(blocks(), judged=False))


def test_a_notebook_shows_it_and_escapes_names(result):
    page = result._repr_html_()
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "script" not in parser.seen
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>Tree" not in page
    assert "&lt;b&gt;Tree &amp; Bush&lt;/b&gt;" in page
    rows = page.count("<tr>") - 1
    assert rows == min(8, result.trust.unreliable.sum())
    data = base64.b64decode(re.search(r'base64,([^"]+)"', page)[1])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape[1] == 1600


def test_notebooks_show_results_without_parts():
    for shown in (made(blocks(), judged=False), made(blocks(), segments=False), made(np.full((3, 3), 255))):
        page = shown._repr_html_()
        assert "<table" not in page
        assert "<img" in page


def test_a_plot_is_an_array_a_file_and_a_notebook_picture(result, tmp_path):
    picture = result.plot(width=800)
    assert picture.shape[1:] == (800, 3)
    assert np.asarray(picture).dtype == np.uint8
    assert np.asarray(picture) is picture.array
    assert np.array(picture) is not picture.array
    assert np.asarray(picture, np.float32).dtype == np.float32
    assert picture._repr_png_().startswith(b"\x89PNG")
    path = picture.save(tmp_path / "a b" / "p.png")
    assert (cv2.imread(str(path))[..., ::-1] == picture.array).all()
    assert isinstance(picture, Picture)
    assert "save(" in repr(picture)
    with pytest.raises(PictureError, match="at least 640"):
        result.plot(width=100)


def test_an_image_that_cannot_be_drawn_is_said_so():
    tall = made(np.zeros((400, 1)))
    with pytest.raises(PictureError, match="1×400 is too narrow"):
        tall.plot()
    assert "too narrow" in tall._repr_html_()
    assert made(np.zeros((1, 400))).plot().shape[1] == 1600


def test_completion_shows_the_api(result):
    there = {name for name in dir(result) if not name.startswith("_")}
    assert there >= {
        "plot",
        "save",
        "segments",
        "unknown_objects",
        "to_coco",
        "to_labelme",
        "to_pandas",
        "to_supervision",
    }
    assert {"TrustPipeline", "TrustFrame", "Frame", "open_source"} <= set(dir(trust_seg_ros))
    for name in trust_seg_ros.__all__:
        assert getattr(trust_seg_ros, name).__name__ == name
    assert LABELS.names[0] in repr(result.segments.of_class("Road")[0])
