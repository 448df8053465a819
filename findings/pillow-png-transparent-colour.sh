#!/bin/sh
# Versions: Pillow 13.0.0, Python 3.11
# Expected: the chunk `tRNS` of a grey or RGB picture has one transparent colour, with as many bits as the pixels. After
#     a conversion to RGBA, the pixels with exactly this colour are transparent.
#     https://www.w3.org/TR/png-3/#11tRNS
# Behaviour: Pillow changes the pixels to 8 bits, but not the transparent colour. In a grey picture with 2 bits, the
#     pixels become 0, 85, 170 and 255, and no pixel equals 1, 2 or 3. So only black can be transparent. In an RGB
#     picture with 16 bits, the transparent pixel becomes opaque. If the transparent colour is below 256, pixels with
#     other colours become transparent.
# Output: "grey, 1 bit: transparent should be [0], is [0]"
#     "grey, 1 bit: transparent should be [1], is [1]"
#     "grey, 2 bits: transparent should be [0], is [0]"
#     "grey, 2 bits: transparent should be [1], is []"
#     "grey, 2 bits: transparent should be [2], is []"
#     "grey, 2 bits: transparent should be [3], is []"
#     "grey, 4 bits: transparent should be [15], is []"
#     "RGB, 16 bits: transparent should be [0x1234], is []"
#     "RGB, 16 bits: transparent should be [0x12], is [0x1234, 0x12ff]"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
cat > "$folder/transparency.py" <<'PY'
import io
import struct
import sys
import zlib

from PIL import Image

GREY, RGB = 0, 2
CHANNELS = {GREY: 1, RGB: 3}


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(kind: int, bits: int, values: list[int], transparent: int) -> bytes:
    """Return a PNG with one row of pixels. All channels of a pixel have the same value."""
    row = "".join(f"{value:0{bits}b}" * CHANNELS[kind] for value in values)
    row += "0" * (-len(row) % 8)
    pixels = b"\0" + int(row, 2).to_bytes(len(row) // 8, "big")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", len(values), 1, bits, kind, 0, 0, 0)),
            chunk(b"tRNS", struct.pack(">H", transparent) * CHANNELS[kind]),
            chunk(b"IDAT", zlib.compress(pixels)),
            chunk(b"IEND", b""),
        )
    )


def transparent_values(kind: int, bits: int, values: list[int], transparent: int) -> list[int]:
    image = Image.open(io.BytesIO(png(kind, bits, values, transparent))).convert("RGBA")
    return [value for x, value in enumerate(values) if image.getpixel((x, 0))[3] == 0]


expected = {
    ("grey", GREY, 1, 0): [0],
    ("grey", GREY, 1, 1): [1],
    ("grey", GREY, 2, 0): [0],
    ("grey", GREY, 2, 1): [],
    ("grey", GREY, 2, 2): [],
    ("grey", GREY, 2, 3): [],
    ("grey", GREY, 4, 15): [],
    ("RGB", RGB, 16, 0x1234): [],
    ("RGB", RGB, 16, 0x12): [0x1234, 0x12FF],
}
results = {}
for name, kind, bits, transparent in expected:
    values, show = ([0x12, 0x1234, 0x12FF], hex) if bits == 16 else (list(range(2**bits)), str)
    found = transparent_values(kind, bits, values, transparent)
    results[name, kind, bits, transparent] = found
    label = f"{name}, {bits} bit{'s' if bits > 1 else ''}"
    print(f"{label}: transparent should be [{show(transparent)}], is [{', '.join(map(show, found))}]")
sys.exit(results != expected)
PY
"$folder/venv/bin/python" "$folder/transparency.py"
