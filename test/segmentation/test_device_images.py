"""Images that lie on a device already, with the CPU as the device, and the buffers that others go through."""

import numpy as np
import pytest
import torch
from fault_networks import Colours

from trust_seg_ros.segmentation.device_images import on_host, taken
from trust_seg_ros.segmentation.errors import ImageError
from trust_seg_ros.segmentation.factory import module_spec
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.preprocess import preprocess, preprocess_batch
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.segmentation.staging import Staging

CPU = torch.device("cpu")


class Shared:
    """Foreign memory: nothing but DLPack is known of it."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class Backwards(Shared):
    """The same, and it shows its strides, as CuPy's arrays do."""

    strides = (-48, 3, 1)


class Withheld(Shared):
    def __dlpack__(self, **options):
        raise BufferError("the memory is read-only")


def noise(height=12, width=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    module = Colours().eval()
    return ModuleNetwork(module, name="colours", labels=module.labels, device=CPU, input_spec=module_spec(module))


@pytest.mark.parametrize("give", [torch.from_numpy, Shared])
@pytest.mark.parametrize("strided", [False, True])
def test_it_is_answered_like_an_array(network, give, strided):
    image = np.repeat(noise(), 2, 1)[:, ::2] if strided else noise()
    wanted = network.infer(noise())
    got = network.infer(give(image))
    assert torch.equal(got.logits, wanted.logits)
    assert got.size == (12, 16)
    other = noise(seed=1)
    answers = network.infer_batch([give(image), other, give(other)])
    assert torch.equal(answers[0].logits, wanted.logits)
    assert torch.equal(answers[1].logits, answers[2].logits)


def test_memory_is_shared_not_copied_and_answers_are_given_on():
    image = noise()
    tensor = taken(Shared(image))
    assert tensor.data_ptr() == image.ctypes.data
    assert on_host(tensor).ctypes.data == image.ctypes.data
    assert taken(image) is image


def test_answers_go_out_as_dlpack(network):
    logits = network.infer(torch.from_numpy(noise())).logits
    shared = np.from_dlpack(logits)
    assert shared.ctypes.data == logits.data_ptr()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.zeros((3, 12, 16), dtype=torch.uint8), r"shape \(3, 12, 16\) .*permute\(1, 2, 0\)"),
        (torch.zeros((12, 16, 3)), "type torch.float32"),
        (torch.zeros((0, 16, 3), dtype=torch.uint8), r"\(0, 16, 3\)"),
        (Backwards(noise()[::-1]), "negative strides.*copy it"),
        (Withheld(noise()), "cannot be shared: the memory is read-only; .*copy it"),
        ("a path", "image is str"),
    ],
)
def test_what_is_no_image_is_refused(network, image, words):
    with pytest.raises(ImageError, match=words):
        network.infer(image)


def test_buffers_are_used_in_turn_and_earlier_uploads_stay():
    staging, images = Staging(CPU), [noise(seed=seed) for seed in range(5)]
    views = [image[:, ::-1] for image in images]
    for view in views:
        view.setflags(write=False)
    uploaded = [staging.upload(view) for view in views]
    for tensor, view in zip(uploaded, views, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), view)
    assert len({tensor.data_ptr() for tensor in uploaded}) == 5
    shapes = [noise(4, width) for width in range(4, 12)]
    for image in [*shapes, *shapes]:
        np.testing.assert_array_equal(staging.upload(image).numpy(), image)
    assert len(staging._buffers) == 4


def test_a_batch_is_its_images_and_one_given_twice_is_prepared_once():
    spec, images = InputSpec(size=(8, 8)), [noise(), noise(20, 30, 1)]
    batch = preprocess_batch([images[0], images[1], images[0]], spec, CPU)
    wanted = [preprocess(image, spec, CPU) for image in images]
    assert torch.equal(batch, torch.cat([wanted[0], wanted[1], wanted[0]]))
