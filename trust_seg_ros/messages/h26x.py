"""What H.264 and H.265 packets say about themselves, without decoding: key frames, and whether packets are missing.

Only as much is parsed as that takes (ITU-T H.264, 7.3.2.1 and 7.3.3; H.265, 7.3.1.2). A decoder hides a missing H.264
packet: it fills in and shows smeared pictures without an error. The frame numbers in the stream tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = re.compile(b"\x00\x00\x01")
_HEAD = 512
"""Bytes of a unit that are looked at; parameter sets and the beginnings of slices are shorter."""
_SLICE, _IDR, _SPS = 1, 5, 7
_I_SLICES = (2, 7)
_WITH_CHROMA = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles whose parameter set tells the format of colours."""


class _Bits:
    """Reads bits of a unit, whose emulation prevention bytes are removed first."""

    def __init__(self, unit: bytes) -> None:
        data = unit[:_HEAD].replace(b"\x00\x00\x03", b"\x00\x00")
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def bits(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the unit ends inside its fields")
        return (self._value >> self._left) & ((1 << count) - 1)

    def number(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("no number")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        code = self.number()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def units(data: bytes) -> list[bytes]:
    """The units of a packet in Annex B form, without their start codes; none if it has another form."""
    starts = [match.end() for match in _START.finditer(data)]
    if not starts or data[: starts[0] - 3].strip(b"\x00"):
        return []
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True) if end > start]


def has_key_frame_h265(data: bytes) -> bool:
    """Whether decoding can begin at this packet: it holds a picture of a random access point (types 16 to 21)."""
    return any(16 <= (unit[0] >> 1) & 0x3F <= 21 for unit in units(data))


@dataclass(frozen=True)
class _Parameters:
    """What a sequence parameter set says about frame numbers."""

    number_bits: int
    colour_planes: bool
    gaps_allowed: bool


class H264Stream:
    """Follows the frame numbers of an H.264 stream."""

    def __init__(self) -> None:
        self._parameters: _Parameters | None = None
        self._last: int | None = None

    def packet(self, data: bytes) -> tuple[bool, str]:
        """Look at the next packet.

        Returns:
            Whether decoding can begin at it; and which frames before it are missing, in words, or "".
        """
        key, missing, seen = False, "", False
        for unit in units(data):
            kind = unit[0] & 0x1F
            try:
                if kind == _SPS:
                    self._parameters = _parameters(_Bits(unit[1:]))
                elif kind in (_SLICE, _IDR) and not seen:  # the slices of a picture agree
                    seen = True
                    key, missing = self._picture(unit, kind == _IDR)
            except ValueError:
                continue  # the decoder says what is wrong with it
        return key, missing

    def _picture(self, unit: bytes, idr: bool) -> tuple[bool, str]:
        known = self._parameters
        if known is None:
            return idr, ""
        fields = _Bits(unit[1:])
        fields.number()
        slice_type = fields.number()
        fields.number()
        if known.colour_planes:
            fields.bits(2)
        number = fields.bits(known.number_bits)
        last = self._last
        expected = number if last is None else (last + 1) % (1 << known.number_bits)
        if unit[0] >> 5 & 3:  # others refer to this picture, and count on from it
            self._last = number
        gap = not idr and number not in (last, expected) and not known.gaps_allowed
        return idr or slice_type in _I_SLICES, f"frame number {number} follows {last}" if gap else ""


def _parameters(fields: _Bits) -> _Parameters:
    profile = fields.bits(8)
    fields.bits(16)
    fields.number()
    planes = False
    if profile in _WITH_CHROMA:
        full = fields.number() == 3
        planes = full and bool(fields.bits(1))
        fields.number()
        fields.number()
        fields.bits(1)
        if fields.bits(1):
            _skip_scaling(fields, 12 if full else 8)
    number_bits = 4 + fields.number()
    order = fields.number()
    if order == 0:
        fields.number()
    elif order == 1:
        fields.bits(1)
        fields.signed()
        fields.signed()
        for _ in range(min(fields.number(), 255)):
            fields.signed()
    fields.number()
    return _Parameters(number_bits, planes, bool(fields.bits(1)))


def _skip_scaling(fields: _Bits, lists: int) -> None:
    for index in range(lists):
        if not fields.bits(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + fields.signed()) % 256
            last = following or last
