import math
import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from trust_seg_ros.datasets.folders import camvid
from trust_seg_ros.node import reference
from trust_seg_ros.node.parameters import BY_NAME, TABLE, ParameterError
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.types import UNLABELLED, Frame, Wanted
from trust_seg_ros.uncertainty.perturbation_settings import PerturbationSettings
from trust_seg_ros.uncertainty.score_names import PIXEL_SCORES


def flat(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_shipped_yaml_is_the_table():
    assert (ROOT / "config" / "trust_seg.yaml").read_text("utf-8") == reference.yaml_text()
    tree = yaml.safe_load(reference.yaml_text())["/**"]["ros__parameters"]
    assert dict(flat(tree)) == {p.name: p.default for p in TABLE}
    assert settings_from(dict(flat(tree))) == settings_from({})


def test_the_documentation_is_the_table():
    text = (ROOT / "docs" / "parameters.md").read_text("utf-8")
    assert text == reference.markdown_text()


def test_the_guide_to_thresholds_holds_the_policies():
    text = (ROOT / "docs" / "thresholds.md").read_text("utf-8")
    assert reference.thresholds_text(text) == text
    assert reference.policies_table() in text
    assert reference.served_table() in text
    assert all(f"`{p.name}`" in text for p in TABLE if "_policy" in p.name or p.name.endswith(("_alpha", "_recall")))


def test_the_grid_is_a_word_or_a_size():
    for grid in ("fitted", "network", "image", "480x360", "area:480x360"):
        assert settings_from({"grid": grid}).pipeline.grid == grid
    for wrong in ("0x360", "480x0", "-480x360", "480", "", "Image", "480x360x3", "4.5x3", 480):
        with pytest.raises(ParameterError, match="expected fitted, network, image, WIDTHxHEIGHT, for example 480x360"):
            settings_from({"grid": wrong})


def test_an_unknown_choice_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match=r"thresholds.pixel_policy: 'quantil' .*did you mean quantile\?"):
        settings_from({"thresholds.pixel_policy": "quantil"})


def test_the_documentation_names_every_parameter_once():
    text = (ROOT / "docs" / "parameters.md").read_text("utf-8")
    assert reference.markdown_table() in text
    assert all(text.count(f"| `{p.name}` |") == 1 for p in TABLE)


def test_the_page_on_topics_holds_the_table_of_scores():
    text = (ROOT / "docs" / "topics.md").read_text("utf-8")
    assert reference.score_table() in text
    assert reference.scores_text(text) == text
    assert [re.match(r"\| `(\w+)`", line)[1] for line in reference.score_table().splitlines()[2:]] == [*PIXEL_SCORES]
    assert "| 0 to 0.947 with 19 classes |" in reference.score_table()
    assert "| 87 and less (logarithm of a norm) | features" in reference.score_table()


def test_the_comments_still_read_without_their_quotes():
    comments = " ".join(line.strip(" #") for line in reference.yaml_text().splitlines() if line.strip().startswith("#"))
    assert re.findall(r"\b(\w+) \1\b", comments) == []


CAMVID = ROOT.parent / "shared" / "data" / "camvid"


@pytest.mark.slow
def test_the_default_pixel_threshold_finds_and_costs_what_the_parameters_say():
    recall, constant = BY_NAME["thresholds.pixel_recall"], BY_NAME["thresholds.pixel"]
    said = re.search(r"The default, ([\d.]+), flags (\d+) % of the pixels .* (\d+) % of which", recall.description)
    assert float(said[1]) == recall.default
    assert "13 % of the misclassified pixels" in constant.description
    if not CAMVID.is_dir():
        pytest.skip(f"needs CamVid in {CAMVID} to count what the default finds")
    pipeline = TrustPipeline.load(PipelineSettings(device="cpu", meta_model="none", ood_meta_model="none"))
    folder, counts = camvid(CAMVID, "test"), np.zeros(5)
    for sample in list(folder)[::12]:
        image, truth = folder.read(sample)
        result = pipeline(Frame(image), wanted=Wanted(segments=False, ood=False))  # all as it is by default
        known = truth != UNLABELLED
        mistaken = known & (result.maps.classes.numpy() != truth)
        flags, few = result.pixel_flags, result.maps.entropy.numpy() >= constant.default
        counts += [m.sum() for m in (known, mistaken, flags & known, flags & mistaken, few & mistaken)]
    pixels, wrong, flagged, found, few_found = counts
    # of a twelfth of the images
    assert found / wrong == pytest.approx(recall.default, abs=0.05)
    assert flagged / pixels == pytest.approx(int(said[2]) / 100, abs=0.03)
    assert found / flagged == pytest.approx(int(said[3]) / 100, abs=0.05)
    assert few_found / wrong == pytest.approx(0.13, abs=0.02)


def test_only_what_needs_a_new_node_is_read_only():
    assert [p.name for p in TABLE if p.read_only] == [
        "autostart", "diagnostics.period_s", "trust_state.rate_hz", "trust_state.deadline_ms",
    ]  # fmt: skip
    assert reference.markdown_table().count("fixed at start") == 4


