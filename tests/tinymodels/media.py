"""A second of sound and a small picture, from the standard library alone, the same on every machine."""

import struct
import wave
import zlib
from pathlib import Path


def write_wav(path: Path, *, rate_hz: int = 16_000, seconds: float = 1.0) -> Path:
    """Write a mono 16-bit WAV: a 400 Hz triangle wave, all in integers.

    Args:
        path: The file to write; its folder exists.
        rate_hz: Samples a second.
        seconds: How long it sounds.

    Returns:
        The path, for use in one expression.
    """
    period = rate_hz // 400
    samples = [
        abs((place % period) * 2 - period) * 16_000 // period - 8_000
        for place in range(int(rate_hz * seconds))
    ]
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def write_png(path: Path, *, side: int = 56) -> Path:
    """Write a square RGB picture of a colour gradient.

    Args:
        path: The file to write; its folder exists.
        side: Width and height, in pixels.

    Returns:
        The path, for use in one expression.
    """
    rows = [
        b"\0" + bytes(value for x in range(side) for value in (x * 255 // side, y * 255 // side, 60))
        for y in range(side)
    ]
    # Stored, not compressed: zlib's many builds compress the same bytes differently.
    pixels = zlib.compress(b"".join(rows), level=0)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
    return path


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
