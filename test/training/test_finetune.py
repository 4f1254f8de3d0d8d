"""Real, tiny fine-tuning runs of a small compact network on images made here."""

import csv
import os
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from trust_seg_ros.cli import main
from trust_seg_ros.datasets.errors import LabelsContradictError
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, save_compact
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.finetune import FineTuner
from trust_seg_ros.training.finetune_settings import FineTuneSettings
from trust_seg_ros.training.mixing import MixSettings
from trust_seg_ros.training.team import Team
from trust_seg_ros.uncertainty import uncertainty_maps

CPU = torch.device("cpu")
SMALL = CompactConfig(stem=16, quarter=16, eighth=32, sixteenth=32, eighth_blocks=1, dilations=(1, 2), decoder=16)
GREY, SKY = (90, 90, 90), (200, 160, 120)


def picture(rng, unknown):
    labels = np.full((64, 64), 3, np.uint8)
    labels[: int(rng.integers(20, 40))] = 0
    image = np.where(labels[..., None] == 0, SKY, GREY).astype(np.uint8)
    truth = np.zeros_like(labels)
    if unknown:
        y, x = rng.integers(0, 40, 2)
        truth[y : y + 20, x : x + 20] = 1
        image[truth == 1] = (0, 250, 0)
    return image + rng.integers(0, 6, image.shape).astype(np.uint8), labels, truth


def write(folder, images, unknown, seed):
    rng = np.random.default_rng(seed)
    for i in range(images):
        image, labels, truth = picture(rng, unknown)
        for kind, values in (("images", image[..., ::-1]), ("labels", truth if unknown else labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / kind / f"d_{i:02d}.png"), values)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for seed, split in enumerate(("train", "val")):
        write(root / "known" / split, 14 if split == "train" else 3, False, seed)
    write(root / "ood", 6, True, 2)
    write(root / "judge", 4, True, 3)
    torch.manual_seed(0)
    net = CompactNet(SMALL)
    learn(net, root / "known" / "train")
    save_compact(net.eval(), root / "small.safetensors")
    return root


def learn(net, folder):
    """Sky and road, well enough to be sure of them."""
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    images = [cv2.imread(str(p))[..., ::-1].copy() for p in sorted((folder / "images").iterdir())]
    labels = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted((folder / "labels").iterdir())]
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1)
    y = torch.from_numpy(np.stack(labels))[:, ::4, ::4].long()
    for _ in range(25):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x)[0], y).backward()
        optimiser.step()


@pytest.fixture
def settings(data, tmp_path):
    return FineTuneSettings(
        (str(data / "known"),),
        (str(data / "ood"),),
        tmp_path / "run",
        network=NetworkSettings(str(data / "small.safetensors"), device="cpu", input_size=(64, 64)),
        mix=MixSettings(batch=4, crop=(64, 64), ratio=0.5),
        learning_rate=2e-3,
        epochs=3,
        judge_ood=(str(data / "judge"),),
        threads=1,
    )


def tuner(settings):
    return FineTuner(settings, Team(0, 1, CPU), lambda text: None)


