"""The two outputs of a mask network, in every form and from every kind of file; what is refused, and what is not."""

import warnings

import mask_modules
import numpy as np
import pytest
import torch
from mask_modules import CLASSES, FORMS, QUERIES, TinyMasks

from trust_seg_ros.segmentation import InputSpec, LabelSet, ModelError, ModelFileError, ModelOutputError, load_network
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.loader_row import from_module
from trust_seg_ros.segmentation.masks.network import MaskNetwork
from trust_seg_ros.segmentation.masks.queries import MaskAnswer, MaskAnswerError, read_masks, things_only
from trust_seg_ros.segmentation.network import ModuleNetwork
from trust_seg_ros.segmentation.plausibility import implausible
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.trainable import load_trainable

CPU = torch.device("cpu")
LABELS = load_network("embedded").labels
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
THERE = [name for name, row in RUNTIMES.items() if row.there]


def build(module, labels=LABELS, **spec):
    return from_module(module, "net", labels, InputSpec(**{"stride": 4, **spec}), CPU, False)


@pytest.fixture(scope="module")
def wanted():
    return build(TinyMasks()).infer(IMAGE)


def check(maps, wanted):
    assert (maps.linear, maps.raw, maps.features, maps.classifier) == (True, False, None, None)
    assert torch.allclose(maps.logits, wanted.logits, atol=1e-5)
    assert torch.allclose(maps.queries.probabilities, wanted.queries.probabilities, atol=1e-5)
    assert torch.allclose(maps.queries.masks, wanted.queries.masks, atol=1e-5)


def test_the_answer_by_hand(wanted):
    """One pixel of one class, in float64, by the formula of the paper."""
    net = TinyMasks()
    from trust_seg_ros.segmentation.preprocess import preprocess

    with torch.no_grad():
        answer = net(preprocess(IMAGE, InputSpec(), CPU))
    total = 0.0
    for q in range(QUERIES):
        logits = answer["class_queries_logits"][0, q].double()
        mask = float(answer["masks_queries_logits"][0, q, 3, 5].double())
        total += float(logits[2].exp() / logits.exp().sum()) / (1 + np.exp(-mask))
    assert abs(total - float(wanted.logits[2, 3, 5])) <= 1e-6
    assert wanted.logits.shape == (CLASSES, 16, 24)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_answer(form, wanted):
    network = build(TinyMasks(form))
    assert isinstance(network, MaskNetwork)
    assert not network.raw
    check(network.infer(IMAGE), wanted)


@pytest.mark.parametrize("form", ["hugging face", "detectron2", "tuple", "tuple, masks first"])
@pytest.mark.parametrize("free", [False, True])
def test_exported_programs(tmp_path, form, free, wanted):
    sides = ({2: 4 * torch.export.Dim("h", min=2, max=99), 3: 4 * torch.export.Dim("w", min=2, max=99)},)
    example = torch.zeros(1, 3, 64, 96)
    program = torch.export.export(TinyMasks(form).eval(), (example,), dynamic_shapes=sides if free else None)
    torch.export.save(program, tmp_path / "n.pt2")
    network = load_network(str(tmp_path / "n.pt2"), labels="camvid11", device="cpu")
    check(network.infer(IMAGE), wanted)
    check(network.infer_batch([IMAGE, IMAGE])[1], wanted)


