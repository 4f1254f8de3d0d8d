"""The maps of a trust head are the package's own, written with operations that graphs have."""

import math

import pytest
import torch
from mask_cases import mask_answer, summed
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.exporting.head_maps import CLASS, HEAD_MAPS, Parts, SumParts
from trust_seg_ros.exporting.names import DEFAULT_MAPS
from trust_seg_ros.types import Classifier, LogitMaps
from trust_seg_ros.uncertainty.feature_statistics import FeatureStatistics, Moments, rows_of
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.network_statistics import NetworkStatistics
from trust_seg_ros.uncertainty.score_names import score_map

CLASSES, WIDTH, SIZE = 7, 12, (60, 88)
GENERATOR = torch.Generator().manual_seed(3)
FEATURES = torch.randn((WIDTH, 15, 22), generator=GENERATOR).relu()
WEIGHT = torch.randn((CLASSES, WIDTH, 1, 1), generator=GENERATOR)
LOGITS = torch.nn.functional.conv2d(FEATURES[None], WEIGHT)[0]
STATISTICS = FeatureStatistics(
    "",
    torch.randn(WIDTH, generator=GENERATOR),
    torch.linalg.qr(torch.randn((WIDTH, 4), generator=GENERATOR)).Q.half(),
    0.7,
    torch.nn.functional.normalize(torch.randn((9, WIDTH), generator=GENERATOR)).half(),
    Moments(0.1, 0.2),
    Moments(-3.0, 1.0),
    100,
)


def head(name, logits=LOGITS):
    parts = Parts(logits[None], FEATURES[None], SIZE, rows_of(STATISTICS, torch.device("cpu")), STATISTICS.alpha)
    return parts, HEAD_MAPS[name].value(parts)[0, 0]


def answer(logits=LOGITS):
    return LogitMaps(logits, SIZE, features=FEATURES, classifier=Classifier(WEIGHT))


@pytest.mark.parametrize("name", [name for name, row in HEAD_MAPS.items() if "logits" in row.kinds])
def test_each_map_is_the_packages_own(name):
    _, found = head(name)
    maps = uncertainty_maps(answer())
    statistics = NetworkStatistics(features=lambda: STATISTICS)
    wanted = maps.classes if name == CLASS else score_map(name, answer(), maps, statistics=statistics)
    assert found.shape == SIZE
    assert torch.allclose(found.float(), wanted.float(), atol=2e-5)


def sum_head(name, maps):
    parts = SumParts(maps.queries.probabilities[None], maps.queries.masks[None], maps.size)
    return parts, HEAD_MAPS[name].value(parts)[0, 0]


@pytest.mark.parametrize("name", [name for name, row in HEAD_MAPS.items() if "masks" in row.kinds])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_each_map_of_masks_is_the_packages_own(name, scale):
    given = mask_answer(CLASSES, 9, 15, 22, SIZE, scale=scale)
    parts, found = sum_head(name, given)
    maps = uncertainty_maps(given)
    wanted = maps.classes if name == CLASS else score_map(name, given, maps)
    assert bool(parts.finite.all())
    assert torch.allclose(found.float(), wanted.float(), atol=2e-5)
    row = HEAD_MAPS[name]
    if row.limits is not None:
        low, high = row.limits(CLASSES)
        assert low - 1e-6 <= float(found.min()) <= float(found.max()) <= high + 1e-6


def test_pixels_that_no_query_claims_have_no_class():
    probabilities, masks = torch.full((3, CLASSES), 1 / CLASSES), torch.ones(3, 15, 22)
    masks[:, :, :9] = 0.0
    given = summed(probabilities, masks, SIZE)
    parts, _ = sum_head(CLASS, given)
    classes = uncertainty_maps(given).classes
    assert torch.equal(~parts.finite[0, 0], classes == 255)
    assert 0 < int((classes == 255).sum()) < classes.numel()


def test_limits_hold_what_occurs():
    for name, row in HEAD_MAPS.items():
        if row.limits is not None and "logits" in row.kinds:
            low, high = row.limits(CLASSES)
            _, found = head(name, LOGITS * 30)
            assert low - 1e-6 <= float(found.min()) <= float(found.max()) <= high + 1e-6, name


def test_pixels_without_finite_logits_are_those_of_the_package():
    logits = LOGITS.clone()
    logits[2, 4, 5], logits[0, 9, 9], logits[6, 14, 0] = math.nan, math.inf, -math.inf
    parts, classes = head(CLASS, logits)
    maps = uncertainty_maps(answer(logits))
    assert torch.equal(~parts.finite[0, 0], maps.classes == 255)
    assert 0 < maps.faulty_pixels == int((~parts.finite).sum())
    fine = parts.finite[0, 0]
    assert torch.equal(classes[fine].to(torch.uint8), maps.classes[fine])


def test_of_equal_logits_the_lowest_class_is_predicted():
    assert int(head(CLASS, torch.zeros_like(LOGITS))[1].max()) == 0
    logits = torch.zeros_like(LOGITS)
    logits[[3, 5]] = 2.0
    assert set(head(CLASS, logits)[1].flatten().tolist()) == {3.0}
    _, margin = head("margin", logits)
    assert torch.allclose(margin, torch.ones(SIZE))


def test_the_page_and_the_help_name_every_map(capsys):
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["export", "--help"])
    said = capsys.readouterr().out
    for name in HEAD_MAPS:
        assert f"`{name}`" in page
        assert name in said
    assert set(DEFAULT_MAPS) <= set(HEAD_MAPS)
