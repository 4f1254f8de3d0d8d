"""Sources, crops, pasting and batches of fine-tuning, on images made here."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.folders import DatasetError
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.synthetic import CLASS_NAMES, training_sample
from trust_seg_ros.training.crops import as_seen, crop_size, cropped
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.mixing import Joined, MixSettings, Mixture
from trust_seg_ros.training.ood_losses import OOD
from trust_seg_ros.training.ood_sources import open_labelled, open_ood

CAMVID = load_labels("camvid11")
SPEC = InputSpec(stride=32)


def write(root, kind, name, values):
    (root / kind).mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(root / kind / name), values)


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def masks(tmp_path):
    """images/ + labels/ with 0, 1 and 255; the last image shows nothing out of distribution."""
    root = tmp_path / "masks"
    for i in range(3):
        truth = np.zeros((64, 80), np.uint8)
        if i < 2:
            truth[10:30, 10 + 20 * i : 30 + 20 * i] = 1
        truth[:, :3] = 255
        write(root, "labels", f"o{i}.png", truth)
        write(root, "images", f"o{i}.png", np.full((64, 80, 3), 40 * i, np.uint8))
    return root


@pytest.fixture
def known(tmp_path):
    root = tmp_path / "known"
    for i in range(20):
        write(root, "train/images", f"k_{i:02d}.png", np.full((64, 80, 3), 10 * i, np.uint8))
        write(root, "train/labels", f"k_{i:02d}.png", np.full((64, 80), i % 11, np.uint8))
    return root


def test_pixels_nobody_annotated_are_ignored_never_class_0(masks):
    source = open_ood(str(masks), CAMVID)
    assert len(source) == 3
    for keep_rest in (False, True):
        codes = source.read(0).codes(keep_rest)
        assert np.unique(codes).tolist() == [OOD, 255]
        assert (codes == OOD).sum() == 400


def test_layout_of_segment_me_if_you_can(tmp_path):
    write(tmp_path, "images", "validation0000.jpg", np.zeros((64, 80, 3), np.uint8))
    write(tmp_path, "images", "without_mask.jpg", np.zeros((64, 80, 3), np.uint8))
    write(tmp_path, "labels_masks", "validation0000_labels_semantic.png", np.eye(64, 80, dtype=np.uint8))
    source = open_ood(str(tmp_path), CAMVID)
    assert len(source) == 1
    assert (source.read(0).truth == 1).sum() == 64


def test_layout_of_the_synthetic_drive_on_disk_and_drawn_are_one(tmp_path):
    image, labels = training_sample(7, (64, 96), ("box", "cow"), 8.0)
    write(tmp_path, "images", "s.png", image[..., ::-1])
    write(tmp_path, "labels", "s.png", labels)
    write(tmp_path, "unknown", "s.png", (labels == 255).astype(np.uint8) * 3)
    on_disk = open_ood(str(tmp_path), CAMVID).read(0)
    drawn = open_ood("synthetic:seeds=7-7:kinds=box,cow:rate=8:size=96x64", CAMVID).read(0)
    assert np.array_equal(on_disk.image, drawn.image)
    assert (drawn.truth == 1).any()
    for keep_rest in (False, True):
        assert np.array_equal(on_disk.codes(keep_rest), drawn.codes(keep_rest))
    assert np.array_equal(drawn.codes(True)[drawn.truth == 0], labels[drawn.truth == 0])
    others = LabelSet("others", tuple("abcdefghijk"))
    for text in (str(tmp_path), "synthetic:seeds=7-7:kinds=box,cow:rate=8:size=96x64"):
        assert open_ood(text, CAMVID).has_classes
        assert open_ood(text, others).read(0).classes is None
    assert (drawn.codes(False)[drawn.truth == 0] == 255).all()


def test_other_label_values_are_named(masks):
    write(masks, "labels", "o1.png", np.full((64, 80), 17, np.uint8))
    source = open_ood(str(masks), CAMVID)
    with pytest.raises(
        DatasetError, match=r"o1\.png: label values \[17\]; expected .* 0 in distribution, 1 out of it, 255 void"
    ):
        source.read(1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{tmp}/none", r"no such folder; expected images/NAME\.\* with labels_masks/"),
        ("{tmp}", "no known layout; expected"),
        ("synthetic:seeds=0-3", "no unknown objects; expected kinds="),
        ("synthetic:seeds=0-3:kinds=box:rate=0", "a rate above 0"),
        ("synthetic:kinds=unicorn:seeds=0-3", "unicorn"),
    ],
)
def test_ood_data_that_is_none(tmp_path, text, told):
    with pytest.raises((DatasetError, ValueError), match=told):
        open_ood(text.format(tmp=tmp_path), CAMVID)


def test_images_without_masks(tmp_path):
    write(tmp_path, "images", "a.png", np.zeros((64, 80, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"no known layout.* It holds images"):
        open_ood(str(tmp_path), CAMVID)
    write(tmp_path, "labels", "b.png", np.zeros((64, 80), np.uint8))
    with pytest.raises(DatasetError, match="no image with labels"):
        open_ood(str(tmp_path), CAMVID)
    write(tmp_path, "labels", "a.png", np.zeros((64, 81), np.uint8))
    with pytest.raises(DatasetError, match="labels are 81x64"):
        open_ood(str(tmp_path), CAMVID).read(0)


def test_the_synthetic_drive_is_labelled_only_for_its_own_classes():
    source = open_labelled("synthetic:seeds=3-4:size=96x64", "train", CAMVID)
    assert np.array_equal(source.read(1)[0], training_sample(4, (64, 96))[0])
    assert CAMVID.names == CLASS_NAMES
    with pytest.raises(DatasetError, match="classes of camvid11"):
        open_labelled("synthetic:seeds=3-4", "train", LabelSet("two", ("a", "b")))
    with pytest.raises(DatasetError, match="leave kinds out"):
        open_labelled("synthetic:seeds=3-4:kinds=cow", "train", CAMVID)


def test_crops_are_no_larger_than_the_input_and_fit_the_stride():
    assert crop_size((480, 480), InputSpec(size=(416, 544), stride=32)) == (416, 480)
    assert crop_size((100, 100), SPEC) == (96, 96)
    assert crop_size((7, 500), SPEC) == (32, 480)


def test_what_is_cropped_has_the_size_the_network_sees():
    image, codes = np.zeros((36, 48, 3), np.uint8), np.tile(np.arange(48, dtype=np.uint8), (36, 1))
    image, codes = as_seen(image, codes, InputSpec(size=(64, 96)))
    assert image.shape == (64, 96, 3)
    assert np.array_equal(codes[0], np.repeat(np.arange(48), 2))


def test_a_published_crop_is_a_piece_of_the_image_mirrored_half_of_the_time():
    image = np.arange(64 * 80 * 3, dtype=np.uint32).reshape(64, 80, 3).astype(np.uint8)
    codes = np.arange(64 * 80).reshape(64, 80)
    marks = (codes % 251).astype(np.uint8)
    mirrored, g = 0, rng()
    for _ in range(60):
        crop, piece = cropped(image, marks, (32, 32), g, "published")
        flips = [int(piece[0, 1]) == (int(piece[0, 0]) + d) % 251 for d in (1, -1)]
        assert sum(flips) == 1
        mirrored += flips[1]
        upright, straight = (crop[:, ::-1], piece[:, ::-1]) if flips[1] else (crop, piece)
        places = np.argwhere(np.all(np.lib.stride_tricks.sliding_window_view(marks, (32, 32)) == straight, (2, 3)))
        assert any(np.array_equal(image[y : y + 32, x : x + 32], upright) for y, x in places)
    assert 15 < mirrored < 45


def test_beyond_a_small_image_nothing_counts():
    for augmentation in ("published", "strong"):
        crop, codes = cropped(
            np.full((20, 24, 3), 9, np.uint8), np.zeros((20, 24), np.uint8), (32, 32), rng(), augmentation
        )
        assert crop.shape == (32, 32, 3)
        assert (codes == 255).any()
        assert np.unique(codes).tolist() in ([0, 255], [255])
        assert np.unique(crop).tolist() == [9]


def test_pasted_objects_are_ood_on_the_ground_and_the_rest_keeps_its_class(known, masks):
    m = mixture(known, masks, paste=1.0, ratio=0.0)
    found = [m.sample(0, position)[1] for position in range(12)]
    with_object = [codes for codes in found if (codes == OOD).any()]
    assert with_object
    for codes in with_object:
        assert set(np.unique(codes).tolist()) <= {*range(11), OOD, 255}
        assert (codes < 11).any()


def mixture(known, masks, **changes):
    settings = replace(MixSettings(batch=4, crop=(32, 64), ratio=0.1), **changes)
    return Mixture([open_labelled(str(known), "train", CAMVID)], [open_ood(str(masks), CAMVID)], SPEC, settings)


def test_an_epoch_holds_every_labelled_image_and_a_tenth_as_many_others(known, masks):
    m = mixture(known, masks, batch=2)
    assert (m.ood_per_epoch, m.steps_per_epoch) == (2, 11)
    colours, with_ood = [], 0
    for step in range(11):
        images, codes = m.batch(step, 0, 1)
        assert images.shape == (2, 3, 32, 64)
        for image, code in zip(images, codes, strict=True):
            is_ood = bool((code == 255).any())  # only those have pixels that count nowhere
            with_ood += is_ood
            colours += [] if is_ood else [int(image[0, 0, 0])]
    assert with_ood == 2
    assert sorted(colours) == [10 * i for i in range(20)]
    assert m.batch(0, 0, 1)[0].tolist() != m.batch(11, 0, 1)[0].tolist()


def test_images_without_anything_ood_are_passed_over(known, masks):
    m = mixture(known, masks, ratio=1.0, crop=(64, 64))
    whole = [m.sample(0, i)[1] for i in range(40)]
    ood = [codes for codes in whole if (codes == 255).any()]
    assert len(ood) == 20
    assert all((codes == OOD).any() for codes in ood)


def test_batches_depend_on_seed_and_step_only_and_split_into_parts(known, masks):
    a, b = mixture(known, masks, paste=0.5), mixture(known, masks, paste=0.5)
    b.batch(3, 0, 1)
    images, codes = a.batch(7, 0, 1)
    for part in range(2):
        share = b.batch(7, part, 2)
        assert np.array_equal(share[0], images[2 * part : 2 * part + 2])
        assert np.array_equal(share[1], codes[2 * part : 2 * part + 2])
    other = mixture(known, masks, paste=0.5, seed=1).batch(7, 0, 1)
    assert not np.array_equal(other[0], images)


def test_paste_alone(known, masks):
    m = mixture(known, masks, ratio=0.0, paste=1.0)
    for step in range(5):
        codes = m.batch(step, 0, 1)[1].numpy()
        assert all((c == OOD).any() for c in codes)
        assert (codes == 255).mean() < 0.1  # the objects' edges


def test_strong_augmentation_changes_colours_and_keeps_codes(known, masks):
    m = mixture(known, masks, augmentation="strong", ratio=0.5)
    codes = np.stack([m.sample(0, i)[1] for i in range(30)])
    assert set(np.unique(codes).tolist()) <= {*range(11), OOD, 255}
    assert len(np.unique(np.stack([m.sample(0, i)[0] for i in range(30)]))) > 100


def test_fewer_images_than_a_batch(masks, tmp_path):
    write(tmp_path, "images", "k.png", np.zeros((64, 80, 3), np.uint8))
    write(tmp_path, "labels", "k.png", np.zeros((64, 80), np.uint8))
    m = mixture(tmp_path, masks, ratio=1.0, batch=6)
    assert m.steps_per_epoch == 1
    assert len(m.batch(0, 0, 1)[0]) == 6


def test_nothing_to_learn_is_refused(known, masks, tmp_path):
    with pytest.raises(TrainingError, match="raise --ratio, or use --paste"):
        mixture(known, masks, ratio=0.01)
    with pytest.raises(TrainingError, match=r"--ood-rest labelled, but .*masks: no classes"):
        mixture(known, masks, keep_rest=True)
    for i in range(3):
        write(masks, "labels", f"o{i}.png", np.zeros((64, 80), np.uint8))
    with pytest.raises(TrainingError, match=r"masks: no pixel of 3 images is marked"):
        mixture(known, masks).check()
    write(tmp_path, "images", "k.png", np.zeros((64, 80, 3), np.uint8))
    write(tmp_path, "labels", "k.png", np.full((64, 80), 255, np.uint8))
    with pytest.raises(TrainingError, match="no pixel of 1 images has a class"):
        mixture(tmp_path, masks, ratio=1.0).check()


def test_several_sources_are_one():
    joined = Joined([open_labelled(f"synthetic:seeds={s}:size=96x64", "", CAMVID) for s in ("0-2", "5-5", "9-10")])
    assert len(joined) == 6
    assert [(s.scenes.first, i) for s, i in map(joined.at, range(6))] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (5, 0),
        (9, 0),
        (9, 1),
    ]
