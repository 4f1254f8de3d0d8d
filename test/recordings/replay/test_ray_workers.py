"""A replay on a Ray cluster: the same bytes as from one process, and every failure in one line."""

import pickle
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from fault_bags import images, write_bag
from fleet_bench import SMOOTHED, assert_same, listed, make_fleet, marker, replay  # noqa: F401
from fleet_networks import PickyError

from trust_seg_ros.cli import main
from trust_seg_ros.recordings.replay import ray_cluster
from trust_seg_ros.recordings.replay.errors import NoRoomError, ReplayError
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.ray_workers import NotSharedError, RayWorkers, check_shared, failed
from trust_seg_ros.recordings.replay.run import run_jobs

pytestmark = pytest.mark.cluster

ray = pytest.importorskip("ray", reason="needs the library ray")

GOOD = {"day1/drive": "drive", "day2/drive": "day2_drive", "day2/stills": "stills"}


@pytest.fixture(scope="module")
def cluster(marker):  # noqa: F811
    """One Ray for all tests: who is connected already stays connected."""
    connected, own = ray_cluster.connect("local")
    assert own
    yield connected
    connected.shutdown()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, marker):  # noqa: F811
    """The pattern, and the output of one process."""
    folder = tmp_path_factory.mktemp("fleet")
    pattern = make_fleet(folder)
    assert replay(pattern, folder / "alone", "--workers", 1) == 1
    return pattern, folder / "alone"


@pytest.fixture
def job(tmp_path):
    """A prepared job of four chunks, and a token in its folder."""
    bag = write_bag(tmp_path / "drive", images(8))
    made = make_job(SourceSpec(bag), {}, tmp_path / "out", ReplayOptions(chunk_frames=2))
    made.prepare()
    (made.work / "run_0").touch()
    return made


def one_line(capsys):
    """What was said of an error."""
    said = capsys.readouterr().err
    assert said.startswith("trust-seg replay: ")
    assert said.count("\n") == 1
    return said


def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_nobody_at_the_address_is_said_at_once(tmp_path, capsys, form):
    address = form.format(closed_port())
    bag = write_bag(tmp_path / "drive", images(2))
    assert main(["replay", str(bag), "--out", str(tmp_path / "out"), "--ray", address]) == 2
    said = one_line(capsys)
    assert f"no Ray cluster at {address!r} (Connection refused)" in said
    assert "ray start --head" in said


def test_whoever_answers_but_is_no_ray_is_given_up(monkeypatch):
    monkeypatch.setattr(ray_cluster, "JOIN_S", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ray_cluster.ClusterError, match=f"no Ray cluster at '{address}'"):
            ray_cluster.connect(address)


def test_auto_means_the_address_of_the_environment_where_it_is_set(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port()}")
    with pytest.raises(ray_cluster.ClusterError, match="Connection refused"):
        ray_cluster.connect("auto")


@pytest.mark.parametrize("address", ["", "head", "head:", ":1", "head:x", "head:70000", "ray://", "http://head:1"])
def test_addresses_of_no_known_form_are_refused(address):
    with pytest.raises(ray_cluster.ClusterError, match="expected local, auto"):
        ray_cluster.connect(address)


def test_a_missing_ray_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ray_cluster.ClusterError, match=r'pip install "ray>=2\.9"'):
        ray_cluster.connect("local")


def test_a_fleet_with_a_worker_that_dies_is_the_same_as_from_one_process(cluster, fleet, tmp_path, marker):  # noqa: F811
    marker.unlink()
    assert replay(fleet[0], tmp_path, "--ray", "local") == 1
    assert marker.exists()
    rows = listed(tmp_path)
    assert rows.pop("day2/broken")["state"].startswith("left out: ")
    assert {name: row["state"] for name, row in rows.items()} == dict.fromkeys(GOOD, "complete")
    (retried,) = [row["retried"] for row in rows.values() if row["retried"]]
    assert "a worker ended in the middle of its chunk" in retried
    for name in GOOD.values():
        assert_same(tmp_path / name, fleet[1] / name)
    assert cluster.is_initialized()


def test_thresholds_that_look_back_do_so_on_a_cluster(cluster, fleet, tmp_path):
    good = [fleet[0].replace("day*/*", name) for name in ("day1/drive", "day2/stills")]
    assert replay(good, tmp_path / "alone", *SMOOTHED, "--workers", 1) == 0
    assert replay(good, tmp_path / "ray", *SMOOTHED, "--ray", "auto") == 0
    for name in ("drive", "stills"):
        assert_same(tmp_path / "alone" / name, tmp_path / "ray" / name)


