"""Mask networks of Hugging Face: class maps as by their own processors, and everything else a network must do."""

import importlib
import json
import shutil
from pathlib import Path

import cv2
import mask_networks
import numpy as np
import pytest
import torch
from mask_networks import KINDS, QUERIES, SIDE

from trust_seg_ros.segmentation import (
    InputSpec,
    ModelError,
    ModelFileError,
    ModelOutputError,
    ModelSpecError,
    load_network,
)
from trust_seg_ros.segmentation.masks.network import MaskNetwork
from trust_seg_ros.segmentation.preprocess import black, preprocess
from trust_seg_ros.segmentation.protocol import BatchedNetwork, DropoutNetwork, SegmentationNetwork
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.uncertainty.errors import FeaturesNeededError
from trust_seg_ros.uncertainty.gradient_inputs import read_last_layer

transformers = pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
pytest.importorskip("PIL", reason="the image processors need Pillow")

CPU = torch.device("cpu")
NAMES = ("road", "sky", "car", "tree", "person")
SIZES = ((75, 131), (131, 75), (64, 64), (97, 61), (40, 201))
"""Heights and widths of images, most of them odd."""


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Kind -> (folder, model)."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("masks") / kind
        mask_networks.save(kind, folder, NAMES)
        found[kind] = folder, transformers.AutoModelForUniversalSegmentation.from_pretrained(folder).eval()
    return found


@pytest.fixture(scope="session")
def networks(saved):
    return {kind: load_network(str(folder), device="cpu") for kind, (folder, _) in saved.items()}


@pytest.fixture
def folder(saved, tmp_path):
    """A maker of copies to damage."""
    return lambda kind: shutil.copytree(saved[kind][0], tmp_path / kind)


def processor(kind):
    """The image processor of ``transformers`` that the model's folder describes."""
    name = "eomt" if kind == "eomt_padded" else kind
    module = importlib.import_module(f"transformers.models.{name}.image_processing_pil_{name}")
    settings = mask_networks.settings(kind)
    made = getattr(module, f"{settings['image_processor_type']}Pil")
    return made(**{key: value for key, value in settings.items() if key != "image_processor_type"})


def task(folder):
    """What OneFormer's own processor tells the network to do, as token ids."""
    from transformers.models.oneformer.processing_oneformer import OneFormerProcessor

    stub = OneFormerProcessor.__new__(OneFormerProcessor)
    stub.tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    return stub._preprocess_text(["the task is semantic"], max_length=77)


@torch.no_grad()
def theirs(kind, folder, model, image, size, own):
    """Class map and class sums of ``transformers`` itself, for an image that needs no resizing any more.

    Its processor's pixels must be ``own``, which are then used: their last digits differ.
    """
    made = processor(kind)
    pixels = made(images=[image], return_tensors="pt", **({"task_inputs": ["semantic"]} if kind == "oneformer" else {}))
    values = pixels["pixel_values"]
    values = values if isinstance(values, torch.Tensor) else torch.stack([torch.as_tensor(v) for v in values])
    assert torch.allclose(values, own, atol=2e-6)
    values = own
    answer = mask_networks.forward(model, kind, values, task(folder) if kind == "oneformer" else None)
    if kind == "eomt":
        answer.patch_offsets = pixels["patch_offsets"]
    if kind == "eomt_padded":  # its semantic post-processing forgets the padding; its panoptic one does not
        whole = made.post_process_semantic_segmentation(
            answer, target_sizes=[(SIDE, SIDE)], return_segmentation_scores=True
        )
        sums = made.unpad_image([whole[0].segmentation_scores], [size], made.size)[0]
        return sums.argmax(0), sums
    found = made.post_process_semantic_segmentation(answer, target_sizes=[size], return_segmentation_scores=True)[0]
    return found.segmentation, found.segmentation_scores


