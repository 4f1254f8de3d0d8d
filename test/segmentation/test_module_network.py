import threading

import numpy as np
import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import ImageError, InputSpec, LabelSet, ModelError, ModelOutputError, load_labels
from trust_seg_ros.segmentation.last_layer import agrees
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.prepare import prepare_module
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import SegmentationNetwork

CPU = torch.device("cpu")
CAMVID = load_labels("camvid11")


def build(module, labels=CAMVID, **spec):
    return from_module(module, "tiny", labels, InputSpec(**spec), CPU, False)


@torch.no_grad()
def direct(module, network, image):
    return module(preprocess(image, network.input_spec, CPU))[0]


def test_it_fulfils_the_protocol(tiny):
    assert isinstance(build(tiny()), SegmentationNetwork)


def test_logits_are_the_modules_own(tiny, image):
    module = tiny()
    network = build(module)
    maps = network.infer(image)
    assert torch.equal(maps.logits, direct(module, network, image))
    assert maps.size == (64, 96)
    assert maps.logits.shape == (11, 32, 48)
    assert maps.raw


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_last_convolution_is_found(tiny, image, kernel):
    module = tiny(kernel=kernel)
    maps = build(module).infer(image)
    assert torch.equal(maps.classifier.weight, module.head.weight)
    assert maps.features.shape == (8, 32, 48)
    assert agrees(maps.classifier, maps.features[None], maps.logits[None])


def test_upsampling_inside_is_taken_off(tiny, image):
    module = tiny(grow=True)
    maps = build(module).infer(image)
    assert maps.logits.shape == (11, 32, 48)
    grown = nn.functional.interpolate(maps.logits[None], size=image.shape[:2], mode="bilinear", align_corners=False)
    assert (grown[0] - direct(module, build(tiny()), image)).abs().max() < 1e-5


@pytest.mark.parametrize("end", ["probabilities", "log_probabilities"])
def test_softmax_at_the_end_is_taken_off(tiny, image, end):
    network = build(tiny(end=end))
    assert network.raw
    assert torch.equal(network.infer(image).logits, build(tiny()).infer(image).logits)


@pytest.mark.parametrize("end", ["probabilities", "log_probabilities"])
def test_probabilities_of_an_opaque_network_are_recognised(tiny, image, end):
    module = tiny(end=end)
    network = ModuleNetwork(lambda x: module(x), name="f", labels=CAMVID, device=CPU, input_spec=InputSpec())
    maps = network.infer(image)
    assert not network.raw
    assert not maps.raw
    assert torch.allclose(maps.logits.exp().sum(0), torch.ones(32, 48), atol=1e-5)
    assert maps.features is None


def test_features_that_the_module_returns_need_its_classifier_to_fit(tiny, image):
    module = tiny()

    class WithFeatures(nn.Module):
        def __init__(self, shift):
            super().__init__()
            self.inner, self.classifier, self.shift = module, module.head, shift

        def forward(self, x):
            features = self.inner.body(x)
            return {"out": self.inner.head(features), "features": features + self.shift}

    maps = build(WithFeatures(0.0)).infer(image)
    assert torch.equal(maps.classifier.weight, module.head.weight)
    with pytest.raises(ModelOutputError, match="does not give its logits"):
        build(WithFeatures(1.0))


def test_wrong_number_of_classes_names_both_numbers(tiny):
    with pytest.raises(ModelOutputError, match="tells 11 classes apart but labels 'two' name 2"):
        build(tiny(), LabelSet("two", ("a", "b")))


class Answers(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, _x):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (torch.zeros(11, 4, 4), r"shape \(11, 4, 4\)"),
        (torch.zeros(2, 11, 4, 4), r"shape \(2, 11, 4, 4\)"),
        (torch.zeros(1, 11, 0, 4), "expected"),
        (torch.zeros(1, 11, 4, 4, dtype=torch.int64), "int64"),
        (None, "returned NoneType"),
        ({"logit": torch.zeros(1, 11, 4, 4)}, "keys logit"),
        ((torch.zeros(1, 11, 4, 4), "x"), "features are str"),
        ((torch.zeros(1, 11, 4, 4), torch.zeros(1, 5, 2, 2)), r"features of shape \(1, 5, 2, 2\)"),
    ],
)
def test_answers_that_break_the_contract_are_refused_at_loading(answer, match):
    with pytest.raises(ModelOutputError, match=match):
        build(Answers(answer))


def test_a_failing_network_is_a_model_error_with_its_cause(tiny, image):
    network = build(tiny())
    network._forward.body[0] = nn.Conv2d(4, 8, 1)
    with pytest.raises(ModelError, match=r"failed on an input of shape \(1, 3, 64, 96\): RuntimeError") as caught:
        network.infer(image)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_it_works_again_after_a_failure(tiny, image):
    network = build(tiny())
    before = network.infer(image).logits
    with pytest.raises(ImageError):
        network.infer(image[..., :2])
    assert torch.equal(network.infer(image).logits, before)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
    ],
)
def test_images_of_another_kind_are_refused(tiny, bad):
    with pytest.raises(ImageError, match=r"expected .*\(H, W, 3\) uint8"):
        build(tiny()).infer(bad)


def test_non_finite_logits_pass_through_for_the_maps_to_count(tiny, image):
    module = tiny()
    network = build(module)
    with torch.no_grad():
        module.head.bias.fill_(float("nan"))
    assert network.infer(image).logits.isnan().all()


def test_no_pass_is_held_after_it(tiny, image):
    network = build(tiny())
    network.warm_up((64, 96))
    network.infer(image)
    assert not network._last_layer.ran


def test_threads_do_not_mix_their_images(tiny):
    network = build(tiny())
    images = [np.full((64, 64, 3), v, np.uint8) for v in range(0, 250, 50)]
    alone = [network.infer(i).logits.clone() for i in images]
    equal = [False] * len(images)

    def work(index):
        maps = [network.infer(images[index]) for _ in range(20)]
        equal[index] = all(torch.equal(m.logits, alone[index]) for m in maps)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(equal)


def test_thread_count_is_left_alone(tiny):
    before = torch.get_num_threads()
    build(tiny()).warm_up((32, 32))
    assert torch.get_num_threads() == before


def test_convolutional_networks_run_channels_last_and_transformers_do_not(tiny):
    def last(module):
        weight = prepare_module(module, CPU, False).body[0].weight
        return weight.is_contiguous(memory_format=torch.channels_last)

    transformer = tiny()
    transformer.norm = nn.LayerNorm(8)
    assert last(tiny())
    assert not last(transformer)
