"""What goes to a labelling tool and comes back unchanged is the class map of the network, to the pixel."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from library_results import LABELS, blocks
from moments import moment, read_back, seen

from trust_seg_ros.mining.exports import EXPORTS, write_export
from trust_seg_ros.mining.returns import RETURNS, write_labels

FORMS = list(EXPORTS)
SIZES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)
NAMES = st.text(
    st.characters(exclude_characters="/\\.", exclude_categories=("C", "Z")) | st.sampled_from(" <b>&\"'#%.Aä路"),
    min_size=1,
    max_size=12,
).filter(lambda name: name == name.strip() and not name.startswith("."))


def accepted(export):
    """Label Studio's predictions as if somebody had submitted them; other tools take pre-labels for labels."""
    path = export / "tasks.json"
    if path.exists():
        tasks = json.loads(path.read_text("utf-8"))
        for task in tasks:
            task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
        path.write_text(json.dumps(tasks), "utf-8")
    return export


def there_and_back(form, moments, folder, **more):
    write_export(form, iter(moments), LABELS, folder / "export", total=len(moments))
    return write_labels(accepted(folder / "export"), LABELS, folder / "set", **more)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    classes=arrays.arrays(
        np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2, 255])
    ),
    unknown=st.booleans(),
    name=NAMES,
)
def test_a_round_trip_gives_the_label_map(form, classes, unknown, name):
    mask = (np.indices(classes.shape).sum(axis=0) % 5 < 2) if unknown else None
    sent = moment(name, classes, unknown=mask)
    expected = seen(sent)
    if (expected == 255).all():
        return
    with tempfile.TemporaryDirectory() as folder:
        done = there_and_back(form, [sent], Path(folder))
        (file,) = (Path(folder) / "set" / "images").iterdir()
        (values,) = read_back(Path(folder) / "set", [file.stem]).values()
    assert (values == expected).all()
    assert done.pixels["unknown object"] == (expected == len(LABELS)).sum()
    assert done.images == 1


def test_every_form_goes_and_comes():
    assert list(EXPORTS) == list(RETURNS)


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_recognised_also_in_a_zip(form, tmp_path):
    sent = [moment("a b", blocks(), unknown=blocks(3) == 0), moment("ä <b>&", blocks(7))]
    write_export(form, sent, LABELS, tmp_path / "export", total=2)
    accepted(tmp_path / "export")
    shutil.make_archive(str(tmp_path / "back"), "zip", tmp_path / "export")
    done = write_labels(tmp_path / "back.zip", LABELS, tmp_path / "set")
    assert done.form == ("coco" if form == "fiftyone" else form)
    assert (done.images, done.with_unknown, done.without) == (2, 1, ())
    found = read_back(tmp_path / "set", ["a b", "ä <b>&"])
    for one in sent:
        assert (found[one.name] == seen(one)).all()


@pytest.mark.parametrize("form", FORMS)
def test_the_data_set_is_one_for_every_command(form, tmp_path):
    import cv2

    from trust_seg_ros.datasets.layouts import open_dataset
    from trust_seg_ros.datasets.ood_layouts import open_ood_folder

    sent = moment("street 1", blocks(), unknown=blocks(3) == 0)
    there_and_back(form, [sent], tmp_path)
    expected = seen(sent)
    folder = open_dataset(tmp_path / "set", None, LABELS)
    image, values = folder.read(folder.samples[0])
    assert (image == sent.result.frame.image).all()
    assert (values == np.where(expected == 3, 255, expected)).all()
    marked = open_ood_folder(tmp_path / "set")
    assert marked.layout == "SegmentMeIfYouCan"
    assert (marked.read(0)[1] == np.select([expected == 3, expected == 255], [1, 255], 0)).all()
    assert cv2.imread(str(tmp_path / "set" / "images" / "street 1.png")).shape == (24, 32, 3)