def grown(maps):
    return torch.nn.functional.interpolate(maps.logits[None], maps.size, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_class_maps_equal_the_processors_own(kind, size, saved, networks):
    """Pixel by pixel, on the picture as it was resized here, since kinds of interpolation differ."""
    image, network = scene_image(size), networks[kind]
    height, width = network.input_spec.size_for(size)
    resized = image
    if (height, width) != size:
        shrinks = height <= size[0] and width <= size[1]
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    pixels = preprocess(image, network.input_spec, CPU)
    squares = network.input_spec.squares
    pixels = pixels if squares is None else squares.take(pixels, black(network.input_spec))
    classes, sums = theirs(kind, *saved[kind], resized, size, pixels)
    own = grown(network.infer(image))
    assert torch.allclose(own, sums, atol=1e-6, rtol=0)
    assert torch.equal(own.argmax(0), classes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_classes_vary(kind, networks):
    """Else equal class maps would say nothing."""
    classes = [grown(networks[kind].infer(scene_image(size))).argmax(0).unique() for size in SIZES]
    assert len(torch.cat(classes).unique()) > 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_images_get_the_size_that_their_processor_gives_them(kind, size, networks):
    made = processor(kind)
    image = scene_image(size)
    values = made(images=[image], **({"task_inputs": ["semantic"]} if kind == "oneformer" else {}))["pixel_values"]
    height, width = networks[kind].input_spec.size_for(size)
    squares = networks[kind].input_spec.squares
    assert np.shape(values[0])[1:] == ((height, width) if squares is None else (SIDE, SIDE))
    assert len(values) == (1 if squares is None else len(squares.starts((height, width))))


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_the_class_sums_of_its_queries(kind, networks):
    """Against a float64 sum over the queries, one after another."""
    network = networks[kind]
    assert isinstance(network, MaskNetwork)
    assert isinstance(network, (SegmentationNetwork, BatchedNetwork, DropoutNetwork))
    maps = network.infer(scene_image((75, 131)))
    assert (maps.linear, maps.raw, maps.features, maps.classifier) == (True, False, None, None)
    q, (probabilities, masks) = maps.queries, (maps.queries.probabilities.double(), maps.queries.masks.double())
    assert q.masks.shape[1:] == maps.logits.shape[1:]
    assert len(q.masks) == len(q.probabilities) == QUERIES * (2 if kind == "eomt" else 1)
    reference = torch.zeros_like(maps.logits, dtype=torch.float64)
    for p, mask in zip(probabilities, masks, strict=True):
        reference += p[:, None, None] * mask
    squares = network.input_spec.squares
    if q.squares > 1:  # where squares overlap, the average of their class sums
        starts = squares.starts(network.input_spec.size_for((75, 131)))
        assert len(starts) == q.squares
        columns, scale = torch.arange(maps.logits.shape[2]), maps.logits.shape[1] / SIDE
        inside = [(columns >= start * scale) & (columns < start * scale + maps.logits.shape[1]) for start in starts]
        reference /= torch.stack(inside).sum(0)
    assert float((reference - maps.logits).abs().max()) <= 1e-6
    assert 0 <= float(q.masks.min()) <= float(q.masks.max()) <= 1
    assert float(q.probabilities.sum(1).max()) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("kind", "size"),
    [("maskformer", (16, 32)), ("mask2former", (384, 384)), ("oneformer", (16, 28)), ("eomt", (64, 111)),
     ("eomt_padded", (37, 64))],
)  # fmt: skip
def test_masks_are_combined_where_their_processor_does_it(kind, size, networks):
    assert networks[kind].infer(scene_image((75, 131))).logits.shape == (len(NAMES), *size)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_other_sizes(kind, networks):
    network = networks[kind]
    images = [scene_image((75, 131)), scene_image((75, 131), 1), scene_image((131, 75))]
    alone = [network.infer(image) for image in images]
    for together, one in zip(
        network.infer_batch(images[:2]) + network.infer_batch(images), [*alone[:2], *alone], strict=True
    ):
        assert torch.allclose(together.logits, one.logits, atol=1e-4)
        assert torch.allclose(together.queries.masks, one.queries.masks, atol=1e-4)
    network.warm_up((75, 131))
    if not kind.startswith("eomt"):
        assert network.infer_batch(images[:1], input_size=(96, 64))[0].size == (75, 131)


def test_input_sizes_that_squares_allow(saved):
    network = load_network(str(saved["eomt"][0]), device="cpu", input_size=(SIDE, 200))
    assert network.infer(scene_image((75, 131))).logits.shape[1:] == (SIDE, 200)
    assert len(network.infer(scene_image((75, 131))).queries.masks) == 4 * QUERIES
    padded = load_network(str(saved["eomt_padded"][0]), device="cpu", input_size=(40, 50))
    assert padded.infer(scene_image((75, 131))).logits.shape[1:] == (40, 50)


@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [("eomt", (80, 200), "80x200, but the network takes squares of 64: expected a shorter side of 64"),
     ("eomt", (0, 0), "that of the image, but"),
     ("eomt_padded", (64, 65), "expected at most 64x64")],
)  # fmt: skip
def test_input_sizes_that_squares_forbid(kind, size, said, saved):
    with pytest.raises(ModelSpecError, match=said):
        load_network(str(saved[kind][0]), device="cpu", input_size=size)


