#!/bin/sh
# Versions: Pillow 13.0.0, Python 3.11
# Expected: `resize` with `box` uses only the pixels in the box, like `crop` and then `resize`. The documentation calls
#     the box "the source image region to be scaled", and the release notes call both ways "very similar".
#     https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.Image.resize
#     https://pillow.readthedocs.io/en/stable/releasenotes/4.3.0.html
# Behaviour: the filters BILINEAR, BICUBIC and LANCZOS also read pixels outside the box. So the edge of the result shows
#     a part of the picture that is cropped away. `ImageOps.fit` calls `resize` with a box, so it does the same.
# Output: the left half of the picture is black, and the right half is white. A row of the resized left half is:
#     "crop and resize: 0 0 0 0 0 0 0 0 0 0"
#     "resize with box: 0 0 0 0 0 0 0 1 0 17"
#     "ImageOps.fit:    0 0 0 0 0 0 0 0 0 20"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
cat > "$folder/box.py" <<'PY'
import sys

from PIL import Image, ImageOps

LANCZOS, SIZE = Image.Resampling.LANCZOS, (10, 10)
LEFT_HALF = (0, 0, 40, 40)
source = Image.new("L", (80, 40), "black")
source.paste(255, (40, 0, 80, 40))


def last_row(image: Image.Image) -> list[int]:
    return [image.getpixel((x, 9)) for x in range(10)]


cropped = last_row(source.crop(LEFT_HALF).resize(SIZE, LANCZOS))
with_box = last_row(source.resize(SIZE, LANCZOS, LEFT_HALF))
fitted = last_row(ImageOps.fit(source, SIZE, centering=(0, 0)))
print("crop and resize:", *cropped)
print("resize with box:", *with_box)
print("ImageOps.fit:   ", *fitted)
sys.exit(any(cropped) or with_box != [0, 0, 0, 0, 0, 0, 0, 1, 0, 17] or fitted[-1] != 20)
PY
"$folder/venv/bin/python" "$folder/box.py"
