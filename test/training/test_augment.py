import numpy as np

from trust_seg_ros.training.augment import jitter_colours, random_crop


def _pair():
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 30:50] = 3
    image = np.repeat((labels * 60)[:, :, None], 3, 2)  # the picture shows its labels
    return image, labels


def test_image_and_labels_move_together():
    image, labels = _pair()
    for seed in range(20):
        crop, truth = random_crop(image, labels, (48, 64), np.random.default_rng(seed), (0.7, 2.0))
        valid = truth != 255
        agree = (crop[..., 0] > 90)[valid] == (truth == 3)[valid]
        assert agree.mean() > 0.97  # bilinear against nearest differs on the outline only


def test_same_generator_same_crop():
    image, labels = _pair()
    one = random_crop(image, labels, (48, 64), np.random.default_rng(5), (0.7, 2.0))
    two = random_crop(image, labels, (48, 64), np.random.default_rng(5), (0.7, 2.0))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_outside_the_image_there_is_no_class():
    image, labels = _pair()
    _, truth = random_crop(image, labels, (120, 160), np.random.default_rng(0), (1.0, 1.0))
    assert (truth == 255).sum() > 0.5 * truth.size


def test_rare_class_is_in_every_crop_centred_on_it():
    labels = np.zeros((200, 200), np.uint8)
    labels[150:153, 20:23] = 6
    image = np.zeros((200, 200, 3), np.uint8)
    for seed in range(10):
        _, truth = random_crop(image, labels, (40, 40), np.random.default_rng(seed), (1.0, 1.5), (6,), 1.0)
        assert (truth == 6).any()


def test_colours_change_but_stay_uint8():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    out = jitter_colours(image, np.random.default_rng(1))
    assert out.dtype == np.uint8
    assert out.shape == image.shape
    assert not np.array_equal(out, image)
