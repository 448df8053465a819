"""Functions that make thumbnails in tests, and that check the rules for every thumbnail and for every rejection."""

import functools
import io
from fractions import Fraction

import pytest
from PIL import Image

from tests.handlers.thumbnail import pictures
from thumbnail.imaging import Rejected, Thumbnail, make_thumbnail

MAX_EDGE, MAX_PIXELS = 80, 50_000_000
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIC", "TIFF", "BMP")


@functools.cache
def good_picture(name: str) -> bytes:
    """Return the good picture with this name, such as `png-palette`."""
    return pictures.GOOD_PICTURES[name]()


def thumbnail_of(data: bytes, max_edge: int = MAX_EDGE, max_pixels: int = MAX_PIXELS) -> Thumbnail:
    return make_thumbnail(io.BytesIO(data), max_edge=max_edge, max_pixels=max_pixels)


def open_rgba(result: Thumbnail) -> Image.Image:
    """Return the pixels of a thumbnail. Do not change this image, because other calls return it, too."""
    return _decoded(result.data)


@functools.lru_cache(maxsize=4)
def _decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGBA")


def pixel(result: Thumbnail, x: float, y: float) -> tuple[int, ...]:
    """Return the colour of a pixel. `x` and `y` are fractions of the width and height."""
    value = open_rgba(result).getpixel((int(x * result.width), int(y * result.height)))
    assert isinstance(value, tuple)
    return value


def is_close(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 8) -> bool:
    """Whether two colours look the same. A difference of 8 (of 255) is invisible; a wrong conversion causes more."""
    return all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=False))


def assert_shows_scene(result: Thumbnail) -> None:
    """Assert that each quarter of the thumbnail has the colour of the scene."""
    for x, y, colour in pictures.QUARTERS:
        assert is_close(pixel(result, x, y), colour), (x, y, pixel(result, x, y), colour)


def assert_valid(result: Thumbnail, max_edge: int = MAX_EDGE) -> None:
    """Assert the rules for every thumbnail: format, size, and no metadata."""
    image = Image.open(io.BytesIO(result.data))
    image.load()
    assert (image.format, image.size) == ("WEBP", (result.width, result.height))
    assert {"exif", "icc_profile", "xmp"}.isdisjoint(image.info)
    assert result.content_type == "image/webp"
    assert result.source_format in FORMATS
    longest = max(result.source_width, result.source_height)
    assert max(result.width, result.height) == min(longest, max_edge)
    scale = Fraction(min(longest, max_edge), longest)
    assert abs(result.width - max(Fraction(1), result.source_width * scale)) <= 0.5
    assert abs(result.height - max(Fraction(1), result.source_height * scale)) <= 0.5


def assert_readable(reason: str) -> None:
    """Assert that a reason is one sentence that a user understands, without internal names of the program."""
    assert reason.endswith(".")
    assert reason.startswith(("The picture ", "The file "))
    assert 20 < len(reason) < 120
    for internal_text in ("0x", "<", ">", "Pillow", "PIL", "Error", "tile", "_", "\n"):
        assert internal_text not in reason


def assert_rejected(data: bytes, match: str | None = None, max_pixels: int = MAX_PIXELS) -> Rejected:
    """Assert that the picture is rejected with a readable reason that matches the pattern. Return the exception."""
    with pytest.raises(Rejected, match=match) as raised:
        thumbnail_of(data, max_pixels=max_pixels)
    assert_readable(str(raised.value))
    return raised.value


def assert_made_or_rejected(data: bytes) -> None:
    """Assert that the picture gets a valid thumbnail, or is rejected with a readable reason."""
    try:
        result = thumbnail_of(data)
    except Rejected as rejected:
        assert_readable(str(rejected))
    else:
        assert_valid(result)
