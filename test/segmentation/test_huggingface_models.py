import json
import shutil
from dataclasses import replace

import hf_architectures
import pytest
import torch
from image_processor_cases import theirs

from trust_seg_ros.segmentation import (
    DependencyError,
    InputSpec,
    ModelFileError,
    ModelOutputError,
    ModelSpecError,
    load_labels,
    load_network,
)
from trust_seg_ros.segmentation.huggingface import load_pretrained
from trust_seg_ros.segmentation.image_processors import input_spec_of
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.scenes import scene_image
from trust_seg_ros.segmentation.tails import answer_of

transformers = pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")


def segformer(labels, **options):
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 4],
        decoder_hidden_size=16,
        id2label=dict(enumerate(labels)),
        **options,
    )
    return transformers.SegformerForSemanticSegmentation(config).eval()


PROCESSOR = {
    "do_resize": True,
    "size": {"height": 64, "width": 128},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.25, 0.3],
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hf") / "segformer"
    segformer(load_labels("camvid11").names).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to damage."""
    return shutil.copytree(saved, tmp_path / "model")


def load(folder, **settings):
    return load_network(str(folder), device="cpu", **settings)


@torch.no_grad()
def test_logits_equal_the_models_own(saved, image):
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(saved).eval()
    network = load(saved)
    maps = network.infer(image)
    pixels = preprocess(image, network.input_spec, torch.device("cpu"))
    assert torch.allclose(maps.logits, model(pixel_values=pixels).logits[0], atol=1e-6)
    assert maps.logits.shape == (11, 16, 32)
    assert maps.size == (64, 96)


def test_features_are_the_input_of_the_decoders_classifier(saved, image):
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(saved)
    maps = load(saved).infer(image)
    assert torch.equal(maps.classifier.weight, model.decode_head.classifier.weight)
    again = torch.nn.functional.conv2d(maps.features[None], maps.classifier.weight, maps.classifier.bias)
    assert torch.allclose(again[0], maps.logits, atol=1e-5)


def test_settings_come_from_the_folder(saved):
    network = load(saved)
    spec = network.input_spec
    assert (spec.size, spec.mean, spec.std, spec.order) == ((64, 128), (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "rgb")
    assert network.labels == load_labels("camvid11")


def test_callers_settings_overrule_the_folders(saved, image):
    network = load(saved, input_size=(0, 0), order="bgr")
    assert network.infer(image).logits.shape == (11, 16, 24)
    assert network.input_spec.order == "bgr"


def test_own_classes_keep_their_names(tmp_path):
    segformer(["x", "y", "y"]).save_pretrained(tmp_path / "m")
    labels = load(tmp_path / "m").labels
    assert labels.names == ("x", "y 1", "y 2")


def test_labels_from_outside_must_fit(saved):
    with pytest.raises(ModelOutputError, match="11 classes apart but labels 'cityscapes19' name 19"):
        load(saved, labels="cityscapes19")


def test_folder_without_configuration(tmp_path):
    with pytest.raises(ModelFileError, match=r"no config\.json"):
        load(tmp_path)


def test_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match=r"pickled ones, which are refused.*save_pretrained"):
        load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"broken", b"[]"])
def test_corrupt_files(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelFileError, match="model"):
        load(folder)


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_truncated_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="not a usable"):
        load(folder)


def test_weights_of_another_shape(folder):
    edit(folder / "config.json", decoder_hidden_size=24)
    with pytest.raises(ModelFileError, match="model"):
        load(folder)


def test_names_of_another_number_than_the_weights(folder):
    names = load_labels("camvid11").names[:5]
    edit(folder / "config.json", id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})
    with pytest.raises(ModelFileError, match=r"names 5 classes but the weights are for 11 \(decode_head\.classifier"):
        load(folder)


def test_settings_inside_a_processor_file(folder):
    """It comes first, as in transformers; and older files nest as well."""
    inner = {**PROCESSOR, "image_mean": [0.1, 0.2, 0.3]}
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": inner, "processor_class": "P"}))
    assert load(folder).input_spec.mean == (0.1, 0.2, 0.3)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "P"}))
    assert load(folder).input_spec.mean == (0.4, 0.5, 0.6)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor": inner}))
    assert load(folder).input_spec.mean == (0.1, 0.2, 0.3)


def test_a_missing_processor_file_is_told(folder):
    (folder / "preprocessor_config.json").unlink()
    network = load(folder)
    assert network.input_spec == InputSpec(stride=32)
    assert (
        "no preprocessor_config.json: images are prepared as usual for segformer, size as the image"
        in network.remarks[0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", hf_architectures.NAMES)
@torch.no_grad()
def test_architectures_see_what_their_processor_gives(tmp_path, name):
    """Ten kinds of models from folders as they are published, small and random: logits as by their own processor."""
    pytest.importorskip("PIL", reason="the image processors need Pillow")
    model, case = hf_architectures.make(name)
    model.save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "preprocessor_config.json").write_text(json.dumps({**case.settings, "do_center_crop": False}))
    image = scene_image(case.same)
    pixels = theirs(replace(case, settings={**case.settings, "do_center_crop": False}), image)
    wanted = model(pixel_values=torch.from_numpy(pixels)[None]).logits[0]
    maps = load(tmp_path / "m").infer(image)
    same = maps.logits.shape == wanted.shape  # else taken before the model's own upsampling
    grown = maps.logits if same else answer_of(maps, (wanted.shape[1], wanted.shape[2]))
    assert torch.allclose(grown, wanted, atol=1e-4 * max(1.0, float(wanted.abs().max())))


def test_models_of_masks_with_damaged_weights(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mask2former"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelFileError, match="not a usable semantic segmentation model"):
        load(tmp_path)


def test_backbone_without_a_head_is_not_filled_with_noise(tmp_path):
    model = segformer(["a", "b"])
    model.segformer.save_pretrained(tmp_path / "m")
    with pytest.raises(ModelFileError, match="do not fill the network"):
        load(tmp_path / "m")


def test_other_kinds_of_models(tmp_path):
    config = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    transformers.BertModel(config).save_pretrained(tmp_path / "m")
    with pytest.raises(ModelFileError, match="not a usable semantic segmentation model"):
        load(tmp_path / "m")


def test_code_in_the_folder_is_not_run(folder):
    mark = folder / "ran"
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")
    auto = {"AutoConfig": "own.Config", "AutoModelForSemanticSegmentation": "own.Net"}
    edit(folder / "config.json", auto_map=auto, model_type="own")
    with pytest.raises(ModelFileError, match="model"):
        load(folder)
    assert not mark.exists()


def test_nothing_is_fetched_at_start(tmp_path, monkeypatch):
    with pytest.raises(ModelFileError, match=r"nothing is fetched at start; run once: hf download trust-seg/none"):
        load_network("hf:trust-seg/none", device="cpu")


@pytest.mark.parametrize("spec", ["hf:", "hf:a b", "hf:a/b/c", "hf:../x/y"])
def test_malformed_repository_names(spec):
    with pytest.raises((ModelSpecError, ModelFileError), match="hf:"):
        load_network(spec, device="cpu")


def test_missing_package_names_the_extra(monkeypatch, saved):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(DependencyError, match=r'pip install "transformers>=4\.40,<6".*\[networks\]'):
        load_pretrained(str(saved))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {"size": None, "mean": (0.485, 0.456, 0.406), "scale": 1 / 255}),
        ({"size": {"shortest_edge": 512}}, {"size": None}),
        ({"size": 512}, {"size": (512, 512)}),
        ({"size": [256, 512]}, {"size": (256, 512)}),
        ({"size": {"height": 8, "width": 9}, "do_resize": False}, {"size": None}),
        ({"do_normalize": False}, {"mean": (0, 0, 0), "std": (1, 1, 1)}),
        ({"do_rescale": False, "do_normalize": False}, {"scale": 1.0}),
        ({"image_mean": 0.5, "image_std": [0.5, 0.5, 0.5]}, {"mean": (0.5,) * 3, "std": (0.5,) * 3}),
        ({"do_flip_channel_order": True, "image_mean": [1, 2, 3]}, {"order": "bgr", "mean": (3, 2, 1)}),
    ],
)
def test_processor_settings_are_understood(settings, wanted):
    spec = input_spec_of(settings, "m")
    assert {name: getattr(spec, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "settings", [{"image_mean": [1, 2]}, {"image_std": "x"}, {"size": {"height": 0, "width": 5}}, {"image_std": 0}]
)
def test_malformed_processor_settings(settings):
    with pytest.raises(ModelFileError, match=r"malformed preprocessor_config\.json"):
        input_spec_of(settings, "m")