def test_dropout_where_the_network_has_layers_of_it(networks):
    network, image = networks["oneformer"], scene_image((75, 131))
    assert network.dropout_layers
    assert network.last_dropout is None
    first, second = network.infer_dropout(image, (1, 2))
    again = network.infer_dropout(image, (2, 1))
    assert torch.equal(first.logits, again[1].logits)
    assert torch.equal(second.logits, again[0].logits)
    assert not torch.equal(first.logits, second.logits)
    with pytest.raises(ModelError, match="no dropout layers"):
        networks["maskformer"].infer_dropout(image, (1,))


@pytest.mark.parametrize(
    ("kind", "layer", "shape"),
    [("maskformer", "model.model.pixel_level_module.decoder", (32, 16, 32)),
     ("mask2former", "model.model.pixel_level_module.decoder.mask_projection", (32, 16, 32)),
     ("eomt", "model.upscale_block", (16, 16, 28)),
     ("eomt", "model.layers.0", (16, 4, 7)),
     ("eomt_padded", "model.layers.1", (16, 2, 4))],
)  # fmt: skip
def test_watched_layers(kind, layer, shape, saved):
    network = load_network(str(saved[kind][0]), device="cpu", features_layer=layer)
    maps = network.infer(scene_image((75, 131)))
    assert maps.layer.name == layer
    assert maps.layer.features.shape == shape
    both = network.infer_batch([scene_image((75, 131)), scene_image((75, 131), 1)])
    assert torch.allclose(both[0].layer.features, maps.layer.features, atol=1e-4)
    assert not torch.allclose(both[1].layer.features, maps.layer.features, atol=1e-2)


def test_layers_of_a_wrong_name(saved):
    with pytest.raises(ModelSpecError, match=r"no such layer; did you mean .*model\.upscale_block"):
        load_network(str(saved["eomt"][0]), device="cpu", features_layer="upscale_block")


def test_gradient_scores_are_refused_with_the_reason(networks):
    with pytest.raises(FeaturesNeededError, match="a mask network gives sums of masks"):
        read_last_layer(networks["eomt"].infer(scene_image((75, 131))))


def test_bfloat16(saved):
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        pytest.skip("half precision needs a CPU with AVX512")
    plain = load_network(str(saved["mask2former"][0]), device="cpu").infer(scene_image((75, 131)))
    try:
        network = load_network(str(saved["mask2former"][0]), device="cpu", half=True)
    except ModelError as error:
        pytest.skip(str(error))
    assert float((network.infer(scene_image((75, 131))).logits - plain.logits).abs().mean()) < 0.1


def test_weights_have_the_hash_of_their_folder(saved, networks):
    from trust_seg_ros.segmentation.weights_hash import hash_of_folder

    assert networks["oneformer"].sha256 == hash_of_folder(saved["oneformer"][0])


def test_a_tokenizer_that_is_missing(folder):
    copy = folder("oneformer")
    (copy / "merges.txt").unlink()
    with pytest.raises(
        ModelFileError, match=r"told its task in words.*vocab\.json and merges\.txt, or tokenizer\.json"
    ):
        load_network(str(copy), device="cpu")


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("kind", ["mask2former", "eomt"])
def test_names_of_another_number_than_the_weights(kind, folder):
    copy = folder(kind)
    edit(copy / "config.json", id2label={0: "a", 1: "b", 2: "c"}, label2id={"a": 0, "b": 1, "c": 2})
    with pytest.raises(ModelFileError, match=r"names 3 classes but the weights are for 5 \(c"):
        load_network(str(copy), device="cpu")


def test_labels_from_outside_must_fit(saved):
    with pytest.raises(ModelOutputError, match="5 classes and \"no object\", but labels 'camvid11' name 11"):
        load_network(str(saved["mask2former"][0]), device="cpu", labels="camvid11")


def test_eomt_in_the_middle_of_its_training(tmp_path):
    model = mask_networks.make("eomt", NAMES)
    model.attn_mask_probs.fill_(0.3)
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelFileError, match=r"attn_mask_probs are 0\.3: in the middle of its training"):
        load_network(str(tmp_path), device="cpu")


def test_labels_of_things_alone_are_remarked(tmp_path):
    mask_networks.save("eomt", tmp_path, ("person", "car", "dog"))
    remarks = load_network(str(tmp_path), device="cpu").remarks
    assert any("things only" in remark for remark in remarks)


def test_the_usual_networks_of_masks_have_no_such_remark(networks):
    assert not any("things only" in remark for network in networks.values() for remark in network.remarks)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("mask2former", "as usual for mask2former, size shorter side 800, longer at most 1333"),
     ("eomt", "as usual for eomt, size cut into squares of 64")],
)  # fmt: skip
def test_a_missing_processor_file_is_told(kind, said, folder):
    copy = folder(kind)
    (copy / "preprocessor_config.json").unlink()
    network = load_network(str(copy), device="cpu", input_size=(64, 96) if kind == "mask2former" else None)
    assert said in network.remarks[0]
    assert network.input_spec.size_for((64, 96)) == (64, 96)


