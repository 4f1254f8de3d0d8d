import threading

import numpy as np
import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import ImageError, InputSpec, ModelError, load_labels, load_network
from trust_seg_ros.segmentation.dropout import DropoutRate, dropout_layers, dropping, last_layer_passes
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.protocol import BatchedNetwork, DropoutNetwork

CPU = torch.device("cpu")
CAMVID = load_labels("camvid11")


class Dropping(nn.Module):
    """A network with dropout layers in the places named."""

    def __init__(self, early=None, late=None, kernel=1):
        super().__init__()
        torch.manual_seed(2)
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.early = early or nn.Identity()
        self.second = nn.Conv2d(8, 6, 3, padding=1)
        self.late = late or nn.Identity()
        self.head = nn.Conv2d(6, 11, kernel, padding=kernel // 2)

    def forward(self, x):
        y = self.early(self.first(x).relu())
        return self.head(self.late(self.second(y).relu()))


def build(module, **spec):
    return from_module(module, "dropping", CAMVID, InputSpec(**spec), CPU, False)


@pytest.fixture(scope="module")
def embedded():
    return load_network(device="cpu", input_size=(96, 128))


def test_module_networks_offer_both(embedded):
    assert isinstance(embedded, BatchedNetwork)
    assert isinstance(embedded, DropoutNetwork)


def test_a_batch_gives_what_the_images_give_alone(embedded):
    images = np.random.default_rng(0).integers(0, 256, (3, 60, 80, 3), np.uint8)
    together = embedded.infer_batch(list(images))
    assert embedded.takes_batches
    for image, maps in zip(images, together, strict=True):
        alone = embedded.infer(image)
        assert maps.size == (60, 80)
        assert torch.allclose(maps.logits, alone.logits, atol=1e-4)
        assert torch.allclose(maps.features, alone.features, atol=1e-4)


def test_images_of_different_inputs_go_one_by_one(tiny):
    network = build(tiny())
    images = [np.full((32, 48, 3), 90, np.uint8), np.full((64, 32, 3), 200, np.uint8)]
    answers = network.infer_batch(images)
    assert [maps.size for maps in answers] == [(32, 48), (64, 32)]
    assert all(torch.equal(m.logits, network.infer(i).logits) for m, i in zip(answers, images, strict=True))


def test_another_input_size(embedded, image):
    maps = embedded.infer_batch([image], input_size=(64, 160))[0]
    assert maps.logits.shape == (11, 16, 40)
    assert maps.size == (64, 96)
    assert embedded.infer(image).logits.shape == (11, 24, 32)


def one_at_a_time(x):
    assert len(x) == 1, "this network takes one image"
    return x.new_ones(1, 11, 8, 8) * x.mean() + torch.arange(11).view(1, 11, 1, 1)


def mixes(x):
    """Looks at all images of a batch, as batch norm in training mode does."""
    return (x - x.mean()).mean(1, keepdim=True) * torch.arange(11).view(1, 11, 1, 1)


@pytest.mark.parametrize("forward", [one_at_a_time, mixes])
def test_networks_that_take_no_batches_are_recognised(forward, image):
    network = ModuleNetwork(forward, name="f", labels=CAMVID, device=CPU, input_spec=InputSpec())
    other = np.ascontiguousarray(image[::-1])
    answers = network.infer_batch([image, other])
    assert not network.takes_batches
    assert torch.equal(answers[1].logits, network.infer(other).logits)


def test_a_batch_checks_every_image(embedded, image):
    with pytest.raises(ImageError):
        embedded.infer_batch([image, image[..., 0]])


def test_dropout_layers_are_named(embedded, tiny):
    assert embedded.dropout_layers == ("dropout",)
    assert build(tiny()).dropout_layers == ()
    layers = dropout_layers(Dropping(nn.Dropout(0.0), nn.Dropout(0.2)))
    assert list(layers) == ["late"]


def test_without_dropout_layers_it_is_an_error(tiny, image):
    with pytest.raises(ModelError, match="no dropout layers"):
        build(tiny()).infer_dropout(image, (0,))


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout2d(0.4)])
def test_masks_depend_on_the_seed_alone(layer, image):
    network = build(Dropping(layer))
    together = network.infer_dropout(image, (3, 4, 5))
    torch.manual_seed(99)
    alone = network.infer_dropout(image, (4,))[0]
    assert torch.allclose(together[1].logits, alone.logits, atol=1e-5)
    assert not torch.allclose(together[0].logits, alone.logits, atol=1e-2)


