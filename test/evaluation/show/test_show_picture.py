"""The picture: which panels, their colours, exact widths, and images of every shape."""

import dataclasses

import numpy as np
import pytest
from show_findings import PALETTE, findings, stripes

from trust_seg_ros.drawing import pictures
from trust_seg_ros.drawing.pictures import SIGNAL, PictureError, colour_map
from trust_seg_ros.evaluation.show.picture import MAX_WIDTH, picture
from trust_seg_ros.evaluation.show.segments import red_green
from trust_seg_ros.segmentation import LabelSet


def pixels(image, colour):
    return int((image == np.asarray(colour, np.uint8)).all(axis=2).sum())


def quarters(image):
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    return image[:rows, :columns], image[:rows, columns:], image[rows:, :columns], image[rows:, columns:]


def true_labels():
    truth = stripes()
    truth[truth == 1] = 0
    truth[80:90, 100:150] = 255
    return truth


def test_without_ground_truth_the_image_comes_first():
    found = findings()
    found = dataclasses.replace(found, image=np.full_like(found.image, (7, 77, 177)))
    image, classes, iou, entropy = quarters(picture(found, "a.png"))
    assert pixels(image, (7, 77, 177)) > 0.7 * image[..., 0].size
    assert all(pixels(classes, colour) > 200 for colour in PALETTE)
    assert pixels(iou, (7, 77, 177)) == pixels(entropy, (7, 77, 177)) == 0


def test_ground_truth_takes_the_place_of_the_image_and_ignored_pixels_are_striped():
    found = findings(truth=true_labels())
    truth, classes, iou, _ = quarters(picture(found))
    assert pixels(truth, PALETTE[1]) == 0, "no car in truth"
    assert pixels(classes, PALETTE[1]) > 1000
    for panel in (truth, iou):
        assert pixels(panel, (0, 0, 0)) > 5000
        assert pixels(panel, (225, 225, 225)) > 5000
    assert pixels(classes, (225, 225, 225)) == 0, "the prediction is shown where truth ignores it"


def test_segments_have_the_colour_of_their_predicted_iou():
    found = findings(p_wrong=[0.1, 0.9, 0.2, 0.3], iou=[0.9, 0.05, 0.5, 0.7])
    _, _, iou, _ = quarters(picture(found))
    for value in (0.9, 0.5, 0.7):
        assert pixels(iou, red_green(np.array(value))) > 3000
    assert pixels(iou, (255, 255, 255)) > 20, "one segment is outlined"


def test_the_threshold_decides_who_is_outlined():
    iou = [0.9, 0.1, 0.9, 0.9]
    lines = [pixels(quarters(picture(findings(threshold=t, iou=iou)))[2], (255, 255, 255)) for t in (0.0, 0.5, 0.99)]
    assert lines[0] > lines[1] > lines[2]


def test_the_prediction_says_what_the_largest_unreliable_segments_are_not(monkeypatch):
    written = []
    letters = pictures.text_mask
    monkeypatch.setattr(pictures, "text_mask", lambda text, size: written.append(text) or letters(text, size))
    _, classes, _, _ = quarters(picture(findings(p_wrong=[0.1, 0.9, 0.68, 0.3])))
    assert written == ["not car, 68 %", "not car, 90 %"] or written == ["not road, 68 %", "not car, 90 %"]
    assert pixels(classes, SIGNAL) > 200
    assert not pixels(quarters(picture(findings(judged=False)))[1], SIGNAL)


def test_six_panels_show_the_true_iou_beside_the_predicted():
    found = findings(truth=true_labels(), p_wrong=[0.2] * 4, iou=[0.8] * 4)
    image = picture(found, true_iou=True)
    third = image.shape[1] // 3
    below = image[image.shape[0] // 2 :]
    true, predicted = below[:, :third], below[:, third : 2 * third]
    assert pixels(true, red_green(np.array(0.0))) > 2000, "the car is a false positive"
    assert pixels(predicted, red_green(np.array(0.8))) > 100_000
    assert pixels(predicted, red_green(np.array(0.0))) < 2000, "but in the bar"


def test_without_meta_models_segments_show_their_mean_entropy():
    found = findings(judged=False)
    values = found.segments.column("E")
    _, _, panel, _ = quarters(picture(found))
    assert pixels(panel, colour_map(values[None].astype(np.float32))[0, 0]) > 10_000
    assert pixels(panel, red_green(np.array(0.5))) == 0


@pytest.mark.parametrize("width", [600, 601, 1237, 1800])
@pytest.mark.parametrize("true_iou", [False, True])
def test_the_width_is_the_one_asked_for(width, true_iou):
    assert picture(findings(truth=true_labels()), "x", width=width, true_iou=true_iou).shape[1] == width


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 5), (640, 360), (1024, 2048)])
def test_images_of_every_shape_are_shown_legibly(shape):
    classes = np.zeros(shape, np.uint8)
    classes[: shape[0] // 2] = 2
    image = picture(findings(classes, truth=np.zeros(shape, np.uint8)), "a name", true_iou=True)
    assert 1500 <= image.shape[1] <= 3000
    assert 200 <= image.shape[0] <= 2000


def test_nothing_but_ignored_pixels_is_a_picture_too():
    image = picture(findings(truth=np.full((96, 160), 255, np.uint8)), true_iou=True)
    assert pixels(image, (225, 225, 225)) > 100_000


def test_the_legend_of_many_classes_names_the_largest():
    labels = LabelSet("many", tuple(f"class number {k}" for k in range(150)))
    classes = (np.arange(96 * 160) // 103).astype(np.uint8).reshape(96, 160)
    classes[classes == 140] = 9
    few = picture(findings())
    many = picture(dataclasses.replace(findings(), labels=labels, classes=classes))
    assert few.shape[1] == many.shape[1]
    assert few.shape[0] < many.shape[0] < few.shape[0] + 200
    legend = many[many.shape[0] // 2 - 120 : many.shape[0] // 2 - 20, many.shape[1] // 2 :]
    swatches = {k for k in range(150) if pixels(legend, labels.palette[k]) > 100}
    assert 9 in swatches
    assert 6 < len(swatches) < 40


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(PictureError, match="needs ground truth"):
        picture(findings(), true_iou=True)
    for width in (10, MAX_WIDTH + 1):
        with pytest.raises(PictureError, match=str(width)):
            picture(findings(), width=width)
