"""``pasted:``: street scenes with cut-out objects, opened by one text."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.cutouts import open_cutouts, with_alpha
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.datasets.pasted import parse_pasted_set
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.training.ood_sources import open_ood


@pytest.fixture
def objects(tmp_path):
    folder = tmp_path / "cutouts"
    (folder / "rgba").mkdir(parents=True)
    for number, name in enumerate(("ball", "dog", "sofa")):
        rgba = np.zeros((40, 50, 4), np.uint8)
        rgba[5:35, 10:40] = (0, 0, 80 * number + 60, 255)
        cv2.imwrite(str(folder / "rgba" / f"{name}.png"), rgba)
    (folder / "index.csv").write_text("name,split,known\nball,train,0\ndog,train,1\nsofa,hold_out,0\n")
    return folder


@pytest.fixture
def streets(tmp_path):
    root = tmp_path / "streets"
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    for name in ("paris_1", "paris_2", "rome_1"):
        labels = np.full((90, 120), 1, np.uint8)
        labels[50:], labels[:5] = 3, 11
        cv2.imwrite(str(root / "images" / f"{name}.png"), np.full((90, 120, 3), 90, np.uint8))
        cv2.imwrite(str(root / "labels" / f"{name}.png"), labels)
    return root


def test_a_scene_has_objects_void_and_classes(objects, streets):
    scenes = parse_pasted_set(f"pasted:objects={objects}:on={streets}:seeds=10-29:each=2")
    assert (len(scenes), scenes.scenes, len(scenes.objects)) == (20, 3, 3)
    for index in range(len(scenes)):
        image, truth, classes = scenes.read(index)
        assert image.shape == (90, 120, 3)
        assert set(np.unique(truth).tolist()) == {0, 1, 255}
        assert (truth[:5][truth[:5] != 1] == 255).all()  # the street's own void
        assert (classes[truth == 1] == 255).all()
        assert set(np.unique(classes[truth == 0]).tolist()) <= {1, 3}


def test_one_seed_is_one_scene_in_any_set(objects, streets):
    text = f"pasted:objects={objects}:on={streets}:seeds="
    first, second = parse_pasted_set(text + "0-9"), parse_pasted_set(text + "4-4")
    assert all(np.array_equal(a, b) for a, b in zip(first.read(4), second.read(0), strict=True))
    assert not np.array_equal(first.read(3)[0], first.read(4)[0])


def test_kinds_and_places_are_chosen_by_name_and_index(objects, streets):
    text = f"pasted:objects={objects}:on={streets}:seeds=0-1"
    assert parse_pasted_set(f"{text}:objects_split=train").objects.names == ("ball", "dog")
    assert parse_pasted_set(f"{text}:objects_split=train:without=known").objects.names == ("ball",)
    assert parse_pasted_set(f"{text}:objects_named=s*+b*").objects.names == ("ball", "sofa")
    assert parse_pasted_set(f"{text}:on_named=paris*").scenes == 2


def test_training_and_benchmark_read_the_same_scenes(objects, streets):
    text = f"pasted:objects={objects}:on={streets}:seeds=0-3"
    images, source = open_ood_images(text), open_ood(text, load_labels("camvid11"))
    assert images.names == ("pasted0", "pasted1", "pasted2", "pasted3")
    assert source.has_classes
    for index in range(4):
        found = source.read(index)
        assert all(np.array_equal(a, b) for a, b in zip(images.read(index), (found.image, found.truth), strict=True))
        codes = found.codes(keep_rest=True)
        assert np.array_equal(codes == OOD, found.truth == 1)
        assert np.array_equal(codes == 255, found.truth == 255)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("seeds=5-3", "0 <= FIRST <= LAST"),
        ("seeds=", "is not understood"),
        ("", "seeds="),
        ("seeds=0-1:each=0", "1 to 99 objects"),
        ("seeds=0-1:known=some", "expected 0 to 99 objects"),
        ("seeds=0-1:colour=red", "'colour=red' is not understood"),
        ("seeds=0-1:each=1:each=2", "'each=2' is not understood"),
        ("seeds=0-1:objects_named=horse*", "none of 3 names matches horse*"),
        ("seeds=0-1:on_named=london*", "none of 3 names matches london*"),
        ("seeds=0-1:objects_split=val", "its values are hold_out, train"),
        ("seeds=0-1:without=colour", "no column 'colour' beside name; it has name, split, known"),
    ],
)
def test_mistakes_are_named(objects, streets, words, says):
    with pytest.raises(DatasetError, match=says.replace("*", r"\*")):
        parse_pasted_set(f"pasted:objects={objects}:on={streets}:{words}")


def test_known_objects_are_pasted_with_their_class(objects, streets):
    labels = np.full((90, 120), 3, np.uint8)
    labels[:50] = 1
    labels[30:60, 20:60] = 8
    cv2.imwrite(str(streets / "labels" / "rome_1.png"), labels)
    text = f"pasted:objects={objects}:on={streets}:on_named=paris*+rome*:seeds=0-59:each=1"
    cars = [sum((parse_pasted_set(t).read(i)[2] == 8).sum() > 0 for i in range(60)) for t in (text, text + ":known=2")]
    assert cars[1] > cars[0] + 5, "scenes of Paris get Rome's car"
    scenes = parse_pasted_set(text + ":known=2")
    assert all((scenes.read(i)[1] == 1).any() for i in range(60)), "and an unknown object, too"


def test_some_images_of_a_folder(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for name in ("cow_1", "cow_2", "goat_1"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.full((40, 60, 3), 7, np.uint8))
        cv2.imwrite(str(tmp_path / "labels" / f"{name}.png"), np.ones((40, 60), np.uint8))
    (tmp_path / "index.csv").write_text("name,split\ncow_1,train\ncow_2,val\ngoat_1,train\n")
    text = f"marked:images={tmp_path}"
    assert open_ood_images(f"{text}:named=cow*").names == ("cow_1", "cow_2")
    assert open_ood_images(f"{text}:named=cow*+g*:only_split=train").names == ("cow_1", "goat_1")
    assert open_ood_images(text).read(2)[1].all()
    for wrong in ("marked:named=cow*", f"{text}:colour=red", f"{text}:named=cow*:named=g*"):
        with pytest.raises(DatasetError, match="is not understood; expected marked:images=FOLDER"):
            open_ood_images(wrong)


def test_both_folders_are_needed(objects):
    with pytest.raises(DatasetError, match="no on=FOLDER"):
        parse_pasted_set(f"pasted:objects={objects}:seeds=0-1")


def test_a_cutout_is_cut_to_what_shows(objects):
    cut = with_alpha(objects / "rgba" / "dog.png")
    assert cut.alpha.shape == (30, 30)
    assert cut.image[0, 0].tolist() == [140, 0, 0]


def test_pictures_without_alpha_or_without_an_object_are_refused(tmp_path):
    (tmp_path / "rgba").mkdir()
    file = tmp_path / "rgba" / "a.png"
    cv2.imwrite(str(file), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"a\.png: no alpha of 8 bits .*expected a cut-out in RGBA"):
        open_cutouts(tmp_path).read(0)
    cv2.imwrite(str(file), np.zeros((20, 20, 4), np.uint8))
    with pytest.raises(DatasetError, match="fewer than 64 pixels are not transparent"):
        open_cutouts(tmp_path).read(0)


def test_without_an_index_columns_cannot_be_asked_for(objects):
    (objects / "index.csv").unlink()
    with pytest.raises(DatasetError, match=r"index\.csv: cannot be read .*the column split is needed"):
        open_cutouts(objects, split="train")
    (objects / "index.csv").write_text("name,split\nball,train\n")
    with pytest.raises(DatasetError, match="no row 'dog'"):
        open_cutouts(objects, split="train")


def test_marked_images_are_cut_by_their_labels(tmp_path):
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    labels = np.zeros((40, 60), np.uint8)
    labels[10:30, 10:20], labels[10:30, 40:50] = 1, 1
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((40, 60, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "labels" / "a.png"), labels)
    assert len(open_cutouts(tmp_path).read(0)) == 2