def test_torchscript(tmp_path, wanted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(TinyMasks("tuple").eval(), torch.zeros(1, 3, 64, 96)).save(str(tmp_path / "n.ts"))
    check(load_network(str(tmp_path / "n.ts"), labels="camvid11", device="cpu").infer(IMAGE), wanted)


@pytest.mark.parametrize(
    "names", [("class_queries_logits", "masks_queries_logits"), ("pred_logits", "pred_masks"), ("logits", "pred_masks"),
              ("a", "b")],
)  # fmt: skip
@pytest.mark.parametrize("backend", [*THERE, "auto"])
def test_graphs(tmp_path, names, backend, wanted):
    pytest.importorskip("onnx")
    mask_modules.graph(tmp_path / "n.onnx", names)
    network = load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu", backend=backend)
    check(network.infer(IMAGE), wanted)
    assert isinstance(network, MaskNetwork)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"masks_only": True, "names": ("c", "pred_masks")}, "with masks, pred_masks, without the classes"),
     ({"more": True}, r"several of its outputs may be classes and masks of queries, c with m; other with m"),
     ({"masks_only": True}, "tells 5 classes apart")],
)  # fmt: skip
def test_graphs_that_are_refused(tmp_path, options, said):
    pytest.importorskip("onnx")
    mask_modules.graph(tmp_path / "n.onnx", **options)
    with pytest.raises(ModelError, match=said):
        load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu")


