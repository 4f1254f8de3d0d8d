from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.segmentation import LabelError, LabelSet, load_labels
from trust_seg_ros.segmentation.labels import MAX_CLASSES, made_up_palette, parse_labels
from trust_seg_ros.uncertainty import logits

CLASSES = [{"name": "road", "color": [1, 2, 3]}, {"name": "sky", "color": [4, 5, 6]}]


def write(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("name", "count", "ignore", "pairs"),
    [
        (
            "camvid11",
            11,
            11,
            {0: ("Sky", (128, 128, 128)), 3: ("Road", (128, 64, 128)), 10: ("Bicyclist", (0, 128, 192))},
        ),
        (
            "cityscapes19",
            19,
            255,
            {0: ("road", (128, 64, 128)), 11: ("person", (220, 20, 60)), 18: ("bicycle", (119, 11, 32))},
        ),
        (
            "ade20k150",
            150,
            255,
            {0: ("wall", (120, 120, 120)), 12: ("person", (150, 5, 61)), 149: ("flag", (92, 0, 255))},
        ),
    ],
)
def test_shipped_sets_hold_the_published_classes(name, count, ignore, pairs):
    labels = load_labels(name)
    assert (labels.name, len(labels), labels.ignore) == (name, count, ignore)
    for index, (class_name, color) in pairs.items():
        assert labels.names[index] == class_name
        assert tuple(labels.palette[index]) == color


def test_own_file_is_read_as_written(tmp_path):
    labels = load_labels(write(tmp_path, {"name": "two", "ignore": 7, "source": "me", "classes": CLASSES}))
    assert labels == LabelSet("two", ("road", "sky"), np.array([[1, 2, 3], [4, 5, 6]]), 7)


def test_name_defaults_to_the_file_and_colours_are_made_up(tmp_path):
    labels = load_labels(str(write(tmp_path, {"classes": [{"name": "a"}, {"name": "b"}]})))
    assert labels.name == "mine"
    assert labels.ignore is None
    assert (labels.palette == made_up_palette(2)).all()


def test_unknown_name_lists_those_there_are():
    with pytest.raises(LabelError, match=r"citiscapes.*ade20k150, camvid11, cityscapes19"):
        load_labels("citiscapes")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"none\.yaml"):
        load_labels(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("classes: [", "not a readable YAML"),
        ("- 1", "expected a mapping with a list 'classes', found list"),
        ("", "found NoneType"),
        ({"classes": {"a": 1}}, "list 'classes'"),
        ({"classes": CLASSES, "pallete": []}, "unknown keys pallete"),
        ({"classes": [*CLASSES, "tree"]}, "class 2 is 'tree'"),
        ({"classes": [{"name": True}, {"name": "b"}]}, "class 0"),
        ({"classes": [{"name": "a", "colour": [1, 2, 3]}, {"name": "b"}]}, "class 0"),
        ({"classes": [*CLASSES, {"name": "tree", "color": [0, 0, 256]}]}, r"class 2 \(tree\).*\[0, 0, 256\].*0 to 255"),
        ({"classes": [*CLASSES, {"name": "tree", "color": [0, 0]}]}, r"\[red, green, blue\]"),
        ({"classes": [*CLASSES, {"name": "tree", "color": [0, -1, 0]}]}, "0 to 255"),
        ({"classes": [*CLASSES, {"name": "tree"}]}, "3 names but 2 colours"),
        ({"classes": [*CLASSES, {"name": "sky", "color": [0, 0, 0]}]}, "name a class twice: sky"),
        ({"classes": CLASSES[:1]}, "1 classes; expected 2 to 254"),
        ({"classes": [{"name": f"c{i}"} for i in range(256)]}, "256 classes"),
        ({"classes": CLASSES, "ignore": 1}, "ignore is 1"),
        ({"classes": CLASSES, "ignore": "void"}, "ignore is 'void'"),
        ({"classes": [{"name": " "}, {"name": "b"}]}, "without a name"),
    ],
)
def test_malformed_files_say_what_is_wrong_and_where(tmp_path, content, match):
    path = write(tmp_path, content)
    with pytest.raises(LabelError, match=match) as caught:
        load_labels(path)
    assert str(path) in str(caught.value)


def test_file_that_is_not_text(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\x00\x81")
    with pytest.raises(LabelError, match="not a readable YAML"):
        load_labels(path)


@pytest.mark.parametrize(
    "palette", [np.zeros((3, 3), int), np.full((2, 3), 256), np.full((2, 3), 0.5), np.full((2, 3), -1)]
)
def test_palette_must_fit(palette):
    with pytest.raises(LabelError, match="palette"):
        LabelSet("two", ("a", "b"), palette)


def test_palette_is_read_only():
    palette = load_labels("camvid11").palette
    with pytest.raises(ValueError, match="read-only"):
        palette[0] = 0


def test_classes_are_found_by_name_in_any_case():
    labels = load_labels("camvid11")
    assert labels.id_of("pedestrian") == 9
    with pytest.raises(LabelError, match=r"'dog'.*Sky, Building"):
        labels.id_of("dog")


@given(st.integers(2, 255))
def test_made_up_colours_differ(count):
    assert len({tuple(c) for c in made_up_palette(count).tolist()}) == count


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_content_gives_labels_or_a_label_error(content):
    try:
        labels, text = parse_labels({"classes": content}, Path("x.yaml")), ""
    except LabelError as error:
        labels, text = None, str(error)
    assert "x.yaml" in text if labels is None else len(labels) >= 2


@pytest.mark.parametrize(("ignore", "values"), [(None, (255,)), (255, (255,)), (2, (2, 255))])
def test_values_without_a_class_in_ground_truth(ignore, values):
    assert LabelSet("two", ("a", "b"), ignore=ignore).without_class == values


def test_as_many_classes_as_the_maps_take():
    assert (logits.MIN_CLASSES, logits.MAX_CLASSES) == (2, MAX_CLASSES)
    assert len(LabelSet("many", tuple(map(str, range(MAX_CLASSES))))) == MAX_CLASSES
    for count in (1, MAX_CLASSES + 1):
        with pytest.raises(LabelError, match=rf"have {count} classes; expected 2 to 254 \(class maps are bytes"):
            LabelSet("many", tuple(map(str, range(count))))
