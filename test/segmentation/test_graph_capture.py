"""Recorded passes, without a GPU: torch.fx records what CUDA graphs would, and runs no Python of the network again."""

import numpy as np
import pytest
import torch
from fault_networks import Colours
from torch.fx.experimental.proxy_tensor import make_fx

from trust_seg_ros.segmentation.factory import module_spec
from trust_seg_ros.segmentation.graph_capture import Replayed, no_module
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.segmentation.network import ModuleNetwork

CPU = torch.device("cpu")


def noise(height=16, width=20, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def recorder(run, x):
    """As ``graph_capture.record``: what a call returns lies where that of the next one will lie."""
    parts = run(x)
    places = [index for index, part in enumerate(parts) if isinstance(part, torch.Tensor)]
    program = make_fx(lambda t: [run(t)[index] for index in places], tracing_mode="real")(x)
    kept = list(parts)

    def replay(new):
        for index, part in zip(places, program(new), strict=True):
            kept[index] = kept[index].copy_(part)
        return tuple(kept)

    return replay


class Counted(Colours):
    """Counts how often its Python runs; one layer drops, one may be watched."""

    def __init__(self):
        super().__init__()
        self.dropout, self.middle, self.runs = torch.nn.Dropout2d(0.5), torch.nn.ReLU(), 0

    def forward(self, image):
        self.runs += 1
        return self.last(self.dropout(self.middle(torch.nn.functional.avg_pool2d(image, 4))))


def network_of(module):
    module = module.eval()
    return ModuleNetwork(module, name="counted", labels=module.labels, device=CPU, input_spec=module_spec(module))


def graphed(module):
    network = network_of(module)
    network._replayed = Replayed(network._parts, network._no_graphs, recorder)
    return network


def same(a, b):
    assert torch.equal(a.logits, b.logits)
    assert torch.equal(a.features, b.features)
    assert a.placement == b.placement
    assert (a.layer is None) == (b.layer is None)
    if a.layer is not None:
        assert torch.equal(a.layer.features, b.layer.features)


@pytest.mark.parametrize("watched", ["", "middle"])
def test_answers_features_and_watched_layers_are_those_of_each_image(watched):
    module = Counted()
    network, plain = graphed(module), network_of(Counted())
    for each in (network, plain) if watched else ():
        each.watch_layer(watched)
    answers = [network.infer(noise(seed=seed)) for seed in range(6)]
    runs = module.runs
    answers += [network.infer(noise(seed=seed)) for seed in range(6, 9)]
    assert module.runs == runs, "its Python does not run again"
    for seed, answer in enumerate(answers):
        same(answer, plain.infer(noise(seed=seed)))


def test_a_layer_that_is_watched_later_is_in_the_answers_from_then_on():
    network, plain = graphed(Counted()), network_of(Counted())
    for seed in range(5):
        network.infer(noise(seed=seed))
    network.watch_layer("middle")
    plain.watch_layer("middle")
    for seed in range(5):
        same(network.infer(noise(seed=seed)), plain.infer(noise(seed=seed)))


def test_dropout_is_drawn_anew_and_batches_are_recorded_by_themselves():
    network, plain = graphed(Counted()), network_of(Counted())
    images = [noise(seed=seed) for seed in range(3)]
    for _ in range(5):
        for got, wanted in zip(network.infer_batch(images), plain.infer_batch(images), strict=True):
            same(got, wanted)
        for got, wanted in zip(
            network.infer_dropout(images[0], (1, 2)), plain.infer_dropout(images[0], (1, 2)), strict=True
        ):
            same(got, wanted)
    assert not torch.equal(*(maps.logits for maps in network.infer_dropout(images[0], (1, 2))))


def test_shapes_beyond_a_few_run_as_they_are():
    module = Counted()
    network = graphed(module)
    for width in range(8, 48, 4):
        for _ in range(4):
            network.infer(noise(width=width))
    runs = module.runs
    network.infer(noise(width=8))
    assert module.runs == runs
    network.infer(noise(width=44))
    assert module.runs == runs + 1


class Branching(Colours):
    def forward(self, image):
        return super().forward(image if image.mean() > 0.1 else 1 - image)


class Counting(Colours):
    """Gives another answer each time, from when it is asked to."""

    turn = 0

    def forward(self, image):
        if self.turn:
            self.turn += 1
        return super().forward(image + 0.1 * self.turn)


def test_a_network_that_branches_on_values_runs_as_it_is_for_good_and_says_so():
    network = graphed(Branching())
    before = network.remarks
    for seed in range(5):
        same(network.infer(noise(seed=seed)), network_of(Branching()).infer(noise(seed=seed)))
    added = [text for text in network.remarks if text not in before]
    assert len(added) == 1
    assert added[0].startswith("cuda_graph = on has no effect: it cannot be recorded: ")


def test_a_replay_that_gives_another_answer_is_not_used():
    module = Counting()
    network = graphed(module)
    module.turn = 1
    for seed in range(4):
        network.infer(noise(seed=seed))
    assert network.remarks[-1] == "cuda_graph = on has no effect: a replay gives another answer than the pass"
    assert not torch.equal(network.infer(noise()).logits, network.infer(noise()).logits)


def test_a_lost_device_is_no_matter_of_recording():
    def lost(run, x):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    said = []
    replayed = Replayed(lambda x: (x,), said.append, lost)
    for _ in range(2):
        replayed(torch.zeros(1))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        replayed(torch.zeros(1))
    assert not said


def test_foreign_hooks_and_other_libraries_speak_against_it():
    module = Counted().eval()
    network = network_of(module)
    network.watch_layer("middle")
    assert no_module(module) == "", "what the package itself hooks in is taken within a pass"
    module.middle.register_forward_hook(lambda *_: None)
    assert "layer 'middle' has a hook" in no_module(module)
    assert "another library" in no_module(lambda x: x)


def test_on_a_cpu_it_has_no_effect_and_says_so(caplog):
    network = load_network("fault_networks:colours", device="cpu", cuda_graph=True)
    assert "cuda_graph = on has no effect: the network runs on cpu" in network.remarks
    assert "cuda_graph = on has no effect" in caplog.text
    assert network._replayed is None
    assert not [text for text in load_network("fault_networks:colours", device="cpu").remarks if "cuda_graph" in text]
