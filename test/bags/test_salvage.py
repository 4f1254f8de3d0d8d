"""Bags cut off or damaged at any place: never a crash, never a message that was not written, nothing whole is lost."""

import bz2
import io
import shutil
import sqlite3
import struct
from collections import Counter
from pathlib import Path

import lz4.frame
import pytest
from backports import zstd
from bag_samples import STORAGES, STORE, TEXT, drive, plain, storage_file, write, write_mcap, write_ros1
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.bags.reader import BagReader

MESSAGES = drive(150, 30_000, step_ns=100_000_000)
TEXTS = [(topic, time_ns, data[4:4_000].hex()) for topic, time_ns, data in MESSAGES]


def read(path):
    """All messages and what is said of damage; None where nothing can be read."""
    try:
        reader = BagReader.open(path)
    except SourceError as error:
        if str(path) in str(error) and "expected" in str(error):
            return None
        raise
    with reader:
        found = plain(reader.messages())
        return found, reader.damage, {name: topic.messages for name, topic in reader.topics.items()}


def mcap_chunks(data):
    """(end of the record, its messages, bytes of its data) of the chunks of an MCAP file; by the library mcap."""
    from mcap.records import Chunk, Message
    from mcap.stream_reader import StreamReader, breakup_chunk

    stream, found = io.BytesIO(data), []
    for record in StreamReader(stream, emit_chunks=True).records:
        if isinstance(record, Chunk):
            count = sum(isinstance(inner, Message) for inner in breakup_chunk(record))
            found.append((stream.tell(), count, len(record.data)))
    return found


