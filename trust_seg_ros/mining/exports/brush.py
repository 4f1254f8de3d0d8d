"""Masks as Label Studio's brush writes them: the run lengths of thi.ng/rle-pack over the four bytes of every pixel.

A packed array is a stream of bits, the highest first: the number of words in 32 bits; the size of a word less one in
5; four sizes of lengths, less one, in 4 each; then blocks. A block is one bit (1: one word is repeated, 0: words
follow), two bits that choose a size, the length less one in that size, and the word or words.
"""

from __future__ import annotations

import numpy as np

from trust_seg_ros.library.unknown import Box

_SIZES = (3, 4, 8, 16)
_WORD, _CHANNELS, _ALPHA = 8, 4, 3
_HEAD = 32 + 5 + 4 * 4


def packed(mask: np.ndarray, box: Box, size: tuple[int, int]) -> list[int]:
    """The bytes of a mask, 0..255: every pixel is 255 in red, green, blue and alpha, or 0.

    Args:
        mask: (bottom - top, right - left) bool.
        box: left, top, right, bottom of the mask in the image.
        size: (H, W) of the image.
    """
    height, width = size
    rows, columns = np.nonzero(mask)
    pixels = (rows.astype(np.int64) + box[1]) * width + columns + box[0]
    breaks = np.flatnonzero(np.diff(pixels) != 1)
    starts = pixels[np.concatenate([[0], breaks + 1])] if len(pixels) else pixels
    ends = pixels[np.concatenate([breaks, [len(pixels) - 1]])] + 1 if len(pixels) else pixels
    edges = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    lengths = np.diff(edges) * _CHANNELS
    values = np.arange(len(lengths)) % 2 * 255
    return _stream(lengths[lengths > 0], values[lengths > 0], height * width * _CHANNELS)


def _stream(lengths: np.ndarray, values: np.ndarray, total: int) -> list[int]:
    most = 1 << _SIZES[-1]
    blocks = -(-lengths // most)
    values, whole = np.repeat(values, blocks), np.full(int(blocks.sum()), most)
    whole[np.cumsum(blocks) - 1] = lengths - (blocks - 1) * most
    less = whole - 1
    kind = sum(less >> bits > 0 for bits in _SIZES[:-1])
    sizes = np.array(_SIZES)[kind]
    codes = ((((4 | kind) << sizes) | less) << _WORD) | values
    widths = 3 + sizes + _WORD
    places = np.arange(int(widths.max(initial=0)) - 1, -1, -1)
    bits = (codes[:, None] >> places & 1).astype(np.uint8)[places < widths[:, None]]
    head = total
    for value, width in ((_WORD - 1, 5), *((bits_of - 1, 4) for bits_of in _SIZES)):
        head = head << width | value
    first = np.array([int(bit) for bit in f"{head:0{_HEAD}b}"], np.uint8)
    found: list[int] = np.packbits(np.concatenate([first, bits])).tolist()
    return found


def unpacked(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """The mask (H, W) bool of packed bytes: pixels whose alpha is above 0.

    Args:
        data: as Label Studio exports it.
        size: (H, W) of the image.

    Raises:
        ValueError: it is cut, or of another size.
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    text = "".join(map(str, bits.tolist()))
    if len(text) < _HEAD:
        raise ValueError(f"{len(data)} bytes of a mask; expected more")
    total, word = int(text[:32], 2), int(text[32:37], 2) + 1
    sizes = [int(text[37 + 4 * k : 41 + 4 * k], 2) + 1 for k in range(4)]
    if total != size[0] * size[1] * _CHANNELS or word != _WORD:
        raise ValueError(
            f"a mask of {total} words of {word} bits; expected {size[0] * size[1] * _CHANNELS} of {_WORD} for "
            f"{size[1]}×{size[0]} pixels"
        )
    found, at, done = np.zeros(total, np.uint8), _HEAD, 0
    while done < total:
        width = sizes[int(text[at + 1 : at + 3] or "0", 2)]
        begin = at + 3 + width
        count = int(text[at + 3 : begin] or "0", 2) + 1
        at = begin + (_WORD if text[at : at + 1] == "1" else _WORD * count)
        if at > len(text) or done + count > total:
            raise ValueError(f"a mask that ends after {done} of {total} words")
        words = np.packbits(bits[begin:at])
        found[done : done + count] = words
        done += count
    return np.asarray(found[_ALPHA::_CHANNELS].reshape(size) > 0)
