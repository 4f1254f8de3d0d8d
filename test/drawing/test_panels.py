import numpy as np
import pytest

from trust_seg_ros.drawing import panels
from trust_seg_ros.drawing.lettering import text_mask, write
from trust_seg_ros.drawing.panels import PanelContent, PanelPainter, panel
from trust_seg_ros.drawing.pictures import SIGNAL, UNKNOWN, FlagLabel, PictureError

PALETTE = np.array([[10, 20, 30], [200, 100, 50], [0, 0, 255]], np.uint8)
NAMES = ("road", "car", "sky")


def content(height=96, width=160, **changes):
    rng = np.random.default_rng(1)
    classes = np.zeros((height, width), np.uint8)
    classes[: height // 2] = 2
    flags = np.zeros((height, width), np.uint8)
    flags[40:80, 40:120] = 255
    parts = {
        "image": rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        "classes": classes,
        "entropy": rng.random((height, width), dtype=np.float32),
        "unreliable": flags,
        "labels": [FlagLabel((40, 40, 120, 80), "not car, 90 %")],
        "notes": ["10 frames/s"],
        "threshold": 0.5,
    }
    return PanelContent(**(parts | changes))


def tiles(painter, picture):
    """The camera, then the small pictures."""
    spots = (painter.layout.large, *painter.layout.small)
    return [picture[top : top + height, left : left + width] for top, left, height, width in spots]


def test_the_camera_is_large_with_its_flags_and_classes_and_heat_lie_beside_it():
    painter = PanelPainter((96, 160), PALETTE, NAMES, width=1000)
    picture = painter.paint(content())
    assert picture.shape == (*painter.size, 3) == (562, 1000, 3)
    camera, classes, heat, alone = tiles(painter, picture)
    assert all(tile.std() > 5 for tile in (camera, classes, heat, alone))
    assert np.array_equal(classes[2, 2], PALETTE[2])
    assert np.array_equal(classes[-2, -2], PALETTE[0])
    assert camera.size > 0.5 * picture.size, "more than half of the film is the camera"
    assert camera.size > 9 * classes.size
    assert (camera == SIGNAL).all(axis=2).mean() > 0.05
    assert (camera[:20] != SIGNAL).any(axis=2).all(), "nothing is flagged in the upper rows"
    assert not (alone == SIGNAL).all(axis=2).any()


@pytest.mark.parametrize("size", [(96, 160), (120, 160), (160, 96), (40, 400), (1, 1), (540, 960), (1024, 2048)])
@pytest.mark.parametrize("width", [640, 801, 1600])
def test_panels_are_16_to_9_and_nothing_lies_on_anything(size, width):
    painter = PanelPainter(size, PALETTE, NAMES, width)
    height, wide = painter.size
    assert wide == width // 2 * 2
    assert height % 2 == 0
    assert abs(height - wide * 9 / 16) <= 1
    taken = np.zeros(painter.size, int)
    for top, left, rows, columns in (painter.layout.large, *painter.layout.small, painter._legend_spot()):
        assert top + rows <= height
        assert left + columns <= wide
        taken[top : top + rows, left : left + columns] += 1
    assert taken.max() == 1


def test_bool_flags_and_byte_entropy_are_taken():
    one = content()
    entropy = (one.entropy * 255).round().astype(np.uint8)
    painter = PanelPainter((96, 160), PALETTE, NAMES)
    a = painter.paint(one)
    b = painter.paint(content(unreliable=one.unreliable == 255, entropy=entropy))
    assert np.abs(a.astype(int) - b).mean() < 1


def test_frames_of_another_size_keep_the_panels_size():
    painter = PanelPainter((96, 160), PALETTE, NAMES)
    assert painter.paint(content(48, 200, labels=())).shape == painter.paint(content()).shape


def test_what_is_unknown_has_a_colour_of_its_own():
    painter = PanelPainter((96, 160), PALETTE, NAMES)
    ood = np.zeros((96, 160), bool)
    ood[10:30, 10:60] = True
    plain, shown = (tiles(painter, painter.paint(content(ood=o)))[0] for o in (None, ood))
    assert not (plain == UNKNOWN).all(axis=2).any()
    assert (shown == UNKNOWN).all(axis=2).sum() > 50
    assert np.array_equal(plain[-20:], shown[-20:])


def test_the_threshold_shows_and_follows():
    painter = PanelPainter((96, 160), PALETTE, NAMES)
    below = painter._legend_spot()[0]
    low, high, low_again = (painter.paint(content(threshold=t)) for t in (0.3, 0.8, 0.3))
    assert not np.array_equal(low[below:], high[below:])
    assert np.array_equal(low[:below], high[:below])
    assert np.array_equal(low, low_again)


def test_the_legend_says_what_the_number_beside_a_flagged_segment_is(monkeypatch):
    written = []
    monkeypatch.setattr(panels, "write", lambda *a: written.append(a[1]) or write(*a))
    panel(content(threshold=0.5), PALETTE, NAMES)
    assert '"not Car, 68 %": segment with P(wrong) >= 50 %' in written


def test_many_classes_show_the_largest_in_the_legend():
    palette = np.random.default_rng(0).integers(0, 256, (150, 3), dtype=np.uint8)
    palette[149] = (1, 2, 3)
    names = [f"class{i}" for i in range(150)]
    shown = panel(content(classes=np.full((96, 160), 149, np.uint8)), palette, names)
    other = panel(content(classes=np.full((96, 160), 0, np.uint8)), palette, names)
    legend = slice(PanelPainter((96, 160), palette, names)._legend_spot()[0], None)
    assert (shown[legend] == (1, 2, 3)).all(axis=2).sum() > 50
    assert not (other[legend] == (1, 2, 3)).all(axis=2).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: PanelPainter((96, 160), PALETTE, NAMES[:2]), "2 class names and 3 colours"),
        (lambda: PanelPainter((96, 160), PALETTE, NAMES, width=10), "at least 640"),
        (lambda: panel(content(entropy=np.zeros((96, 160), np.int64)), PALETTE, NAMES), "map"),
        (lambda: panel(content(classes=np.zeros((9, 9), np.uint8)), PALETTE, NAMES), "classes"),
    ],
)
def test_what_does_not_fit_is_named(call, words):
    with pytest.raises(PictureError, match=words):
        call()


def test_lettering_is_cut_off_at_the_edges_and_scales():
    picture = np.zeros((20, 30, 3), np.uint8)
    write(picture, "wide words", -10, 12, 16, (255, 255, 255))
    assert picture.any()
    assert text_mask("abc", 40).shape[1] > 1.8 * text_mask("abc", 20).shape[1]
    assert text_mask("", 12).shape[0] == 12
    assert text_mask("é", 12).any(), "other characters show as ?"
