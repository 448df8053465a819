#!/bin/sh
# Versions: Pillow 13.0.0 with its libjpeg-turbo 3.2.0, Python 3.11
# Expected: `thumbnail` works with every picture that Pillow can load. It first calls `draft`, which asks the decoder
#     for a smaller picture. If a decoder cannot do this, `draft` changes nothing.
#     https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.Image.draft
# Behaviour: Pillow can load a lossless JPEG (SOF3). But `draft` also selects a smaller size for it, and then Pillow
#     cannot load it. A good file seems to be broken. `thumbnail` works after `load`, because `draft` then does nothing.
# Output: "load: L, 64x32, the right pixels: True"
#     "load and thumbnail: 8x4"
#     "thumbnail: broken data stream when reading image file"
#     "draft and load: broken data stream when reading image file"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
cat > "$folder/lossless.py" <<'PY'
import io
import struct
import sys
from collections.abc import Callable

from PIL import Image

WIDTH, HEIGHT, SMALL = 64, 32, (8, 4)
ROWS = [[3 * x + y for x in range(WIDTH)] for y in range(HEIGHT)]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def bits_of_difference(difference: int) -> str:
    """Return the number of bits as a Huffman code of 4 bits, and then the bits (ITU-T T.81, H.1.2.2)."""
    length = abs(difference).bit_length()
    bits = difference if difference >= 0 else difference + 2**length - 1
    return f"{length:04b}" + (f"{bits:0{length}b}" if length else "")


def lossless_jpeg() -> bytes:
    """Return a grey picture with 8 bits per pixel. Each pixel is the difference from the left one (predictor 1)."""
    bits = ""
    for y, row in enumerate(ROWS):
        before = ROWS[y - 1][0] if y else 128
        for value in row:
            bits += bits_of_difference(value - before)
            before = value
    bits += "1" * (-len(bits) % 8)
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xC3, struct.pack(">BHH4B", 8, HEIGHT, WIDTH, 1, 1, 0x11, 0)),
            segment(0xC4, bytes([0, 0, 0, 0, 9, *[0] * 12, *range(9)])),
            segment(0xDA, bytes([1, 1, 0, 1, 0, 0])),
            int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0"),
            b"\xff\xd9",
        )
    )


def load_and_thumbnail(image: Image.Image) -> None:
    image.load()
    image.thumbnail(SMALL)


def draft_and_load(image: Image.Image) -> None:
    image.draft(None, SMALL)
    image.load()


def result_of(action: Callable[[Image.Image], object]) -> str:
    image = Image.open(io.BytesIO(lossless_jpeg()))
    try:
        action(image)
    except OSError as error:
        return str(error)
    return f"{image.width}x{image.height}"


whole = Image.open(io.BytesIO(lossless_jpeg()))
is_right = whole.tobytes() == bytes(value for row in ROWS for value in row)
print(f"load: {whole.mode}, {whole.width}x{whole.height}, the right pixels: {is_right}")
actions = {
    "load and thumbnail": load_and_thumbnail,
    "thumbnail": lambda image: image.thumbnail(SMALL),
    "draft and load": draft_and_load,
}
results = [result_of(action) for action in actions.values()]
for label, result in zip(actions, results, strict=True):
    print(f"{label}: {result}")
sys.exit(not is_right or results != ["8x4"] + ["broken data stream when reading image file"] * 2)
PY
"$folder/venv/bin/python" "$folder/lossless.py"
