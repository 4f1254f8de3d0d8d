"""Image files that are whole are read as they are, others are refused."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from trust_seg_ros.datasets.folders import DatasetError
from trust_seg_ros.datasets.image_files import read_image, read_values

RNG = np.random.default_rng(3)
IMAGE = RNG.integers(0, 255, (24, 32, 3), np.uint8)
VALUES = RNG.integers(0, 11, (24, 32), np.uint8)


def encoded(suffix, pixels):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def grey_png(depth, row, kind=0, extra=b""):
    """A PNG of one row of packed bytes, written by hand: OpenCV writes no 1, 2 or 4 bits, and no palette."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 8 * len(row) // depth, 1, depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_images_are_read_as_rgb(tmp_path, suffix):
    path = tmp_path / f"bild ä{suffix}"
    path.write_bytes(encoded(suffix, IMAGE[..., ::-1]))
    np.testing.assert_array_equal(read_image(path), IMAGE)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.97])
def test_a_cut_off_image_is_refused(tmp_path, suffix, share):
    whole, path = encoded(suffix, IMAGE), tmp_path / f"a{suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DatasetError, match=rf"a\{suffix}: not a readable image \("):
        read_image(path)


def test_a_jpeg_cut_off_behind_its_thumbnail_is_refused(tmp_path):
    small, whole = encoded(".jpg", IMAGE[:8, :8]), encoded(".jpg", IMAGE)
    note = b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    path = tmp_path / "a.jpg"
    path.write_bytes(whole[:2] + note + whole[2:])
    assert read_image(path).shape == IMAGE.shape
    path.write_bytes(whole[:2] + note + whole[2 : len(whole) * 3 // 4])
    with pytest.raises(DatasetError, match="of JPEG are damaged or cut short"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "the file is empty"), (b"no image", "damaged, cut off, or something else")]
)
def test_what_is_no_image_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"a\.png: not a readable image \(.*{reason}"):
        read_image(path)
    with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
        read_values(path)


@pytest.mark.parametrize("read", [read_image, read_values])
def test_a_missing_file_and_a_folder_are_named(tmp_path, read):
    with pytest.raises(DatasetError, match=r"b\.png: not a readable .*\(no such file\)"):
        read(tmp_path / "b.png")
    with pytest.raises(DatasetError, match=r"not a readable .*\(Is a directory\)"):
        read(tmp_path)


def test_a_jpeg_cut_in_half_that_ends_with_an_end_marker_is_refused(tmp_path):
    whole = encoded(".jpg", IMAGE)
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) * 2 // 3] + b"\xff\xd9")
    with pytest.raises(DatasetError, match=r"a\.jpg: not a readable image \(.*premature end of data"):
        read_image(tmp_path / "a.jpg")


