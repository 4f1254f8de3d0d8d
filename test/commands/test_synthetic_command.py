import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.datasets.folders import read_image
from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.synthetic import training_sample


def write(out, *more):
    return main(["synthetic", "--out", str(out), "--frames", "3", "--size", "128x96", *more])


def values(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_scenes_are_the_training_samples_of_their_seeds(tmp_path):
    assert write(tmp_path, "--scenes", "--seed", "40", "--unknowns", "cow,box", "--unknown-rate", "8") == 0
    names = ["scene000040.png", "scene000041.png", "scene000042.png"]
    assert sorted(p.name for p in (tmp_path / "unknown").iterdir()) == names
    seen = 0
    for seed, name in enumerate(names, 40):
        image, labels = training_sample(seed, (96, 128), ("cow", "box"), 8.0)
        assert np.array_equal(read_image(tmp_path / "images" / name), image)
        assert np.array_equal(values(tmp_path / "labels" / name), labels)
        assert np.array_equal(values(tmp_path / "unknown" / name), labels == 255)
        seen += (labels == 255).sum()
    assert seen


def test_scenes_in_another_look_have_the_same_labels_where_the_camera_is_the_same(tmp_path):
    for look in ("own", "unseen"):
        assert write(tmp_path / look, "--scenes", "--seed", "40", "--unknowns", "none", "--look", look) == 0
    own, unseen = (
        [cv2.imread(str(tmp_path / look / kind / "scene000040.png")) for kind in ("images", "labels")]
        for look in ("own", "unseen")
    )
    assert np.array_equal(own[1], unseen[1])
    assert not np.array_equal(own[0], unseen[0])


def test_without_unknown_objects_every_pixel_has_a_class(tmp_path):
    assert write(tmp_path, "--scenes", "--unknowns", "none") == 0
    folder = open_dataset(tmp_path, None, load_labels("camvid11"))
    assert len(folder) == 3
    assert all((folder.read(sample)[1] < 11).all() for sample in folder)


def test_a_drive_with_chosen_kinds_and_weather(tmp_path):
    assert write(tmp_path / "a", "--unknowns", "ball", "--unknown-rate", "20", "--weather", "fog") == 0
    assert write(tmp_path / "b", "--unknowns", "none", "--weather", "fog") == 0
    with_balls, without = (values(tmp_path / run / "unknown" / "seed0_000000.png") for run in "ab")
    assert with_balls.any()
    assert not without.any()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--look", "painted"], "--look painted: only separate scenes"),
        (["--scenes", "--every", "2"], "--every 2: --scenes has no drive"),
        (["--unknown-rate", "99"], "unknown_rate is 99"),
        (["--weather", "snow"], "weather is 'snow'"),
    ],
)
def test_mistakes(tmp_path, capsys, words, told):
    assert write(tmp_path, *words) == 2
    assert told in capsys.readouterr().err


def test_an_unknown_kind(tmp_path, capsys):
    with pytest.raises(SystemExit):
        write(tmp_path, "--unknowns", "unicorn,cow")
    assert "unicorn is not a kind of unknown object; there are: deer" in capsys.readouterr().err


def test_objects_keep_their_numbers_over_the_files(tmp_path):
    assert write(tmp_path, "--objects", "--fps", "10", "--seed", "3", "--unknown-rate", "8") == 0
    rows = [line.split(",") for line in (tmp_path / "objects.csv").read_text().splitlines()]
    assert rows[0] == ["number", "kind", "class_id"]
    class_of = {int(number): int(class_id) for number, _, class_id in rows[1:]}
    assert sorted(class_of) == list(range(1, len(rows)))
    maps = [values(path) for path in sorted((tmp_path / "objects").iterdir())]
    labels = [values(path) for path in sorted((tmp_path / "labels").iterdir())]
    for objects, classes in zip(maps, labels, strict=True):
        assert objects.dtype == np.uint16
        for number in set(np.unique(objects)) - {0}:
            assert set(np.unique(classes[objects == number])) == {class_of[number]}
    assert len(set(np.unique(maps[0])) & set(np.unique(maps[1]))) > 10


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--objects"], "--objects: separate scenes share no objects"),
        (["--fps", "10"], "--fps 10: separate scenes have no rate"),
    ],
)
def test_separate_scenes_have_neither_rate_nor_objects_that_last(tmp_path, capsys, words, told):
    assert write(tmp_path, "--scenes", *words) == 2
    assert told in capsys.readouterr().err