def log(folder):
    with (folder / "log.csv").open() as file:
        return [{k: float(v) if v else None for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_entropy_rises_where_unknown_and_the_weights_serve_the_pipeline(settings, data):
    before, after = tuner(replace(settings, epochs=6)).run()
    name = settings.judge_ood[0]
    assert after[f"AuPRC {name}"] > before[f"AuPRC {name}"] + 0.1
    assert after[f"AuPRC {name}"] > 0.9
    assert after[f"FPR95 {name}"] < before[f"FPR95 {name}"] - 0.5
    assert after["mIoU val"] > 0.9
    image, _, truth = picture(np.random.default_rng(9), True)
    options = {"device": "cpu", "input_size": (64, 64)}
    entropies = [
        uncertainty_maps(load_network(str(path), **options).infer(image)).entropy.numpy()
        for path in (data / "small.safetensors", settings.out / "weights.safetensors")
    ]
    inside = cv2.erode(truth, np.ones((9, 9))) == 1
    assert entropies[1][inside].mean() > entropies[0][inside].mean() + 0.1
    assert entropies[1][inside].mean() > 0.8
    rows = log(settings.out)
    assert [row["step"] for row in rows] == list(range(1, 31))
    assert [row["epoch"] for row in rows] == [1 + i // 5 for i in range(30)]
    for row in rows:
        pixels = row["in_pixels"] + row["ood_pixels"]
        parts = 0.1 * (row["in_distribution"] or 0) * row["in_pixels"] + 0.9 * (row["ood"] or 0) * row["ood_pixels"]
        assert row["loss"] == pytest.approx(parts / pixels, rel=1e-3, abs=2e-6)


def test_running_statistics_stay_and_every_parameter_learns(settings):
    t = tuner(replace(settings, epochs=1, judge=(), judge_ood=()))
    before = {k: v.clone() for k, v in t.network.module.state_dict().items()}
    t.run()
    moved = {k for k, v in t.network.module.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {name for name, _ in t.network.module.named_parameters()}
    assert not t.network.module.training


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(settings):
    quick = replace(settings, judge=(), judge_ood=(), checkpoint_every=4)
    tuner(replace(quick, out=settings.out / "whole")).run()

    class Stop(Exception):
        pass

    def stop(step, loss):
        if step == 6:
            raise Stop

    with pytest.raises(Stop):
        tuner(quick).run(stop)
    steps = []
    again = tuner(quick)
    assert again.state.step == 5  # the end of the first epoch
    again.run(lambda step, loss: steps.append(step))
    assert steps == list(range(6, 16))
    whole, resumed = log(settings.out / "whole"), log(settings.out)
    assert [r["loss"] for r in resumed] == [r["loss"] for r in whole]
    assert [r["step"] for r in resumed] == list(range(1, 16))
    files = [f / "weights.safetensors" for f in (settings.out / "whole", settings.out)]
    a, b = (load_network(str(f), device="cpu").infer(np.zeros((64, 64, 3), np.uint8)).logits for f in files)
    assert torch.equal(a, b)


def test_other_settings_are_no_continuation(settings):
    quick = replace(settings, epochs=1, judge=(), judge_ood=())
    tuner(quick).run()
    with pytest.raises(TrainingError, match=r"ood_weight was 0\.9, is 0\.5; choose another --out"):
        tuner(replace(quick, ood_weight=0.5))
    assert tuner(replace(quick, epochs=2, learning_rate=1e-4)).state.step == 5


def test_a_run_is_continued_with_the_same_label_map_only(settings, tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("map: {0: Sky, 3: Road}")
    quick = replace(settings, epochs=1, judge=(), judge_ood=(), label_map=str(path))
    tuner(quick).run()
    assert tuner(quick).state.step == 5
    path.write_text("map: {0: Sky, 3: ignore}")
    with pytest.raises(TrainingError, match=r"label_map\.3 was 'Road', is 'ignore'; choose another --out"):
        tuner(quick)
    path.write_text("map: {3: Sky, 0: Road}")
    with pytest.raises(LabelsContradictError, match=r"the classes that map\.yaml gives: check it"):
        tuner(quick)
    with pytest.raises(TrainingError, match=r"label_map\.0 was 'Sky', is 'Road'"):
        tuner(replace(quick, accept_labels=True))


def test_a_checkpoint_of_another_architecture_is_refused(settings, tmp_path):
    quick = replace(settings, epochs=1, judge=(), judge_ood=())
    tuner(quick).run()
    other = tmp_path / "other.safetensors"
    save_compact(CompactNet(replace(SMALL, decoder=32)), other)
    network = replace(settings.network, model=str(other))
    with pytest.raises(TrainingError, match="of another architecture than the network"):
        tuner(replace(quick, network=network))
    assert tuner(quick).state.step == 5


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(settings):
    wild = replace(settings, judge=(), judge_ood=())
    t = tuner(wild)

    def poison(step, loss):
        if step == 7:
            with torch.no_grad():
                t.network.module.classifier.bias.fill_(float("nan"))

    with pytest.raises(TrainingError, match=r"loss became nan in step 8.*checkpoint of step 5.*Lower --learning-rate"):
        t.run(poison)
    again = tuner(wild)
    assert again.state.step == 5
    assert all(torch.isfinite(p).all() for p in again.network.module.parameters())
    assert [row["step"] for row in log(settings.out)] == list(range(1, 8))


def test_an_endless_gradient_stops_before_it_reaches_the_weights(settings):
    t = tuner(replace(settings, judge=(), judge_ood=()))
    t.network.module.classifier.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = [p.clone() for p in t.network.module.parameters()]
    with pytest.raises(TrainingError, match="length of the gradient became"):
        t.run()
    assert all(torch.equal(a, b) for a, b in zip(before, t.network.module.parameters(), strict=True))


def test_a_batch_that_cannot_be_shared(settings):
    with pytest.raises(TrainingError, match="--batch 4 cannot be shared evenly by 3 processes"):
        FineTuner(settings, Team(0, 3, CPU), lambda text: None)


def test_synthetic_judges_that_share_kinds_or_seeds_are_told(settings):
    told = []
    sets = ("synthetic:seeds=0-5:kinds=cow,box:size=64x64", "synthetic:seeds=5-9:kinds=box,sofa:size=64x64")
    FineTuner(replace(settings, ood=sets[:1], judge_ood=sets[1:]), Team(0, 1, CPU), told.append)
    assert any("too good: box" in text for text in told)
    assert any("judges seeds" in text for text in told)


def words(data, out, *more):
    return [
        "finetune", "--in-distribution", str(data / "known"), "--ood", str(data / "ood"), "--out", str(out),
        "--model", str(data / "small.safetensors"), "--input-size", "64x64", "--crop", "64", "--batch", "4",
        "--ratio", "0.5", "--learning-rate", "1e-3", "--epochs", "2", "--threads", "1", "--device", "cpu", *more,
    ]  # fmt: skip


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(data, tmp_path):
    # torchrun, gloo: ranks draw their part of the same batch and the loss is that of all valid pixels of both
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert main(words(data, alone, "--judge-ood", str(data / "judge"))) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, "-m", "trust_seg_ros.cli", *words(data, shared, "--judge-ood", str(data / "judge"))],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("before and after entropy maximisation") == 1
    one, two = log(alone), log(shared)
    assert len(one) == len(two) == 10
    for a, b in zip(one, two, strict=True):
        assert (a["in_pixels"], a["ood_pixels"]) == (b["in_pixels"], b["ood_pixels"])
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4, abs=2e-6)
    assert one[0]["loss"] != pytest.approx(one[-1]["loss"], rel=0.05)


def test_the_command_tells_before_and_after(data, tmp_path, capsys):
    assert main(words(data, tmp_path / "run", "--judge-ood", str(data / "judge"), "--epochs", "1")) == 0
    out = capsys.readouterr().out
    for text in ("14 labelled images, 7 of 6 OoD images", "mIoU val", "AuPRC", "FPR95", "--model"):
        assert text in out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--ood", "nowhere"), "nowhere: no such folder"),
        (("--in-distribution", "nowhere"), "nowhere: no such folder"),
        (("--lambda", "1.5"), "--lambda is 1.5; expected a number from 0 to 1"),
        (("--learning-rate", "nan"), "--learning-rate is nan"),
        (("--crop", "1", "2", "3"), "--crop 1 2 3: expected one side"),
        (("--model", "net.pt2"), "--model net.pt2: no such file"),
        (("--judge", "test"), "no split 'test'"),
    ],
)
def test_mistakes_are_one_line(data, tmp_path, capsys, change, told):
    assert main(words(data, tmp_path / "run", *change)) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
