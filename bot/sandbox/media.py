"""Pictures, voices and files of the sandbox: canned samples and what the product uploaded, in memory only."""

from __future__ import annotations

import secrets
import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass

MOST_FILES = 64
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """One stored file."""

    kind: str  # image, voice, video, thumb, sticker, file
    content_type: str
    name: str
    content: bytes

    @property
    def safe_type(self) -> str:
        """The type to serve it under: pictures, sounds and films as what they are, anything that could run in the
        page's origin as bytes."""
        kind = self.content_type.partition(";")[0].strip().lower()
        harmless = kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml"
        return kind if harmless and kind.isascii() else "application/octet-stream"


def _png(width: int, height: int) -> bytes:
    """A small sunrise, drawn here so that no picture has to be shipped."""

    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            sun = (x - width / 2) ** 2 + (y - height) ** 2 < (height / 2) ** 2
            rows += bytes((255, 196, 60)) if sun else bytes((255 - y // 2, 210 - y, 170 + y // 3))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )


SAMPLES = {
    "image": File("image", "image/png", "sunrise.png", _png(160, 120)),
    "sticker": File("sticker", "image/png", "sticker.png", _png(96, 96)),
    # AMR: the header and two seconds of frames marked “no data”.
    "voice": File("voice", "audio/amr", "voice.amr", b"#!AMR\n" + b"\x7c" * 100),
    # MP4: only the box that names the format; enough for everybody who looks at the type.
    "video": File("video", "video/mp4", "video.mp4", b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"),
    "file": File("file", "application/pdf", "证明.pdf", b"%PDF-1.4\n%%EOF\n"),
}


class MediaStore:
    """Files by opaque id; the oldest go first when there are too many. A restart empties it (WeChat: three days)."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()

    def put(self, file: File) -> str:
        """Store a file and return its id."""
        identity = secrets.token_urlsafe(32)
        self._files[identity] = file
        while len(self._files) > MOST_FILES or sum(len(f.content) for f in self._files.values()) > MOST_BYTES:
            self._files.popitem(last=False)
        return identity

    def sample(self, kind: str) -> str:
        """Store the canned sample of that kind and return its id."""
        return self.put(SAMPLES[kind])

    def get(self, identity: str) -> File | None:
        """The file, or None when it never was or is gone."""
        return self._files.get(identity)
