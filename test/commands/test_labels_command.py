"""trust-seg labels: from a tool's export to a data set that trust-seg miou reads."""

import contextlib

import numpy as np
import pytest
from json_schemas import run_json
from library_results import LABELS, blocks
from moments import moment, seen

from trust_seg_ros.cli import main
from trust_seg_ros.commands.labels import FORMS
from trust_seg_ros.mining.exports import write_export
from trust_seg_ros.mining.returns import RETURNS


@pytest.fixture
def export(tmp_path):
    sent = [moment("a b", blocks(), unknown=blocks(3) == 0), moment("none", np.full((4, 5), 255))]
    write_export("cvat", sent, LABELS, tmp_path / "export", total=2)
    return tmp_path / "export"


def words(export, *more):
    return ("labels", export, "--labels", export / "label_set.yaml", "--out", export.parent / "set", *more)


def test_json_tells_what_came_back(export, capsys):
    found = run_json(capsys, *words(export))
    expected = seen(moment("a b", blocks(), unknown=blocks(3) == 0))
    assert (found["form"], found["images"], found["left_out"]) == ("cvat", 1, ["none.png"])
    assert found["pixels"] == {
        name: int((expected == k).sum()) for k, name in enumerate([*LABELS.names, "unknown object"])
    }
    assert found["images_with_unknown_objects"] == 1


def test_text_tells_it_too_and_says_what_to_do_when_it_is_wrong(export, capsys):
    assert main([str(word) for word in words(export, "--from", "cvat", "--images", export / "images")]) == 0
    out = capsys.readouterr().out
    assert "1 images with labels (cvat)" in out
    assert "left out, as nobody labelled them: 1 (none.png)" in out
    assert main([str(word) for word in words(export)]) == 2
    assert "there is something already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (("--rename", "car"), "'car'; expected NAME=CLASS, for example person=Pedestrian"),
        (("--from", "cavt"), "invalid choice: 'cavt'"),
        (("--images", "nowhere"), "--images nowhere: no such folder; expected a folder"),
        (("--labels", "nowhere"), "no label set 'nowhere'"),
    ],
)
def test_wrong_words_are_refused(export, more, match, capsys):
    with contextlib.suppress(SystemExit):  # argparse ends so
        assert main([str(word) for word in words(export, *more)]) == 2
    assert not (export.parent / "set").exists()
    assert match in capsys.readouterr().err


def test_a_missing_export_is_refused_at_once(tmp_path, capsys):
    assert main(["labels", str(tmp_path / "x.zip"), "--labels", "camvid11", "--out", str(tmp_path / "o")]) == 2
    assert "x.zip: no such file or folder; expected what the labelling tool exported" in capsys.readouterr().err


def test_the_choices_are_those_of_the_registry():
    assert list(RETURNS) == list(FORMS)
