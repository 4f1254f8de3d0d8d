"""ONNX Runtime computes by the providers asked for or not at all, in memory that belongs to torch."""

import argparse

import numpy as np
import pytest
import torch

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import CLASSES, graph  # noqa: E402

from trust_seg_ros.commands.data_options import add_network_arguments, network_settings  # noqa: E402
from trust_seg_ros.segmentation import DependencyError, DeviceError, ModelError, ModelSpecError, load_network  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_graph import graph_of  # noqa: E402
from trust_seg_ros.segmentation.graphs.onnx_session import CPU, CUDA, chosen_providers, open_session, refuse_missing  # noqa: E402
from trust_seg_ros.segmentation.graphs.placed import Place, as_input  # noqa: E402
from trust_seg_ros.support.backends import provider_names  # noqa: E402

HERE = torch.device("cpu")
GPU = torch.device("cuda", 0)
BUILT = onnxruntime.get_available_providers()
CAST = [helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT)]
TURNED = [*CAST, helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2])]
INPUTS = {
    "float32": {},
    "float16": {"before": CAST, "image_kind": TensorProto.FLOAT16},
    "bfloat16": {"before": CAST, "image_kind": TensorProto.BFLOAT16},
    "uint8, channels last": {
        "before": TURNED,
        "image_kind": TensorProto.UINT8,
        "image_shape": (1, None, None, 3),
    },
}


def running(**parts):
    return open_session(graph_of(graph(**parts), "net"), Place(HERE))


def pixels(height=64, width=96, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (1, 3, height, width)).astype(np.float32))


@pytest.mark.parametrize("kind", INPUTS)
def test_bound_memory_gives_what_a_session_gives(kind):
    made = graph_of(graph(**INPUTS[kind]), "net")
    forward = open_session(made, Place(HERE)).forward
    session = onnxruntime.InferenceSession(made.content, providers=[CPU])
    for size in ((64, 96), (32, 40), (64, 96)):
        x = pixels(*size)
        given = as_input(x, made.image)
        value = (
            onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(given.view(torch.int16).numpy(), 16)
            if given.dtype == torch.bfloat16
            else onnxruntime.OrtValue.ortvalue_from_numpy(given.numpy())
        )
        wanted = session.run_with_ort_values(list(made.outputs), {made.image.name: value})
        for found, one in zip(forward(x), wanted, strict=True):
            assert np.array_equal(found.numpy(), one.numpy())


def test_half_precision_answers_are_bound_in_their_own_type():
    behind = [helper.make_node("Cast", ["logits"], ["end"], to=TensorProto.FLOAT16)]
    made = graph(behind=[*behind, helper.make_node("Relu", ["end"], ["out"])], output="out", kind=TensorProto.FLOAT16)
    (found,) = open_session(graph_of(made, "net"), Place(HERE)).forward(pixels())
    wanted = running().forward(pixels())[0]
    assert found.dtype == torch.float16
    assert torch.equal(found, wanted.half().relu())


def test_an_answer_stays_when_another_is_given():
    forward = running().forward
    first = forward(pixels(seed=1))
    copies = [answer.clone() for answer in first]
    places = {answer.data_ptr() for answer in first}
    for seed in range(2, 12):
        later = forward(pixels(seed=seed))
        assert not places & {answer.data_ptr() for answer in later}
        assert not torch.equal(later[0], first[0])
    assert all(torch.equal(one, copy) for one, copy in zip(first, copies, strict=True))


def test_pixels_in_any_order_of_memory_and_without_gradients():
    forward = running().forward
    wanted = forward(pixels())[0]
    turned = pixels().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        assert torch.equal(forward(turned)[0], wanted)
    assert torch.equal(forward(torch.cat([pixels(), pixels()], 3)[..., :96])[0], wanted)


def test_names_of_providers():
    assert provider_names("") == ()
    assert provider_names(" cuda, TensorrtExecutionProvider,") == ("cudaExecutionProvider", "TensorrtExecutionProvider")
    assert chosen_providers(Place(HERE)) == [CPU]
    assert chosen_providers(Place(HERE, provider_names("CPU"))) == [CPU]
    with pytest.raises(ModelSpecError, match=r"provider 'gpu' is not known .*expected names such as .*cpu"):
        chosen_providers(Place(HERE, provider_names("cpu,gpu")))


