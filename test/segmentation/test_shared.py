"""One network for several cameras: real networks, asked from several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from test_dropout_passes import Dropping, build
from torch import nn

from trust_seg_ros.segmentation import ImageError, ModelError
from trust_seg_ros.segmentation.batcher import LeftError
from trust_seg_ros.segmentation.protocol import BatchedNetwork, DropoutNetwork, SegmentationNetwork
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.shared import SharedNetworks
from trust_seg_ros.segmentation.tails import close
from trust_seg_ros.support.content_hash import network_sha256

PATIENCE_S = 60.0
EMBEDDED = NetworkSettings(device="cpu", input_size=(96, 128))


def shared(settings=EMBEDDED, cameras=3, wait_s=0.0, images=9):
    """The network of each camera, and where they got it from."""
    networks = SharedNetworks(cameras)
    sources = [networks.camera(f"camera {number}") for number in range(cameras)]
    return [source.load(settings, wait_s, images) for source in sources], sources


def pictures(*sizes):
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def together(networks, images):
    """What each camera is answered when all ask while the network is busy: a LogitMaps or an exception."""
    batcher = networks[0]._images.batcher
    with ThreadPoolExecutor(len(images)) as pool:
        with batcher.alone(networks[0]._seat):
            futures = [pool.submit(network.infer, image) for network, image in zip(networks, images, strict=True)]
            while len(batcher._waiting) < len(images):
                threading.Event().wait(0.001)
        return [future.exception(PATIENCE_S) or future.result() for future in futures]


def test_images_of_several_cameras_are_answered_in_one_pass_as_alone():
    networks, _ = shared()
    images = pictures((60, 80), (60, 80), (72, 40))
    passes = []
    networks[0].module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    answers = together(networks, images)
    assert passes == [3]
    alone = EMBEDDED.load()
    for image, answer in zip(images, answers, strict=True):
        expected = alone.infer(image)
        assert answer.size == image.shape[:2]
        assert answer.raw == expected.raw
        assert close(answer.logits, expected.logits, 1e-5)
        assert close(answer.features, expected.features, 1e-5)


def test_inputs_of_different_sizes_are_grouped():
    settings = NetworkSettings(model="node_networks:colours")
    networks, _ = shared(settings, cameras=4)
    passes, images = [], pictures((40, 64), (48, 64), (40, 64), (48, 64))
    networks[0].module.register_forward_pre_hook(lambda _, inputs: passes.append(tuple(inputs[0].shape)))
    answers = together(networks, images)
    assert sorted(passes) == [(2, 3, 40, 64), (2, 3, 48, 64)]
    alone = settings.load()
    assert all(torch.equal(a.logits, alone.infer(i).logits) for a, i in zip(answers, images, strict=True))


class Failing(Dropping):
    """Fails on a white image, and so takes the others of its pass along."""

    def forward(self, x):
        if x.amin((1, 2, 3)).max() > 0.99:
            raise RuntimeError("white is too much")
        return super().forward(x)


def test_one_bad_image_loses_no_other_frame(monkeypatch):
    failing = build(Failing(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    monkeypatch.setattr(NetworkSettings, "load", lambda _: failing)
    networks, _ = shared()
    good, _, also_good = pictures(*3 * [(48, 64)])
    white = np.full((48, 64, 3), 255, np.uint8)
    first, failed, third = together(networks, [good, white, also_good])
    assert isinstance(failed, ModelError)
    assert "white is too much" in str(failed)
    assert torch.equal(first.logits, networks[0].infer(good).logits)
    assert torch.equal(third.logits, networks[0].infer(also_good).logits)


@pytest.mark.parametrize("wrong", [np.zeros((48, 64), np.uint8), np.zeros(5, np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused_alone(wrong):
    networks, _ = shared(NetworkSettings(model="node_networks:colours"))
    good, other = pictures((48, 64), (48, 64))
    first, refused, third = together(networks, [good, wrong, other])
    assert isinstance(refused, ImageError)
    assert (first.size, third.size) == ((48, 64), (48, 64))


class Mixing(Dropping):
    """Its answer to an image depends on the others of the pass."""

    def forward(self, x):
        return super().forward(x + x.mean(0, keepdim=True))


def test_a_network_that_takes_one_image_is_asked_about_one(monkeypatch):
    mixing = build(Mixing())
    monkeypatch.setattr(NetworkSettings, "load", lambda _: mixing)
    networks, _ = shared(wait_s=100.0)
    passes, images = [], pictures(*3 * [(48, 64)])
    mixing.module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    answers = together(networks, images)
    assert passes == [1, 1, 1]
    assert all(torch.equal(a.logits, mixing.infer(i).logits) for a, i in zip(answers, images, strict=True))


def test_averaged_passes_of_several_images_are_not_waited_for():
    networks, _ = shared(NetworkSettings(model="node_networks:colours", flip=True))
    assert networks[0]._images.batcher.most == 1
    assert networks[0].passes.flip


def test_on_a_cpu_a_pass_is_of_one_image_unless_more_are_asked_for():
    networks, _ = shared(NetworkSettings(model="node_networks:colours"), images=0)
    passes = []
    networks[0].module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    together(networks, pictures(*3 * [(48, 64)]))
    assert passes == [1, 1, 1]


def test_it_offers_what_the_network_offers():
    (network, *_), _ = shared()
    own = EMBEDDED.load()
    assert isinstance(network, SegmentationNetwork)
    assert isinstance(network, BatchedNetwork)
    assert isinstance(network, DropoutNetwork) == isinstance(own, DropoutNetwork)
    assert network.dropout_layers == own.dropout_layers
    assert network.last_dropout == own.last_dropout
    assert network_sha256(network) == network_sha256(own) != ""
    assert (network.name, network.labels, network.remarks, network.backend) == (
        own.name, own.labels, own.remarks, own.backend)  # fmt: skip
    image = pictures((60, 80))[0]
    ours, theirs = network.infer_batch([image], input_size=(48, 64)), own.infer_batch([image], input_size=(48, 64))
    assert torch.equal(ours[0].logits, theirs[0].logits)
    with pytest.raises(AttributeError):
        network.no_such_thing  # noqa: B018
    assert "3 cameras" in network.batch


def test_dropout_of_the_network_works_through_it(monkeypatch):
    dropping = build(Dropping(early=nn.Dropout(0.3)))
    monkeypatch.setattr(NetworkSettings, "load", lambda _: dropping)
    (network, *_), _ = shared()
    image = pictures((32, 48))[0]
    ours, theirs = network.infer_dropout(image, (1, 2)), dropping.infer_dropout(image, (1, 2))
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(ours, theirs, strict=True))
    assert not torch.equal(ours[0].logits, ours[1].logits)


def test_a_plain_network_stays_plain(monkeypatch):
    from linear_networks import Masks

    monkeypatch.setattr(NetworkSettings, "load", lambda _: Masks())
    networks, _ = shared(cameras=2, wait_s=100.0)
    assert not isinstance(networks[0], BatchedNetwork)
    assert not isinstance(networks[0], DropoutNetwork)
    images = pictures((48, 64), (40, 64))
    for image, answer in zip(images, together(networks, images), strict=True):
        assert torch.equal(answer.logits, Masks().infer(image).logits)


def test_the_warm_up_runs_every_number_of_images_once():
    networks, _ = shared(NetworkSettings(model="node_networks:colours"))
    passes = []
    networks[0].module.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    for network in networks:
        network.warm_up((48, 64))
    assert passes == [1, 1, 2, 3, 1, 1, 1, 1]


def test_a_device_that_holds_fewer_images_gets_fewer(caplog):
    (network, *others), _ = shared(NetworkSettings(model="node_networks:colours"), cameras=4)

    def short(_, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("of memory")

    network.module.register_forward_pre_hook(short)
    network.warm_up((48, 64))
    assert "takes 2 images in one pass, not more" in caplog.text
    images = pictures(*4 * [(48, 64)])
    answers = together([network, *others], images)
    assert [answer.size for answer in answers] == 4 * [(48, 64)]
    assert "images failed" not in caplog.text, "never are more than two tried again"


def test_the_same_settings_share_and_others_load_their_own():
    networks = SharedNetworks(3)
    front, rear, other = (networks.camera(name) for name in ("front", "rear", "other"))
    colours, painted = (NetworkSettings(model=f"node_networks:{name}") for name in ("colours", "painted"))
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(lambda camera: camera.load(colours, 0.01), (front, rear))
    c = other.load(painted, 0.01)
    assert a.module is b.module
    assert c.module is not a.module
    assert not rear.release()
    with pytest.raises(LeftError, match="rear has left"):
        b.infer(pictures((48, 64))[0])
    assert a.infer(pictures((48, 64))[0]).size == (48, 64)
    assert rear.load(colours, 0.01).module is a.module, "it is still in use"
    assert [camera.release() for camera in (front, rear, other)] == [False, False, True]
    assert other.release()
    assert front.load(colours, 0.01).module is not a.module, "the last one let it go"


def test_a_network_that_left_somebody_without_an_answer_is_not_given_again():
    networks, (front, rear, third) = shared(NetworkSettings(model="node_networks:colours"))
    hangs, go_on = threading.Event(), threading.Event()

    def hang(*_):
        hangs.set()
        assert go_on.wait(PATIENCE_S)

    hook = networks[0].module.register_forward_pre_hook(hang)
    image = pictures((48, 64))[0]
    with ThreadPoolExecutor(2) as pool:
        try:
            stuck = pool.submit(networks[0].infer, image)
            assert hangs.wait(PATIENCE_S)
            front.release()
            anew = front.load(NetworkSettings(model="node_networks:colours"), 0.0)
            assert anew.module is not networks[1].module
            assert anew.infer(image).size == (48, 64)
            waiting = pool.submit(networks[1].infer, image)
            rear.release()
            assert isinstance(waiting.exception(PATIENCE_S), LeftError)
        finally:
            go_on.set()
            hook.remove()
        assert stuck.result(PATIENCE_S).size == (48, 64)
    assert [camera.release() for camera in (front, rear, third)][-1]


def test_a_network_that_cannot_be_loaded_is_tried_again():
    camera = SharedNetworks(2).camera("front")
    for _ in range(2):
        with pytest.raises(ModelError, match="no_such"):
            camera.load(NetworkSettings(model="node_networks:no_such"), 0.0)
    assert camera.load(NetworkSettings(model="node_networks:colours"), 0.0).labels.names == ("red", "green", "blue")