def test_errors_of_workers_are_one_line(cluster, tmp_path, capsys):
    bag = write_bag(tmp_path / "drive", images(2))
    words = ["replay", str(bag), "--out", str(tmp_path / "out"), "--ray", "local", "-p", "device:=cpu", "-p"]
    assert main([*words, "model:=fleet_networks:picky"]) == 2
    assert "value is 3; expected less" in one_line(capsys)
    assert main([*words, "model:=fleet_networks:nothing"]) == 2
    assert "fleet_networks has no 'nothing'" in one_line(capsys)


def test_a_run_that_is_stopped_leaves_nothing_in_work_and_is_gone_on_with(cluster, fleet, job, marker):  # noqa: F811
    (job.work / "run_0").unlink()
    pipeline = replace(job.options.pipeline, model="fleet_networks:mortal", device="cpu", threads=1)
    job = replace(job, options=replace(job.options, pipeline=pipeline))
    job.prepare(force=True)
    workers = RayWorkers("local", job.options)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_jobs([job], workers, on_chunk=stop)
    finally:
        workers.close()
    done = [chunk.index for chunk in job.chunks if job.is_done(chunk.index)]
    assert 1 <= len(done) < len(job.chunks)
    assert list(job.work.glob("run_*")) == []
    workers = RayWorkers("local", job.options)
    try:
        (outcome,) = run_jobs([job], workers)
    finally:
        workers.close()
    assert outcome.resumed >= len(done)
    assert outcome.finished.frames == 8


def stop(_):
    raise KeyboardInterrupt


def test_what_a_task_takes(cluster):
    assert ray_cluster.needs(cluster, "auto", 1) == {"CPU": 1.0}
    all_cores = ray_cluster.needs(cluster, "cpu", 0)
    assert ray_cluster.capacity(cluster, all_cores) == 1
    assert ray_cluster.capacity(cluster, {"CPU": 1.0}) == all_cores["CPU"]
    assert ray_cluster.needs(cluster, "cpu", 10_000) == all_cores
    assert ray_cluster.capacity(cluster, {"CPU": 1.0, "GPU": 1.0}) == 0
    with pytest.raises(ray_cluster.ClusterError, match="the cluster has no GPU"):
        ray_cluster.needs(cluster, "cuda", 1)
    with pytest.raises(ray_cluster.ClusterError, match="Ray chooses the GPU"):
        ray_cluster.needs(cluster, "cuda:1", 1)


def test_a_machine_that_shares_everything_takes_part(job):
    check_shared(job, "run_0")
    (job.work / "run_0").unlink()
    with pytest.raises(NotSharedError, match="has another folder of the name"):
        check_shared(job, "run_0")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"out": Path("/not/there")}, "does not see the output folder /not/there"),
        ({"source": SourceSpec(Path("/not/here"))}, "does not see the recording /not/here"),
        ({"input_id": "0"}, "has another recording of the name"),
    ],
)
def test_a_machine_that_does_not_share_is_told_from_one_that_does(job, change, text):
    with pytest.raises(NotSharedError, match=text):
        check_shared(replace(job, **change), "run_0")
    assert not Path("/not").exists()


def test_another_version_or_another_model_is_no_part_of_the_run(job, tmp_path):
    recorded = (job.work / "job.json").read_text()
    (job.work / "job.json").write_text(recorded.replace('"version": "', '"version": "9.'))
    with pytest.raises(NotSharedError, match="one version everywhere"):
        check_shared(job, "run_0")
    model = tmp_path / "meta.json"
    model.write_text("{}")
    with_model = replace(
        job, options=replace(job.options, pipeline=replace(job.options.pipeline, meta_model=str(model)))
    )
    with_model.prepare(force=True)
    (job.work / "run_0").touch()
    model.write_text("{ }")
    with pytest.raises(NotSharedError, match="has other model files"):
        check_shared(with_model, "run_0")
    model.unlink()
    with pytest.raises(NotSharedError, match=r"does not see .*meta\.json"):
        check_shared(with_model, "run_0")


@pytest.mark.parametrize(
    "error", [NoRoomError("no room"), ReplayError("a", "b"), ValueError("bad", 3), OSError(28, "x")]
)
def test_errors_travel_as_they_are(error):
    answer = pickle.loads(pickle.dumps(failed(error)))
    assert type(answer.error) is type(error)
    assert answer.error.args == error.args
    assert bool(answer.trace) == (not isinstance(error, ReplayError))


def test_errors_that_cannot_travel_are_told_in_their_words():
    assert str(failed(PickyError(3, "less")).error) == "value is 3; expected less"

    class Local(Exception):
        pass

    answer = failed(Local("here"))
    assert type(answer.error) is RuntimeError
    assert str(answer.error) == "Local: here"
    assert "Local" in answer.trace
