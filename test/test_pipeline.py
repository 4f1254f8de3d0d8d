"""The whole pipeline with the shipped network and meta model."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from places import CAMVID, needs_camvid

from trust_seg_ros.fitting.fit import fit
from trust_seg_ros.meta import LinearPart, MetaModelError, SegmentData, load_meta_model
from trust_seg_ros.meta.features import chosen_features
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segments import FEATURE_SETS, FeatureError, reference, segment_table
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame, Wanted
from trust_seg_ros.uncertainty import reference_maps


@pytest.fixture(scope="module")
def pipeline():
    loaded = TrustPipeline.load(PipelineSettings(device="cpu"))
    pipeline = TrustPipeline(loaded.network, replace(loaded.meta, grid=None))  # judges images as they are
    pipeline.warm_up((96, 128))
    return pipeline


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(rough, (128, 96), interpolation=cv2.INTER_CUBIC)


def test_maps_are_those_of_the_definition(pipeline, image):
    result = pipeline(Frame(image))
    expected = reference_maps(pipeline.network.infer(image))
    assert torch.allclose(result.maps.entropy, expected.entropy, atol=1e-5)
    assert torch.allclose(result.maps.margin, expected.margin, atol=1e-5)
    assert (result.maps.classes == expected.classes).float().mean() > 0.999


def test_segments_are_components_and_every_one_is_judged(pipeline, image):
    result = pipeline(Frame(image))
    assert np.array_equal(result.segments.ids, reference.components(result.maps.classes.numpy())[0])
    p_wrong, iou = pipeline.meta.predict(result.segments)
    assert np.array_equal(result.trust.p_wrong, p_wrong)
    assert np.array_equal(result.trust.iou, iou)
    large = result.segments.sizes >= 3e-4 * result.maps.classes.numel()
    assert np.array_equal(result.trust.unreliable, (p_wrong >= 0.5) & large)


def test_thresholds_act_on_the_frame_they_come_with(pipeline, image):
    all_of_it = ThresholdSettings.constants(unreliable=0.0, unreliable_min_share=0.0, pixel=0.0)
    everything = pipeline(Frame(image), all_of_it)
    nothing = pipeline(Frame(image), ThresholdSettings.constants(unreliable=1.0, pixel=1.0))
    assert everything.trust.unreliable.all()
    assert everything.pixel_flags.all()
    assert not nothing.trust.unreliable.any()
    assert not nothing.pixel_flags.any()
    assert nothing.thresholds["unreliable"] == 1.0


def test_what_nobody_wants_is_not_computed(pipeline, image):
    result = pipeline(Frame(image), wanted=Wanted(segments=False, ood=False, pixel_flags=False))
    assert result.segments is result.trust is result.ood is result.pixel_flags is None
    assert set(result.timings_ms) == {"network", "maps", "watch"}, "the shift monitor sees every frame"


def test_the_frame_passes_through_untouched(pipeline, image):
    frame = Frame(image, stamp_ns=123, frame_id="front")
    before = image.copy()
    assert pipeline(frame).frame is frame
    assert np.array_equal(image, before)


def test_a_meta_model_of_another_network_is_refused(pipeline):
    with pytest.raises(MetaModelError, match="fitted for network 'other'"):
        TrustPipeline(pipeline.network, replace(load_meta_model(), network="other"))


def test_loading_names_what_is_wrong_with_the_meta_model(tmp_path, monkeypatch):
    def loading(name):
        with pytest.raises(MetaModelError) as error:
            TrustPipeline.load(PipelineSettings(device="cpu", meta_model=name))
        return str(error.value)

    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"{tmp_path}/no.json: no such meta model file; expected" in loading("~/no.json")
    assert "embedded: no such meta model file" in loading("embedded")
    (tmp_path / "broken.json").write_text('{"format": ')
    assert f"{tmp_path}/broken.json: not a readable JSON file" in loading("~/broken.json")
    replace(load_meta_model(), network="/opt/net.pt2").save(tmp_path / "other.json")
    assert "fitted for network '/opt/net.pt2', running is 'embedded'; fit one" in loading("~/other.json")
    others = tuple("abcdefghijk")
    replace(load_meta_model(), class_names=others).save(tmp_path / "classes.json")
    assert f"knows the 11 classes {', '.join(others)}; the network has 11: Sky" in loading("~/classes.json")


def test_a_meta_model_of_ones_own_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    replace(load_meta_model(), summary={"mine": True}).save(tmp_path / "mine.json")
    assert TrustPipeline.load(PipelineSettings(device="cpu", meta_model="~/mine.json")).meta.summary == {"mine": True}


def loaded_with(threads):
    TrustPipeline.load(PipelineSettings(device="cpu", meta_model="none", threads=threads))
    return torch.get_num_threads()


@pytest.fixture
def torch_threads():
    before = torch.get_num_threads()
    yield
    loaded_with(0)
    torch.set_num_threads(before)


def test_threads_0_takes_back_what_was_set(torch_threads):
    torch.set_num_threads(3)
    assert [loaded_with(n) for n in (4, 2, 0)] == [4, 2, 3]


def test_a_programs_own_number_of_threads_is_left_alone(torch_threads):
    torch.set_num_threads(1)
    assert [loaded_with(n) for n in (4, 0)] == [4, 1]
    torch.set_num_threads(3)
    assert loaded_with(0) == 3


def test_without_a_meta_model_segments_come_unjudged(pipeline, image):
    result = TrustPipeline(pipeline.network)(Frame(image))
    assert result.trust is None
    assert len(result.segments) > 0


def test_shipped_meta_model_uses_the_metaseg_features_and_the_predicted_class(pipeline, image):
    logits = pipeline.network.infer(image)
    table = segment_table(reference_maps(logits), logits, "metaseg")
    assert load_meta_model().features == (*table.names, *(f"class_{c}" for c in range(11)))
    assert pipeline.features == "metaseg"  # nothing more has to be computed for it


@pytest.mark.slow
@needs_camvid
def test_shipped_network_knows_camvid_and_its_meta_model_finds_mistakes(pipeline, tmp_path):
    """A coarse guard on a few test images; the numbers are in the model card."""
    from trust_seg_ros.datasets.folders import camvid
    from trust_seg_ros.evaluation.confusion import ConfusionMatrix
    from trust_seg_ros.fitting.collect import collect
    from trust_seg_ros.fitting.fit import scores

    folder = camvid(CAMVID, "test")
    some = replace(folder, samples=folder.samples[::12])
    confusion = ConfusionMatrix(11)
    for sample in some:
        image, labels = some.read(sample)
        confusion.add(labels, pipeline(Frame(image)).maps.classes.numpy())
    assert confusion.mean_iou() > 0.5
    segments = collect(NetworkSettings(device="cpu"), some, tmp_path / "segments", "test", workers=1).read("test")
    assert scores(pipeline.meta, segments)["auroc"] > 0.7


def test_a_meta_model_gets_the_metrics_it_needs(pipeline, image):
    q = len(pipeline.labels)
    names = chosen_features("E,V_var,ndist_3,cprob_*", FEATURE_SETS["all"].names(q), "one-hot")
    part = LinearPart(np.arange(1.0, len(names) + 1), -1.0)
    ones, ranges = np.ones(len(names)), np.tile([0.0, 1.0], (len(names), 1))
    model = replace(
        pipeline.meta, features=names, means=0 * ones, scales=ones, classifier=part, regressor=part, ranges=ranges
    )
    larger = TrustPipeline(pipeline.network, model)
    assert larger.features == "meta_ood"
    result = larger(Frame(image))
    table = result.segments
    one_hot = np.eye(q)[table.class_ids]
    x = np.column_stack([table.column("E"), table.column("V_var"), table.column("ndist_3"), one_hot])
    assert result.trust.p_wrong == pytest.approx(1 / (1 + np.exp(-(x @ part.coefficients - 1.0))))


def test_a_model_fitted_on_meta_ood_with_one_hot_classes_is_loaded_and_judges(pipeline, image, tmp_path):
    unjudged = TrustPipeline(pipeline.network, features="meta_ood")
    tables = [unjudged(Frame(np.roll(image, 7 * k, 1))).segments for k in range(4)]
    n = sum(map(len, tables))
    iou = np.where(np.arange(n) % 3 == 0, 0.0, 0.5)
    data = SegmentData(
        tables[0].names,
        np.concatenate([table.metrics for table in tables]),
        iou,
        iou,
        np.concatenate([table.class_ids for table in tables]),
        np.repeat(np.arange(4, dtype=np.int32), [len(table) for table in tables]),
        ("a", "b", "c", "d"),
        ("",) * 4,
        pipeline.network.name,
        tuple(pipeline.labels.names),
    )
    fitted = fit(data, "meta_ood,-ndist_*,-*_var", "one-hot")
    fitted.save(tmp_path / "meta.json")
    meta_model = str(tmp_path / "meta.json")
    loaded = TrustPipeline.load(PipelineSettings(device="cpu", meta_model=meta_model, ood_meta_model="none"))
    assert loaded.features == "meta_ood"
    result = loaded(Frame(image))
    assert result.segments.names == data.names
    p_wrong, iou = fitted.predict(data.rows(data.image == 0))
    assert result.trust.p_wrong == pytest.approx(p_wrong)
    assert result.trust.iou == pytest.approx(iou)


def test_metrics_beyond_those_of_the_meta_model_are_computed_when_wished_for(pipeline, image):
    larger = TrustPipeline(pipeline.network, pipeline.meta, "meta_ood")
    result = larger(Frame(image))
    assert result.segments.names == FEATURE_SETS["meta_ood"].names(len(pipeline.labels))
    assert result.trust.p_wrong == pytest.approx(pipeline(Frame(image)).trust.p_wrong)


@pytest.mark.parametrize("meta_model", ["auto", "none"])
def test_an_unknown_feature_set_is_refused_at_once(pipeline, meta_model):
    settings = PipelineSettings(device="cpu", meta_model=meta_model, features="metasegg")
    with pytest.raises(
        FeatureError, match="no feature set 'metasegg'; choose one of: metaseg, meta_ood, meta_scale_free, all"
    ):
        TrustPipeline.load(settings)
    with pytest.raises(FeatureError, match="metasegg"):
        TrustPipeline(pipeline.network, pipeline.meta, "metasegg")


def test_a_meta_model_of_metrics_that_nobody_computes_is_refused(pipeline):
    features = ("Q", *pipeline.meta.features[1:])
    with pytest.raises(MetaModelError, match=r"cannot be computed for 11 classes: Q; fit one on .* all"):
        TrustPipeline(pipeline.network, replace(pipeline.meta, features=features))
