"""Finds the rectangle of the canvas that the first frame of an animation covers.

Browsers show the rest of the canvas as transparent. Pillow fills it with a colour.
"""

from typing import BinaryIO

from PIL import Image, ImageFile

Box = tuple[int, int, int, int]


def first_frame_box(picture: Image.Image, source: BinaryIO) -> Box | None:
    """Return the rectangle of the first frame, as left, top, right, bottom. Return None if it covers the whole canvas.

    Call this function before Pillow decodes the picture.
    """
    box = None
    if isinstance(picture, ImageFile.ImageFile) and picture.format == "GIF":
        box = picture.tile[0].extents
    elif picture.format == "WEBP":
        box = _first_webp_box(source)
    return None if box == (0, 0, *picture.size) else box


def _first_webp_box(source: BinaryIO) -> Box | None:
    """Return the rectangle in the first chunk ANMF. A WebP without animation has no such chunk.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    start = source.seek(12)
    while len(prefix := source.read(24)) == 24:  # noqa: PLR2004 - the length of the fields that are read here
        if prefix.startswith(b"ANMF"):
            left, top, width, height = (int.from_bytes(prefix[at : at + 3], "little") for at in range(8, 20, 3))
            return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1
        length = int.from_bytes(prefix[4:8], "little")
        start = source.seek(start + 8 + length + length % 2)
    return None


def on_transparent_canvas(picture: Image.Image, box: Box) -> Image.Image:
    """Return the decoded frame on a canvas that is transparent outside the box."""
    canvas = Image.new("RGBA", picture.size)
    canvas.paste(picture.crop(box).convert("RGBA"), box)
    return canvas
