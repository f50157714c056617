"""Png: pixels as a file's bytes, for pictures of more cells than a page should hold one by one."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGBA = 6  # the colour type


def png(pixels: np.ndarray) -> bytes:
    """`pixels` are (rows, columns, 4) bytes: red, green, blue, alpha; the first row is on top."""
    rows, columns, _ = pixels.shape
    lines = np.zeros((rows, 1 + columns * 4), np.uint8)  # each begins with a 0: as it stands, not as a difference
    lines[:, 1:] = pixels.reshape(rows, -1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, _RGBA, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines.tobytes())) + _chunk(b"IEND", b"")


def data_uri(pixels: np.ndarray) -> str:
    return f"data:image/png;base64,{b64encode(png(pixels)).decode('ascii')}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
