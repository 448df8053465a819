#!/bin/sh
# Versions: Pillow 13.0.0, Python 3.11
# Expected: a PNG with 16 bits per channel looks the same after a conversion to 8 bits. A middle grey stays a middle
#     grey. The documentation of `convert` mentions no exception.
#     https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.Image.convert
# Behaviour: Pillow reads an RGB picture with 16 bits as 8 bits and drops the lower bits. It reads a grey picture with
#     16 bits as mode I;16. `convert` then changes each value above 255 to 255, so nearly the whole picture is white.
# Output: four pixels between black and white, as 16 bits: 0x0000 0x5555 0xaaaa 0xffff
#     "RGB to RGB: 0 85 170 255"
#     "I;16 to L: 0 255 255 255"
#     "I;16 to RGB: 0 255 255 255"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
cat > "$folder/grey.py" <<'PY'
import io
import struct
import sys
import zlib

from PIL import Image

GREY, RGB = 0, 2
VALUES = [0x0000, 0x5555, 0xAAAA, 0xFFFF]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(kind: int) -> bytes:
    """Return a PNG with one row of four grey pixels and 16 bits per channel."""
    channels = 3 if kind == RGB else 1
    pixels = b"\0" + b"".join(struct.pack(">H", value) * channels for value in VALUES)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", len(VALUES), 1, 16, kind, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(pixels)),
            chunk(b"IEND", b""),
        )
    )


results = []
for kind, mode in ((RGB, "RGB"), (GREY, "L"), (GREY, "RGB")):
    source = Image.open(io.BytesIO(png(kind)))
    image = source.convert(mode).getchannel(0)
    results.append([image.getpixel((x, 0)) for x in range(len(VALUES))])
    print(f"{source.mode} to {mode}:", *results[-1])
sys.exit(results != [[0, 85, 170, 255]] + [[0, 255, 255, 255]] * 2)
PY
"$folder/venv/bin/python" "$folder/grey.py"
