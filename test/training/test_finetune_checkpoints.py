import json

import pytest
import torch
from torch import nn

from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.training.checkpoints import CHECKPOINT, State, load_checkpoint, save_checkpoint
from trust_seg_ros.training.errors import TrainingError


def network(width=4, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.Conv2d(width, 2, 1))
    return net.to(memory_format=torch.channels_last), torch.optim.Adam(net.parameters(), 1e-2)


def step(net, optimiser):
    optimiser.zero_grad()
    net(torch.linspace(-1, 1, 2 * 3 * 64).view(2, 3, 8, 8)).square().mean().backward()
    optimiser.step()


def test_a_restored_run_takes_the_very_steps_of_one_that_went_on(tmp_path):
    net, optimiser = network()
    for _ in range(3):
        step(net, optimiser)
    save_checkpoint(tmp_path, State(3, {"seed": 1}, {"mIoU val": 0.5}), net, optimiser)
    again, its = network(seed=1)
    assert load_checkpoint(tmp_path, again, its) == State(3, {"seed": 1}, {"mIoU val": 0.5})
    for _ in range(2):
        step(net, optimiser)
        step(again, its)
    for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_nothing_is_pickled_and_older_files_go(tmp_path):
    net, optimiser = network()
    step(net, optimiser)
    (tmp_path / "weights.safetensors").write_bytes(b"of the user")
    for number in (1, 2):
        save_checkpoint(tmp_path, State(number), net, optimiser)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        CHECKPOINT,
        "optimiser-0000002.safetensors",
        "weights-0000002.safetensors",
        "weights.safetensors",
    ]


def test_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path, *network()) is None


def test_another_architecture_is_named_and_nothing_is_changed(tmp_path):
    save_checkpoint(tmp_path, State(1), *network())
    wide, optimiser = network(width=5)
    before = [p.clone() for p in wide.parameters()]
    with pytest.raises(TrainingError, match=r"another architecture.*0\.bias is \(4,\), the network's \(5,\)"):
        load_checkpoint(tmp_path, wide, optimiser)
    assert all(torch.equal(a, b) for a, b in zip(before, wide.parameters(), strict=True))
    other = nn.Sequential(nn.Conv2d(3, 2, 1))
    with pytest.raises(TrainingError, match=r"it has 1\.bias, 1\.num_batches_tracked, 1\.running_mean …"):
        load_checkpoint(tmp_path, other, torch.optim.Adam(other.parameters()))
    assert (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("part", ["weights", "optimiser", "json", "gone", "moments"])
def test_damaged_checkpoints_are_refused(tmp_path, part):
    net, optimiser = network()
    step(net, optimiser)
    save_checkpoint(tmp_path, State(1), net, optimiser)
    path = tmp_path / CHECKPOINT
    record = json.loads(path.read_text())
    if part == "json":
        path.write_text(path.read_text()[:-20])
    elif part == "gone":
        (tmp_path / record["weights"]).unlink()
    elif part == "moments":
        path.write_text(json.dumps(with_hash({**record, "optimiser": record["weights"]})))
    else:
        file = tmp_path / record[part]
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(
        TrainingError, match=r"checkpoint\.json: (damaged|the optimiser).*choose another --out, or delete"
    ):
        load_checkpoint(tmp_path, net, optimiser)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        save_checkpoint(tmp_path / "file", State(1), *network())