def test_every_default_is_allowed_and_every_name_is_there_once():
    assert all(p.check(p.default) == p.default for p in TABLE)
    assert len(BY_NAME) == len(TABLE)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("thresholds.unreliable", 1.5, ["thresholds.unreliable", "1.5", "a number from 0 to 1"]),
        ("thresholds.pixel", math.nan, ["nan", "from -1e+06 to 1e+06"]),
        ("ood.threshold", math.inf, ["inf", "from -1e+06 to 1e+06"]),
        ("ood.score", "softmax", ["'softmax'", "one of entropy, margin, variation_ratio, max_logit, energy"]),
        ("ood.score", "enrgy", ["'enrgy'", "did you mean energy or entropy?"]),
        ("thresholds.pixel_score", "mcdropout", ["'mcdropout'", "input_scale; did you mean mc_dropout?"]),
        ("ood.meta_threshold", -1.1, ["-1.1", "a number from -1 to 1"]),
        ("gradient.p", 0.0, ["0.0", "a number from 0.1 to 4"]),
        ("gradient.variant", "fast", ["one of exact, published"]),
        ("gradient.label", "car", ["one of onehot, uniform"]),
        ("thresholds.pixel", "0.5", ["'0.5' (string)", "a number"]),
        ("thresholds.pixel", True, ["True (bool)", "a number"]),
        ("ood.min_size", 0, ["0 (integer)", "an integer from 1"]),
        ("ood.min_size", 1.5, ["1.5 (double)", "an integer"]),
        ("mode", "newest", ["'newest'", "one of latest, every"]),
        ("autostart", 1, ["1 (integer)", "true or false"]),
        ("model", 3, ["3 (integer)", "text"]),
        ("model_input.std", [1.0, 1.0], ["[1.0, 1.0]", "3 numbers"]),
        ("model_input.std", [1.0, 1.0, 0.0], ["3 numbers from 1e-06"]),
        ("model_input.mean", "0 0 0", ["3 numbers"]),
        ("half", 1, ["one of auto, on, off"]),
    ],
)
def test_a_refusal_names_the_parameter_the_value_and_what_was_expected(name, value, words):
    with pytest.raises(ParameterError) as error:
        settings_from({name: value})
    for word in (name, *words):
        assert word in str(error.value)


def test_yaml_habits_are_understood():
    settings = settings_from({"thresholds.pixel": 1, "half": False, "model_input.mean": (0, 0, 0)})
    assert (settings.thresholds.pixel.value, settings.pipeline.half) == (1.0, "off")
    assert type(settings.thresholds.pixel.value) is float
    assert settings.pipeline.mean is None, "only with override_normalisation"


def test_model_input_reaches_the_pipeline():
    values = {
        "model_input.width": 64,
        "model_input.height": 32,
        "model_input.order": "bgr",
        "model_input.override_normalisation": True,
        "model_input.mean": [0.1, 0.2, 0.3],
    }
    pipeline = settings_from(values).pipeline
    assert (pipeline.input_size, pipeline.order, pipeline.mean) == ((32, 64), "bgr", (0.1, 0.2, 0.3))
    assert settings_from({"model_input.width": 64}).pipeline.input_size is None


def test_scores_and_gradients_reach_thresholds_and_pipeline():
    values = {
        "ood.score": "energy",
        "ood.threshold": -8,
        "ood.meta_threshold": 0.25,
        "ood.meta_model": "none",
        "thresholds.pixel_score": "gradient_onehot",
        "thresholds.pixel": 3.5,
        "gradient.p": 2,
        "gradient.variant": "published",
        "gradient.label": "uniform",
    }
    settings = settings_from(values)
    thresholds, pipeline = settings.thresholds, settings.pipeline
    assert (thresholds.ood_score, thresholds.ood.value, thresholds.ood_meta.value) == ("energy", -8.0, 0.25)
    assert (thresholds.pixel_score, thresholds.pixel.value) == ("gradient_onehot", 3.5)
    assert (pipeline.gradient.p, pipeline.gradient.variant, pipeline.gradient.scale) == (2.0, "published", "log")
    assert (settings.gradient_label, pipeline.ood_meta_model) == ("uniform", "none")


def test_perturbations_reach_the_thresholds():
    values = {"thresholds.pixel_score": "mc_dropout", "perturbation.passes": 5, "perturbation.noise": 7,
              "perturbation.dropout": 0.25, "perturbation.statistic": "vote_variation"}  # fmt: skip
    found = settings_from(values).thresholds.perturbed
    assert found == PerturbationSettings("mc_dropout", 5, 7.0, dropout=0.25, statistic="vote_variation")
    assert settings_from({"perturbation.passes": 5}).thresholds.perturbed is None
    assert settings_from({}).thresholds.perturbation == PerturbationSettings("input_noise")


@pytest.mark.parametrize("values", [{"ood.score": "max_logit"}, {"ood.threshold": 3.2}, {"thresholds.pixel": -1e6}])
def test_a_threshold_out_of_its_scores_range_is_taken_as_score_and_threshold_are_set_one_by_one(values):
    assert settings_from(values).thresholds.ood_min_size == 50


def test_only_mode_every_lets_frames_wait():
    assert settings_from({"queue_size": 7}).capacity == 1
    assert settings_from({"queue_size": 7, "mode": "every"}).capacity == 7


@given(st.sampled_from(TABLE), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()))
def test_any_value_is_taken_or_refused_with_a_reason(parameter, value):
    try:
        taken = parameter.check(value)
    except ParameterError as error:
        taken, reason = None, str(error)
    if taken is None:
        assert parameter.name in reason
    else:
        assert type(taken) is type(parameter.default)
        assert parameter.check(taken) == taken