def test_dropout_leaves_nothing_behind(image):
    network = build(Dropping(nn.Dropout(0.4), nn.Dropout2d(0.5)))
    before = network.infer(image).logits
    state = torch.get_rng_state()
    network.infer_dropout(image, (1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network.infer(image).logits, before)
    assert not any(module._forward_hooks for name, module in network._forward.named_modules() if "head" not in name)


def test_other_threads_see_no_dropout(image):
    network = build(Dropping(nn.Dropout(0.5)))
    clean = network.infer(image).logits
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(network.infer(image).logits for _ in range(30)))
    thread.start()
    for seed in range(30):
        network.infer_dropout(image, (seed,))
    thread.join()
    assert len(seen) == 30
    assert all(torch.equal(logits, clean) for logits in seen)


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout2d(0.3)])
def test_masks_drop_the_rate_and_keep_the_mean(layer):
    x = torch.ones(2, 400, 20, 20)
    with dropping([layer], (1, 2), CPU):
        y = layer.eval()(x)
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert float((y == 0).float().mean()) == pytest.approx(0.3, abs=0.06)
    assert y.mean() == pytest.approx(1.0, abs=0.09)
    whole = (y == y[:, :, :1, :1]).all()
    assert bool(whole) == isinstance(layer, nn.Dropout2d)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout2d(0.3)])
def test_dropout_before_the_last_layer_needs_that_layer_only(layer, kernel, image):
    network = build(Dropping(late=layer, kernel=kernel))
    assert network.last_dropout == DropoutRate(0.3, isinstance(layer, nn.Dropout2d))
    maps = network.infer(image)
    quick = last_layer_passes(maps.features, maps.classifier, network.last_dropout, (8, 9))
    for logits, full in zip(quick, network.infer_dropout(image, (8, 9)), strict=True):
        assert torch.allclose(logits, full.logits, atol=1e-5)
    assert not torch.allclose(quick[0], maps.logits, atol=1e-2)


def test_the_embedded_network_drops_before_its_last_layer(embedded, image):
    assert embedded.last_dropout == DropoutRate(0.1)
    maps = embedded.infer(image)
    quick = last_layer_passes(maps.features, maps.classifier, embedded.last_dropout, (8,))
    assert torch.allclose(quick[0], embedded.infer_dropout(image, (8,))[0].logits, atol=1e-4)


class Elsewhere(Dropping):
    """Dropout sees the features, but the head does not see its output."""

    def forward(self, x):
        y = self.second(self.first(x).relu()).relu()
        return self.head(y) + 0.1 * self.late(y).mean(1, keepdim=True)


@pytest.mark.parametrize(
    "module",
    [
        Dropping(nn.Dropout(0.3)),
        Dropping(nn.Dropout(0.3), nn.Dropout(0.3)),
        Dropping(),
        Elsewhere(late=nn.Dropout2d(0.5)),
    ],
)
def test_other_dropout_needs_the_whole_network(module):
    assert build(module).last_dropout is None


def test_without_batches_the_passes_go_one_by_one(image):
    class Single(Dropping):
        def forward(self, x):
            assert len(x) == 1
            return super().forward(x)

    network, usual = build(Single(nn.Dropout(0.3))), build(Dropping(nn.Dropout(0.3)))
    answers = network.infer_dropout(image, (1, 2))
    assert not network.takes_batches
    for a, b in zip(answers, usual.infer_dropout(image, (1, 2)), strict=True):
        assert torch.allclose(a.logits, b.logits, atol=1e-5)


class Windows(nn.Module):
    """Drops in windows of the image, which lie in the batch dimension then, as in Swin."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.first, self.drop, self.head = nn.Conv2d(3, 8, 1), nn.Dropout(0.5), nn.Conv2d(8, 11, 1)

    def forward(self, x):
        y = self.first(x).relu()
        b, c, h, w = y.shape
        parts = y.view(b, c, 2, h // 2, w).transpose(1, 2).reshape(2 * b, c, h // 2, w)
        joined = self.drop(parts).view(b, 2, c, h // 2, w).transpose(1, 2).reshape(b, c, h, w)
        return self.head(joined)


def test_a_network_of_windows_drops_otherwise_for_every_seed_and_in_every_window(image):
    """In one batch all seeds would drop alike: a layer cannot tell whose windows it sees."""
    network = build(Windows(), size=(64, 96))
    assert network.takes_batches
    first, second = (maps.logits for maps in network.infer_dropout(image, (1, 2)))
    assert not torch.allclose(first, second)
    assert torch.equal(first, network.infer_dropout(image, (1,))[0].logits)
    assert torch.equal(second, network.infer_dropout(image, (2, 1))[0].logits)
    grey = network.infer_dropout(np.full((64, 96, 3), 90, np.uint8), (5,))[0].logits
    assert not torch.allclose(grey[:, :32], grey[:, 32:]), "the windows are alike, what is dropped in them is not"