def test_images_of_12_bits_in_16_are_not_black_and_that_is_said(tmp_path, caplog):
    wide = IMAGE.astype(np.uint16) << 4
    wide[0, 0] = 4095
    (tmp_path / "a.png").write_bytes(encoded(".png", wide[..., ::-1]))
    with caplog.at_level("WARNING"):
        found = [read_image(tmp_path / "a.png") for _ in range(2)]
    np.testing.assert_array_equal(found[0][1:], IMAGE[1:])
    assert [r.message for r in caplog.records] == [
        f"16-bit images of {tmp_path}: 12 of 16 bits are in use (found in its values; the node's image_bits fixes it)"
    ]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_label_values_are_read_as_stored(tmp_path, kind):
    values = VALUES.astype(kind)
    values[0, 0] = np.iinfo(kind).max
    (tmp_path / "a.png").write_bytes(encoded(".png", values))
    found = read_values(tmp_path / "a.png")
    assert found.dtype == kind
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_cut_off_labels_are_refused(tmp_path, share):
    whole = encoded(".png", VALUES)
    (tmp_path / "a.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
        read_values(tmp_path / "a.png")


def test_labels_with_a_flipped_bit_are_refused(tmp_path):
    data = bytearray(encoded(".png", VALUES))
    data[len(data) // 2] ^= 4
    (tmp_path / "a.png").write_bytes(bytes(data))
    with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
        read_values(tmp_path / "a.png")


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_labels_of_few_bits_are_refused_as_opencv_stretches_them(tmp_path, depth):
    (tmp_path / "a.png").write_bytes(grey_png(depth, b"\x1b\x1b"))
    with pytest.raises(DatasetError, match=rf"labels are of the kind {depth}-bit grey PNG; expected .* 8 or 16 bits"):
        read_values(tmp_path / "a.png")


def test_labels_of_eight_bits_written_by_hand_are_fine(tmp_path):
    (tmp_path / "a.png").write_bytes(grey_png(8, b"\x00\x01\x0a"))
    assert read_values(tmp_path / "a.png").tolist() == [[0, 1, 10]]


def test_labels_with_colours_are_refused(tmp_path):
    for pixels, kind in ((IMAGE, "colour"), (np.dstack([IMAGE, VALUES]), "colour and alpha")):
        (tmp_path / "a.png").write_bytes(encoded(".png", pixels))
        with pytest.raises(DatasetError, match=rf"a\.png: labels are of the kind 8-bit {kind} PNG; .*take the file of"):
            read_values(tmp_path / "a.png")


def palette_png(values, colours, path, **options):
    image = Image.fromarray(values, "P")
    image.putpalette(colours)
    image.save(path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_indices_of_a_palette_are_read_not_its_colours(tmp_path, bits):
    values = RNG.integers(0, min(2**bits, 21), (24, 33), np.uint8)
    colours = [int(level) for level in RNG.integers(0, 256, 3 * 2**bits)]
    data = palette_png(values, colours, tmp_path / "a.png", bits=bits)
    assert tuple(data[24:26]) == (bits, 3)
    found = read_values(tmp_path / "a.png")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


def test_a_palette_with_a_transparent_or_repeated_colour_keeps_its_indices(tmp_path):
    values = np.array([[0, 1, 2, 255]], np.uint8)
    palette_png(values, [7, 7, 7] * 256, tmp_path / "a.png", transparency=0)
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), values)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_cut_off_labels_with_a_palette_are_refused(tmp_path, share):
    whole = palette_png(RNG.integers(0, 21, (60, 80), np.uint8), list(range(63)), tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
        read_values(tmp_path / "a.png")


def test_labels_with_a_palette_and_a_flipped_bit_are_refused(tmp_path):
    whole = palette_png(RNG.integers(0, 21, (60, 80), np.uint8), list(range(63)), tmp_path / "a.png")
    begin = whole.index(b"IDAT") + 4
    for place in RNG.integers(begin, len(whole) - 20, 20).tolist():
        data = bytearray(whole)
        data[place] ^= 4
        (tmp_path / "a.png").write_bytes(bytes(data))
        with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
            read_values(tmp_path / "a.png")


def test_labels_in_a_lossy_file_are_refused_whatever_its_name(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(".jpg", VALUES))
    with pytest.raises(
        DatasetError, match=r"a\.png: not a readable label image \(a JPEG, which changes ids; expected a PNG file"
    ):
        read_values(tmp_path / "a.png")


def test_labels_with_a_palette_and_one_flipped_bit_are_refused(tmp_path):
    """Pillow does not compare the checksums of pixels."""
    colours = bytes(range(6))
    plte = struct.pack(">I", len(colours)) + b"PLTE" + colours + struct.pack(">I", zlib.crc32(b"PLTE" + colours))
    whole = grey_png(8, b"\0\1" * 20, kind=3, extra=plte)
    (tmp_path / "a.png").write_bytes(whole)
    assert read_values(tmp_path / "a.png").tolist() == [[0, 1] * 20]
    for at in range(whole.index(b"IDAT"), len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        (tmp_path / "a.png").write_bytes(bytes(damaged))
        with pytest.raises(DatasetError, match=r"a\.png: not a readable label image"):
            read_values(tmp_path / "a.png")