@pytest.mark.parametrize(
    ("kind", "settings", "wanted"),
    [
        ("maskformer", {"size": 512, "max_size": 2048, "size_divisibility": 32}, (512, 1024)),  # as first published
        ("mask2former", {"size": {"height": 384, "width": 384}}, (384, 384)),
        ("mask2former", {"size": {"height": 380, "width": 384}, "size_divisor": 32}, (384, 384)),
        ("mask2former", {"size": {"shortest_edge": 800, "longest_edge": 1333}}, (672, 1344)),
        ("oneformer", {"size": {"shortest_edge": 800, "longest_edge": 1333}}, (666, 1333)),
        ("maskformer", {"do_resize": False}, (720, 1440)),
        ("eomt", {"size": {"shortest_edge": 640, "longest_edge": 640}}, (640, 640)),
    ],
)
def test_processor_files(kind, settings, wanted):
    from trust_seg_ros.segmentation.image_processors import input_spec_of

    assert input_spec_of(settings, "m", kind, 640).size_for((720, 1440)) == wanted


@pytest.mark.parametrize(
    "settings",
    [{"size": {"longest_edge": 640}}, {"size": "large"}, {"size": {"shortest_edge": 0}}, {"size": [1, 2, 3]},
     {"size_divisor": "x"}, {"image_mean": [1]}],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["mask2former", "eomt"])
def test_malformed_processor_files(kind, settings, folder):
    from trust_seg_ros.segmentation.image_processors import input_spec_of

    if kind == "eomt" and "size_divisor" in settings:
        assert isinstance(input_spec_of(settings, "m", kind, 640), InputSpec)  # it has no such key
        return
    with pytest.raises(ModelFileError, match=r"malformed preprocessor_config\.json"):
        input_spec_of(settings, "m", kind, 640)


def test_backbones_without_their_heads(tmp_path):
    mask_networks.make("mask2former", NAMES).model.save_pretrained(tmp_path)
    with pytest.raises(ModelFileError, match="do not fill the network"):
        load_network(str(tmp_path), device="cpu")


@pytest.mark.slow
def test_detr_for_segmentation(tmp_path):
    """Of Hugging Face, too; its outputs have other names."""
    from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

    torch.manual_seed(0)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 64], depths=[1] * 4, layer_type="basic", out_features=stages
    )
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: i for i, name in enumerate(NAMES)}}
    sizes = {f"{part}_{what}": n for part in ("encoder", "decoder") for what, n in (("layers", 1), ("ffn_dim", 16))}
    config = transformers.DetrConfig(backbone_config=backbone, d_model=512, num_queries=QUERIES, **sizes, **labels)
    transformers.DetrForSegmentation(config).save_pretrained(tmp_path)
    network = load_network(str(tmp_path), device="cpu", input_size=(64, 111))
    model = transformers.DetrForSegmentation.from_pretrained(tmp_path).eval()
    image = scene_image((64, 111))
    with torch.no_grad():
        answer = model(pixel_values=preprocess(image, network.input_spec, CPU))
    made = DetrImageProcessorPil().post_process_semantic_segmentation(answer, [(64, 111)], True)[0]
    own = grown(network.infer(image))
    assert torch.allclose(own, made.segmentation_scores, atol=1e-6)
    assert torch.equal(own.argmax(0), made.segmentation)


@pytest.mark.slow
def test_a_program_that_answers_with_an_object_of_the_library(tmp_path):
    import subprocess
    import sys

    made = (  # in a process of its own, as an exporter has it
        "import sys, torch\nsys.path.insert(0, sys.argv[2])\nimport mask_networks\n"
        f"net = mask_networks.make('mask2former', {NAMES!r})\n"
        "program = torch.export.export(net, (torch.zeros(1, 3, 64, 96),), strict=False)\n"
        "torch.export.save(program, sys.argv[1])"
    )
    helpers = str(Path(mask_networks.__file__).parent)
    subprocess.run([sys.executable, "-c", made, str(tmp_path / "n.pt2"), helpers], check=True)
    code = (
        "import sys\nfrom trust_seg_ros.segmentation import load_network\nload_network(sys.argv[1], labels='camvid11')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "n.pt2")], capture_output=True, text=True)
    assert "answers with an object of transformers.models.mask2former" in done.stderr
    assert "returns a dict or a tuple" in done.stderr