def ros1_chunks(data):
    """(end of the record, its messages) of the chunks of a whole ROS 1 bag."""
    found, at = [], len(b"#ROSBAG V2.0\n")

    def fields(head):
        out, i = {}, 0
        while i < len(head):
            (size,) = struct.unpack_from("<I", head, i)
            name, _, value = head[i + 4 : i + 4 + size].partition(b"=")
            out[name], i = value, i + 4 + size
        return out

    def record(buffer, at):
        (size,) = struct.unpack_from("<I", buffer, at)
        head = fields(buffer[at + 4 : at + 4 + size])
        (length,) = struct.unpack_from("<I", buffer, at + 4 + size)
        start = at + 8 + size
        return head, buffer[start : start + length], start + length

    while at < len(data):
        head, content, at = record(data, at)
        if head[b"op"] == b"\x05":
            unpack = {b"none": bytes, b"bz2": bz2.decompress, b"lz4": lz4.frame.decompress}[head[b"compression"]]
            inner, count, i = unpack(content), 0, 0
            while i < len(inner):
                inner_head, _, i = record(inner, i)
                count += inner_head[b"op"] == b"\x02"
            found.append((at, count))
    return found


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Makes an intact bag once, gives its bytes."""
    cache = {}

    def make(name, maker):
        if name not in cache:
            folder = tmp_path_factory.mktemp("intact")
            cache[name] = (folder, maker(folder))
        return cache[name][1]

    return make


def cut_places(size):
    """Anywhere, with an eye on the end, where indexes and footers are."""
    return st.integers(0, size - 1) | st.integers(max(size - 4000, 0), size - 1)


# -- cut off


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"chunk_size": 50_000}, {"compression": "none"}, {"compression": "lz4"}, {"use_chunking": False}]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_cut_mcap_file_keeps_every_message_before_the_cut(intact, tmp_path_factory, options, data):
    compressions = pytest.importorskip("mcap.writer", reason="needs the library mcap").CompressionType
    chosen = dict(options)
    if "compression" in chosen:
        chosen["compression"] = compressions[chosen["compression"].upper()]
    whole = intact(str(options), lambda folder: write_mcap(folder / "a.mcap", MESSAGES, **chosen).read_bytes())
    cut = data.draw(cut_places(len(whole)))
    path = tmp_path_factory.mktemp("cut") / "a.mcap"
    path.write_bytes(whole[:cut])
    result = read(path)
    if "use_chunking" in options:
        places = intact("places", lambda _: [whole.index(data) + len(data) for _, _, data in MESSAGES])
        complete = sum(place <= cut for place in places)
    else:
        complete = sum(
            chunk[1] for chunk in intact(f"chunks {options}", lambda _: mcap_chunks(whole)) if chunk[0] <= cut
        )
    if result is None:
        assert complete == 0
        return
    found, damage, counts = result
    assert found == MESSAGES[: len(found)]
    assert len(found) >= complete
    assert sum(counts.values()) == len(found)
    assert "a.mcap: it" in damage
    assert f"{len(found)} messages" in damage


@pytest.mark.slow
@pytest.mark.parametrize("compression", [None, *Writer1.CompressionFormat])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_cut_ros1_bag_keeps_every_message_before_the_cut(intact, tmp_path_factory, compression, data):
    def make(folder):
        expected = write_ros1(folder / "a.bag", TEXTS, compression, chunk_bytes=350_000)
        return expected, (folder / "a.bag").read_bytes()

    expected, whole = intact(f"ros1 {compression}", make)
    cut = data.draw(cut_places(len(whole)))
    path = tmp_path_factory.mktemp("cut") / "a.bag"
    path.write_bytes(whole[:cut])
    result = read(path)
    ends = intact(f"ros1 chunks {compression}", lambda _: ros1_chunks(whole))
    complete = sum(count for end, count in ends if end <= cut)
    if result is None:
        assert complete == 0
        return
    found, damage, counts = result
    assert found == expected[: len(found)]
    assert len(found) >= complete
    assert sum(counts.values()) == len(found)
    assert f"{len(found)} messages" in damage


def test_an_unindexed_ros1_bag_is_read_whole(tmp_path):
    expected = write_ros1(tmp_path / "a.bag", TEXTS)
    data = bytearray((tmp_path / "a.bag").read_bytes())
    index_at = struct.unpack_from("<Q", data, data.index(b"index_pos=") + 10)[0]
    at = data.index(b"index_pos=") + 10
    data[at : at + 8] = bytes(8)
    (tmp_path / "a.bag.active").write_bytes(data[:index_at])
    found, damage, counts = read(tmp_path / "a.bag.active")
    assert found == expected
    assert counts == {"/cam": 75, "/chatter": 75}
    assert damage == (
        "a.bag.active: its data are complete, but it has no index: its recorder did not finish: "
        "150 messages, its first 7.4 s, can be read"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("plugin", "mode"), STORAGES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_cut_storage_file_of_a_folder_gives_what_is_before_the_cut(intact, tmp_path_factory, plugin, mode, data):
    folder = intact(f"{plugin} {mode}", lambda folder: write(folder / "bag", MESSAGES, plugin, mode))
    copy = tmp_path_factory.mktemp("cut") / "bag"
    shutil.copytree(folder, copy)
    file = storage_file(copy)
    whole = file.read_bytes()
    cut = data.draw(cut_places(len(whole)))
    file.write_bytes(whole[:cut])
    result = read(copy)
    if result is not None:
        found, damage, counts = result
        assert found == MESSAGES[: len(found)]
        assert sum(counts.values()) == len(found)
        assert damage
        # SQLite places a row's data before the page that lists it: a page, or its parent, may miss the cut by little.
        if mode != CompressionMode.FILE:
            assert len(found) >= 150 * cut // len(whole) - (40 if plugin == StoragePlugin.SQLITE3 else 1)
    else:
        assert cut < len(whole) // 3


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_page_costs_an_sqlite_file_the_rows_on_it(intact, tmp_path_factory, data):
    folder = intact("sqlite", lambda folder: write(folder / "bag", MESSAGES, StoragePlugin.SQLITE3))
    copy = tmp_path_factory.mktemp("page") / "bag"
    shutil.copytree(folder, copy)
    file = storage_file(copy)
    whole = bytearray(file.read_bytes())
    page = data.draw(st.integers(20, len(whole) // 4096 - 1))
    # A page of one value is none of SQLite's: neither a page of rows, nor one that goes on at another page.
    whole[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    file.write_bytes(whole)
    found, damage, _ = read(copy)
    lost = len(MESSAGES) - len(found)
    changed = Counter(found) - Counter(MESSAGES)
    assert sum(changed.values()) <= 1, "SQLite has no checksums: one row may hold the page of others' bytes"
    assert lost <= 30
    assert [m[1] for m in found] == sorted(m[1] for m in found)
    assert bool(damage) == bool(lost)


# -- wrong bytes


@pytest.mark.slow
@pytest.mark.parametrize("indexed", [True, False])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_chunk_with_a_wrong_checksum_is_left_out_and_named(intact, tmp_path_factory, indexed, data):
    whole = intact("crc", lambda folder: write_mcap(folder / "a.mcap", MESSAGES, chunk_size=200_000).read_bytes())
    chunks = intact("crc chunks", lambda _: mcap_chunks(whole))
    which = data.draw(st.integers(1, len(chunks) - 1))
    end, lost, size = chunks[which]
    place = data.draw(st.integers(end - size, end - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("crc") / "a.mcap"
    path.write_bytes(damaged if indexed else damaged[: len(damaged) - 8])
    found, damage, counts = read(path)
    before = sum(chunk[1] for chunk in chunks[:which])
    assert found == MESSAGES[:before] + MESSAGES[before + lost :]
    assert "the chunk at byte" in damage
    assert "is left out" in damage
    assert sum(counts.values()) == len(MESSAGES) - (0 if indexed else lost)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "mcap", "mcap zstd", "ros1", "ros1 bz2"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_wrong_bytes_anywhere_never_crash_and_never_break_the_order(intact, tmp_path_factory, kind, data):
    def make(folder):
        if kind.startswith("ros1"):
            texts = [(topic, time_ns, text[:300]) for topic, time_ns, text in TEXTS]
            write_ros1(folder / "a.bag", texts, Writer1.CompressionFormat.BZ2 if "bz2" in kind else None)
            return folder / "a.bag"
        mode = CompressionMode.STORAGE if "zstd" in kind else CompressionMode.NONE
        plugin = StoragePlugin.SQLITE3 if kind == "sqlite" else StoragePlugin.MCAP
        return storage_file(write(folder / "bag", drive(150, 300), plugin, mode))

    source: Path = intact(f"wrong {kind}", make)
    whole = bytearray(source.read_bytes())
    places = st.integers(0, len(whole) - 1) | st.integers(0, min(5000, len(whole) - 1)) | cut_places(len(whole))
    for place in data.draw(st.lists(places, min_size=1, max_size=20)):
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("wrong") / source.name
    path.write_bytes(whole)
    result = read(path)
    if result is not None:
        times = [m[1] for m in result[0]]
        assert times == sorted(times)


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"\x89MCAP0\r\n", b"SQLite format 3\0", b"#ROSBAG V2.0\n"])
def test_a_file_with_nothing_in_it_is_refused_with_a_way_out(tmp_path, content):
    (tmp_path / "a.mcap").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mcap cannot be read as a bag: .*; expected .*copy it again"):
        BagReader.open(tmp_path / "a.mcap")


def test_a_tail_of_zeros_is_where_the_file_ends(tmp_path):
    whole = write_mcap(tmp_path / "a.mcap", MESSAGES, chunk_size=100_000).read_bytes()
    chunks = mcap_chunks(whole)
    end = chunks[5][0]
    (tmp_path / "a.mcap").write_bytes(whole[:end] + bytes(100_000))
    found, damage, _ = read(tmp_path / "a.mcap")
    assert len(found) == sum(chunk[1] for chunk in chunks[:6])
    assert "a.mcap: it is damaged after" in damage


def test_a_message_whose_compression_is_damaged_is_left_out(tmp_path):
    packed = bytearray(zstd.compress(MESSAGES[0][2]))
    packed[10:20] = b"\xff" * 10
    bag = write(tmp_path / "bag", [("/cam", 1, bytes(packed)[:40]), ("/cam", 2, MESSAGES[1][2])])
    found, damage, _ = read(bag)
    assert found == [("/cam", 2, MESSAGES[1][2])]
    assert "the message of /cam at 0.000 s is left out" in damage


# -- recorders that were killed


def test_messages_in_the_write_ahead_log_are_read(tmp_path):
    bag = write(tmp_path / "bag", MESSAGES[:50], StoragePlugin.SQLITE3)
    recorder = sqlite3.connect(storage_file(bag))
    recorder.execute("PRAGMA journal_mode = WAL")
    recorder.executemany(
        "INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)",
        [(1 if topic == "/cam" else 2, time_ns, data) for topic, time_ns, data in MESSAGES[50:80]],
    )
    recorder.commit()
    killed = tmp_path / "killed"
    shutil.copytree(bag, killed)
    recorder.close()
    assert any(path.name.endswith("-wal") for path in killed.iterdir())
    (killed / "metadata.yaml").unlink()
    found, damage, _ = read(killed)
    assert found == MESSAGES[:80]
    assert damage == "metadata.yaml is missing, so its storage files are read as they are"


@pytest.mark.parametrize("loss", ["missing", "empty", "cut", "garbage"])
def test_a_split_bag_without_its_last_file_gives_the_others(tmp_path, loss):
    folder = write(tmp_path / "drive", MESSAGES[:50])
    storage_file(folder).rename(folder / "drive_0.mcap")
    last = storage_file(write(tmp_path / "last", MESSAGES[50:]))
    shutil.copy(last, folder / "drive_1.mcap")
    stated = (folder / "metadata.yaml").read_text().replace("drive.mcap", "drive_0.mcap")
    listed = stated.replace("  - drive_0.mcap", "  - drive_0.mcap\n  - drive_1.mcap")
    assert listed != stated
    (folder / "metadata.yaml").write_text(listed)
    data = last.read_bytes()
    if loss == "missing":
        (folder / "drive_1.mcap").unlink()
    else:
        (folder / "drive_1.mcap").write_bytes(
            {"empty": b"", "cut": data[: len(data) // 2], "garbage": b"x" * 500}[loss]
        )
    found, damage, _ = read(folder)
    assert found == MESSAGES[: len(found)]
    assert len(found) >= (70 if loss == "cut" else 50)
    assert "drive_1.mcap" in damage


def test_a_damaged_bag_can_be_read_in_windows(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, chunk_size=100_000)
    path.write_bytes(path.read_bytes()[:2_000_000])
    with BagReader.open(path) as reader:
        whole = plain(reader.messages())
        start, stop = whole[20][1], whole[31][1]
        assert plain(reader.messages(["/cam"], start, stop)) == [
            m for m in whole if m[0] == "/cam" and start <= m[1] < stop
        ]
        assert reader.end_ns == whole[-1][1] + 1
        topic = reader.topics["/chatter"]
    assert topic.definition == STORE.generate_msgdef(TEXT, ros_version=2)[0]
    assert topic.digest == STORE.hash_rihs01(TEXT)