@pytest.mark.skipif(CUDA in BUILT, reason="this build of ONNX Runtime has CUDA")
@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_a_provider_that_the_build_lacks_is_refused(tmp_path, name):
    graph(tmp_path / "n.onnx")
    with pytest.raises(DependencyError, match=rf"no provider {name}, only .*cpu; .*pip install onnxruntime-gpu"):
        load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu", providers=name)
    with pytest.raises(DependencyError, match="or set device:=cpu"):
        chosen_providers(Place(GPU, name="net"))


def test_providers_and_device_must_fit(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    assert chosen_providers(Place(GPU)) == [CUDA]
    assert chosen_providers(Place(GPU, provider_names("cuda,cpu"))) == [CUDA, CPU]
    with pytest.raises(DeviceError, match="provider cuda computes on a GPU; set device:=cuda"):
        chosen_providers(Place(HERE, provider_names("cuda")))
    with pytest.raises(DeviceError, match=r"providers cpu do not compute on cuda:0; set device:=cpu"):
        chosen_providers(Place(GPU, provider_names("cpu")))


def test_tensorrt_leaves_the_rest_to_cuda(monkeypatch):
    tensorrt = "TensorrtExecutionProvider"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [tensorrt, CUDA, CPU])
    assert chosen_providers(Place(GPU, provider_names("tensorrt"))) == [tensorrt, CUDA]
    assert chosen_providers(Place(GPU, provider_names("tensorrt,cpu"))) == [tensorrt, CUDA, CPU]


def test_a_provider_that_does_not_start_is_refused():
    refuse_missing([CUDA, CPU], [CUDA, CPU], "net")
    with pytest.raises(DeviceError, match=r"net: onnxruntime has the provider cuda but cannot start it.*run by cpu"):
        refuse_missing([CUDA], [CPU], "net")


@pytest.mark.skipif(CUDA not in BUILT or torch.cuda.is_available(), reason="needs onnxruntime-gpu, and no GPU")
def test_a_build_for_gpus_without_one_is_refused():
    with pytest.raises(DeviceError, match="has the provider cuda but cannot start it"):
        open_session(graph_of(graph(), "net"), Place(GPU, name="net"))


def test_providers_belong_to_onnx_runtime(tmp_path):
    graph(tmp_path / "n.onnx")
    given = {"labels": "camvid11", "device": "cpu", "providers": "cpu"}
    for backend in ("torch", "auto", "onnxruntime"):
        network = load_network(str(tmp_path / "n.onnx"), backend=backend, **given)
        assert network.backend.startswith("onnxruntime")
    pytest.importorskip("openvino")
    with pytest.raises(ModelError, match="providers are ONNX Runtime's, but backend is openvino"):
        load_network(str(tmp_path / "n.onnx"), backend="openvino", **given)


def test_torch_has_no_providers():
    with pytest.raises(ModelError, match="providers are ONNX Runtime's; set backend:=onnxruntime"):
        load_network("embedded", device="cpu", providers="cpu")


def test_the_setting_comes_through(tmp_path):
    parser = argparse.ArgumentParser()
    add_network_arguments(parser)
    assert network_settings(parser.parse_args([])).providers == ""
    graph(tmp_path / "n.onnx")
    words = ["--model", str(tmp_path / "n.onnx"), "--labels", "camvid11", "--device", "cpu", "--providers"]
    assert network_settings(parser.parse_args([*words, "cpu"])).load().backend == "onnxruntime"
    with pytest.raises(ModelSpecError, match="provider 'tpu' is not known"):
        network_settings(parser.parse_args([*words, "cpu,tpu"])).load()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available() or CUDA not in BUILT, reason="needs CUDA and onnxruntime-gpu")
def test_cuda_answers_as_the_cpu_and_stays_on_the_gpu(tmp_path):
    graph(tmp_path / "n.onnx")
    image = np.random.default_rng(3).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    own = load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu").infer(image)
    network = load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cuda", providers="cuda")
    answers = [network.infer(image) for _ in range(20)]
    assert network.backend == "onnxruntime by cuda, cpu"
    for found in answers:
        assert found.logits.device.type == found.features.device.type == "cuda"
        assert found.logits.shape[0] == CLASSES
        assert torch.allclose(found.logits.cpu(), own.logits, atol=0.05)
