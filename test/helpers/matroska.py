"""Matroska files of JPEG images at any times, as cameras with a varying frame rate write them."""

import struct

import cv2
import numpy as np

EBML, DOCTYPE = 0x1A45DFA3, 0x4282
SEGMENT, INFO, SCALE, DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
TRACKS, ENTRY, NUMBER, UID, TYPE, CODEC, DEFAULT = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x86, 0x23E383
VIDEO, WIDTH, HEIGHT = 0xE0, 0xB0, 0xBA
CLUSTER, TIMECODE, BLOCK = 0x1F43B675, 0xE7, 0xA3


def element(number: int, *content: bytes) -> bytes:
    data = b"".join(content)
    return number.to_bytes((number.bit_length() + 7) // 8, "big") + (len(data) | 1 << 56).to_bytes(8, "big") + data


def unsigned(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(8, "big"))


def write_matroska(path, times_ms, rate=30, size=(48, 64), states_ms=None):
    """One grey image per time, each a little brighter; the header states ``rate`` and the length ``states_ms``."""
    height, width = size
    length = times_ms[-1] + 1000 / rate if states_ms is None else states_ms
    clusters = []
    for index, time in enumerate(times_ms):
        jpeg = cv2.imencode(".jpg", np.full((height, width, 3), 10 + 13 * index % 240, np.uint8))[1].tobytes()
        clusters.append(element(CLUSTER, unsigned(TIMECODE, time), element(BLOCK, b"\x81\0\0\x80", jpeg)))
    track = element(
        ENTRY,
        *(unsigned(key, value) for key, value in ((NUMBER, 1), (UID, 1), (TYPE, 1), (DEFAULT, 10**9 // rate))),
        element(CODEC, b"V_MJPEG"),
        element(VIDEO, unsigned(WIDTH, width), unsigned(HEIGHT, height)),
    )
    info = element(INFO, unsigned(SCALE, 10**6), element(DURATION, struct.pack(">d", length)))
    path.write_bytes(
        element(EBML, element(DOCTYPE, b"matroska")) + element(SEGMENT, info, element(TRACKS, track), *clusters)
    )
    return path