def test_graphs_with_names_among_more_outputs(tmp_path, wanted):
    pytest.importorskip("onnx")
    mask_modules.graph(tmp_path / "n.onnx", ("class_queries_logits", "masks_queries_logits"), more=True)
    check(load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu").infer(IMAGE), wanted)


class Answers(torch.nn.Module):
    """Whatever ``make(image number, classes, masks)`` makes of an answer."""

    def __init__(self, make, **options):
        super().__init__()
        self.net, self.make, self.count = TinyMasks(**options), make, 0

    def forward(self, pixels):
        answer = self.net(pixels)
        self.count += 1
        return self.make(self.count, answer["class_queries_logits"], answer["masks_queries_logits"])


def named(classes, masks):
    return {"class_queries_logits": classes, "masks_queries_logits": masks}


REFUSED = {
    "a sigmoid for each class": (
        lambda n, c, m: named(c[..., 1:], m),
        r'masks of 11 classes, and labels .camvid11. name as many: none is left for "no object"',
    ),
    "other labels": (lambda n, c, m: named(c[..., :7], m), r'masks of 6 classes and "no object".*name 11'),
    "masks without classes": (
        lambda n, c, m: {"pred_masks": m},
        r"without the classes of their queries.*'pred_logits'",
    ),
    "classes without masks": (lambda n, c, m: {"pred_logits": c}, "the network returned dict with keys pred_logits"),
    "queries that differ": (lambda n, c, m: named(c[:, :3], m), r"classes \(1, 3, 12\).*and masks \(1, 5, 16, 16\)"),
    "flat masks": (lambda n, c, m: named(c, m.flatten(2)), "expected .1, Q, K.1. and .1, Q, h, w."),
    "no queries": (lambda n, c, m: named(c[:, :0], m[:, :0]), "expected .1, Q, K.1."),
    "whole numbers": (lambda n, c, m: named(c.long(), m), "floating point"),
    "two answers": (lambda n, c, m: named(c + n, m * n), "gives two answers to one image"),
    "a softmax": (lambda n, c, m: named(c.softmax(-1), m), "return what the softmax is applied to"),
    "a sigmoid": (lambda n, c, m: named(c, m.sigmoid()), "return what the sigmoid is applied to"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_answers(case):
    make, said = REFUSED[case]
    with pytest.raises(ModelOutputError, match=said):
        build(Answers(make))


def test_one_query_and_masks_larger_than_the_image():
    maps = build(Answers(lambda n, c, m: named(c, m.repeat_interleave(8, 2)), queries=1)).infer(IMAGE)
    assert maps.logits.shape == (CLASSES, 128, 24)
    assert maps.size == (64, 96)
    assert maps.queries.masks.shape == (1, 128, 24)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("where", ["a query", "a pixel"])
def test_numbers_that_are_not_finite_reach_the_maps(value, where):
    """They are told by the maps, as those of other networks: a query spoils every pixel, a mask those it is not a
    number at; infinite mask logits are masks of one."""

    def make(n, c, m):
        c, m = c.clone(), m.clone()
        (c[:, 2, 3] if where == "a query" else m[:, 2, 1:3, 1:3]).fill_(value)
        return named(c, m)

    network = build(Answers(make))
    bad = ~network.infer(IMAGE).logits.isfinite().all(0)
    wanted = {"a query": bad.numel(), "a pixel": 4 if np.isnan(value) else 0}[where]
    assert int(bad.sum()) == wanted
    assert any("not finite" in text for text in implausible(network)) == bool(wanted)


def test_no_object_anywhere_is_remarked():
    nothing = build(Answers(lambda n, c, m: named(c + 50 * torch.nn.functional.one_hot(torch.tensor(11), 12), m)))
    assert float(nothing.infer(IMAGE).logits.max()) < 1e-6
    assert any('"no object" nearly everywhere' in text for text in implausible(nothing))


def test_plausible_networks_are_not_remarked():
    assert implausible(build(TinyMasks())) == ()


def test_certainty_is_that_of_shares_of_the_sums():
    sure = build(
        Answers(lambda n, c, m: named(c * 0 + 60 * torch.eye(12)[:QUERIES], (m - m.amax(1, keepdim=True)) * 1e5))
    )
    assert any("certain of everything" in text for text in implausible(sure))


def test_layers_and_dropout():
    module = TinyMasks()
    module.dropout.p = 0.5
    network = build(module)
    network.watch_layer("stem")
    assert network.infer(IMAGE).layer.features.shape == (8, 16, 24)
    one, two = network.infer_dropout(IMAGE, (1, 2))
    assert not torch.equal(one.logits, two.logits)
    assert torch.equal(network.infer_dropout(IMAGE, (2,))[0].logits, two.logits)
    assert network.last_dropout is None


def test_a_network_for_pixels_says_what_it_got():
    with pytest.raises(MaskAnswerError, match=r"masks \(1, 5, 16, 16\) and the classes of each"):
        ModuleNetwork(TinyMasks().eval(), name="n", labels=LABELS, device=CPU, input_spec=InputSpec(stride=4))


def test_factories(tmp_path, monkeypatch, wanted):
    (tmp_path / "mask_factory.py").write_text(
        "from mask_modules import TinyMasks\ndef make():\n    net = TinyMasks('detectron2')\n"
        "    net.labels, net.stride = 'camvid11', 4\n    return net\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    network = load_network("mask_factory:make", device="cpu")
    check(network.infer(IMAGE), wanted)
    assert network.sha256
    with pytest.raises(ModelOutputError, match=r"cannot be trained here: the network answers with masks"):
        load_trainable(NetworkSettings("mask_factory:make"), CPU)


def test_other_answers_are_not_taken_for_masks():
    logits, features = torch.zeros(1, 11, 4, 4), torch.zeros(1, 8, 4, 4)
    for answer in (logits, (logits,), (logits, features), {"logits": logits}, {"out": logits, "features": features}):
        assert read_masks(answer) is None
    assert read_masks((torch.zeros(1, 5, 12), torch.zeros(1, 6, 4, 4))) is None
    assert isinstance(read_masks([torch.zeros(1, 6, 12), torch.zeros(1, 6, 4, 4)]), MaskAnswer)


@pytest.mark.parametrize(
    ("names", "remarked"),
    [(("person", "car"), True), (("traffic light", "Car", "bus"), True), (("person", "road"), False),
     (("a", "b"), False), (("person", "grass-merged"), False)],
)  # fmt: skip
def test_names_of_things_alone(names, remarked):
    assert bool(things_only(LabelSet("n", names))) == remarked


def test_damaged_squares_in_a_graph(tmp_path):
    onnx = pytest.importorskip("onnx")
    mask_modules.graph(tmp_path / "n.onnx")
    model = onnx.load(str(tmp_path / "n.onnx"))
    entry = model.metadata_props.add()
    entry.key, entry.value = "trust_seg.input", '{"squares": {"side": 64}}'
    onnx.save(model, str(tmp_path / "n.onnx"))
    with pytest.raises(ModelFileError, match=r"trust_seg\.input cannot be read"):
        load_network(str(tmp_path / "n.onnx"), labels="camvid11", device="cpu")
