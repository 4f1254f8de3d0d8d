"""What recent frames say of the passes that fit into perturbation.budget_ms."""

import re

import numpy as np
import pytest
import torch

from trust_seg_ros.node.budget import FrameBudget, PassesRefusedError
from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.segmentation.passes import Passes
from trust_seg_ros.types import Frame, GridFrame, TrustFrame, UncertaintyMaps


@pytest.fixture(scope="module")
def network():
    return PipelineSettings(model="node_networks:painted", device="cpu").load()


def done(budget, network_ms, all_ms, perturbation_ms=None, size=(48, 64)):
    timings = {"network": network_ms} | ({} if perturbation_ms is None else {"perturbation": perturbation_ms})
    plane = torch.zeros(size)
    maps = UncertaintyMaps(torch.zeros(size, dtype=torch.uint8), plane, plane, plane)
    budget.frame_done(all_ms, TrustFrame(Frame(np.zeros((*size, 3), np.uint8)), GridFrame(maps), timings_ms=timings))


def wished(limit, score="input_noise", passes=8, **more):
    return settings_from(
        {"perturbation.budget_ms": limit, "thresholds.pixel_score": score, "perturbation.passes": passes}
        | {f"perturbation.{name}": value for name, value in more.items()}
    )


def test_the_largest_number_that_fits_is_named_and_fits(network):
    budget = FrameBudget(network)
    done(budget, 10.0, 16.0)
    budget.check(wished(100.0))  # 16 + 8 x 10, and a little for sums
    with pytest.raises(PassesRefusedError, match=r"passes = 8: input_noise .* about 97 ms \(16 ms without\)") as error:
        budget.check(wished(90.0))
    assert "perturbation.budget_ms = 90: the largest number that fits is 7;" in str(error.value)
    budget.check(wished(90.0, passes=7))
    with pytest.raises(PassesRefusedError, match="not even 2 fit; take a score of a single pass"):
        budget.check(wished(30.0, passes=2))


def looking(limit, **more):
    return settings_from({"model_input.budget_ms": limit} | {f"model_input.{name}": v for name, v in more.items()})


def test_several_looks_are_refused_if_the_network_takes_too_long_for_them(network):
    budget = FrameBudget(network)
    done(budget, 120.0, 130.0)
    budget.check(looking(0.0, flip=True, scales=[0.5, 1.0]))
    budget.check(looking(121.0, flip=True))
    budget.check(looking(60.0))  # one look, however long it takes
    with pytest.raises(PassesRefusedError, match=r"the mirrored image: 2 passes .* about 120 ms .* alone about 60 ms"):
        budget.check(looking(100.0, flip=True))
    said = budget.looks(looking(0.0, flip=True, scales=[0.5, 1.0]))
    assert "scales 0.5, 1; the mirrored image: 4 passes of the network take about 120 ms for an image of 64x48" in said
    assert budget.looks(looking(0.0)) == ""


def test_looks_are_read_from_parameters():
    read = looking(0.0, flip=True, scales=[0.75, 1], window="64x32", window_overlap=0.5, average="probabilities")
    assert read.pipeline.passes == Passes((32, 64), 0.5, (0.75, 1.0), True, "probabilities")
    for name, value in (("window", "64"), ("scales", []), ("scales", [9.0]), ("average", "votes")):
        with pytest.raises(ParameterError, match=f"model_input.{name}"):
            looking(0.0, **{name: value})


def test_the_scales_of_fewer_passes_cost_more_each(network):
    budget = FrameBudget(network)
    done(budget, 100.0, 100.0)
    for limit in (400.0, 500.0, 700.0):
        with pytest.raises(PassesRefusedError) as error:
            budget.check(wished(limit, "input_scale", 64))
        most = int(re.search(r"fits is (\d+)", str(error.value)).group(1))
        budget.check(wished(limit, "input_scale", most))
        with pytest.raises(PassesRefusedError):
            budget.check(wished(limit, "input_scale", most + 1))


def test_dropout_of_the_last_layer_is_cheap(network):
    budget = FrameBudget(network)
    done(budget, 10.0, 12.0)
    budget.check(wished(20.0, "mc_dropout", 8, dropout=0.3))


def test_passes_of_frames_before_do_not_count_twice_and_other_sizes_start_afresh(network):
    budget = FrameBudget(network)
    done(budget, 10.0, 96.0, perturbation_ms=80.0)
    budget.check(wished(100.0))
    done(budget, 50.0, 60.0, size=(96, 128))
    with pytest.raises(PassesRefusedError, match=r"60 ms without"):
        budget.check(wished(100.0))


def test_only_changes_of_what_matters_are_judged(network):
    budget = FrameBudget(network)
    budget.check(wished(1.0))  # nothing is known yet
    done(budget, 10.0, 16.0)
    budget.check(wished(0.0, passes=64))
    budget.check(wished(1.0, "entropy"))
    budget.check(wished(1.0), before=wished(1.0))
    with pytest.raises(PassesRefusedError):
        budget.check(wished(1.0), before=wished(0.0))
    with pytest.raises(PassesRefusedError):
        budget.check(wished(50.0, passes=9), before=wished(50.0))
    budget.forget()
    budget.check(wished(1.0))
