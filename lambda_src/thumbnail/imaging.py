"""Makes WebP thumbnails of pictures, without AWS, files or global state.

The pictures come from strangers, so a picture may be an attack. `max_pixels` and the checks of the headers limit the
memory that a picture can use. There is one gap: an AVIF can contain more pixels than its header says, and Pillow
decodes all of them. So the caller must also limit memory (thumbnail.memory) and time.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

# If Pillow needs a plugin that is not imported yet, it imports all its forty plugins, which takes 13 ms. So this module
# imports the needed plugins, which takes 3 ms.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL.Image import Resampling, Transpose

from thumbnail import bmp, tiff
from thumbnail.colours import black_and_white_levels, to_eight_bits, to_resizable, to_srgb
from thumbnail.headers import MAX_EXIF_BYTES, check_headers
from thumbnail.rejections import Unsupported
from thumbnail.tiff_layout import Layout

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        AvifImagePlugin.AvifImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
_NOT_A_PICTURE = "The file is not a picture in a supported format (JPEG, PNG, GIF, WebP, AVIF, TIFF, BMP)."
_UNSUPPORTED = "The picture is of a kind that is not supported."
_DAMAGED = "The picture is damaged or incomplete."

# Pillow itself rejects pictures with more pixels. The number is twice the default of the global variable
# Image.MAX_IMAGE_PIXELS. It is written here, because other code can change the variable.
_PILLOW_MAX_PIXELS = 178_956_970
_WEBP_MAX_EDGE = 16_383

# Pictures are shrunk in two steps. In a fast step, the JPEG decoder or a box filter shrinks the picture, but at most to
# _REDUCING_GAP times the thumbnail's size. Then the LANCZOS filter shrinks it to the final size. With the factor 2, the
# result is so close to LANCZOS alone (signal-to-noise ratio above 50 dB) that nobody can see the difference. The factor
# 1.9 gives only 42 dB. The factor 3 is no better for a JPEG, because the decoder scales only by powers of two.
_REDUCING_GAP = 2.0

# Method 6 makes files 3 % smaller but needs three times as long. Method 2 makes files 1 % larger in half the time.
_WEBP_OPTIONS = {"quality": 80, "method": 4}

# EXIF 2.32, section 4.6.4.A: for each orientation, the transposition that turns the picture upright.
_ORIENTATION_TAG = 0x0112
_TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# These transpositions exchange width and height.
_SIDEWAYS_TRANSPOSITIONS = frozenset(
    {Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90}
)


class Rejected(Exception):  # noqa: N818 - a result for the uploader, not an error of the program
    """The picture cannot get a thumbnail, and a retry cannot help. `str()` gives the reason, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A thumbnail, and facts about the picture from which it was made. Widths and heights are in pixels.

    `source_width` and `source_height` are the size of the picture after it was turned upright as its EXIF orientation
    says. If the camera was rotated by 90 degrees, they are the height and the width that are stored in the file.
    """

    data: bytes
    content_type: str
    width: int
    height: int
    source_format: str
    source_width: int
    source_height: int


def make_thumbnail(source: BinaryIO, *, max_edge: int, max_pixels: int) -> Thumbnail:
    """Return a WebP thumbnail that is upright, in sRGB and without metadata. Its longest edge has `max_edge` pixels.

    A picture that is already smaller keeps its size. The thumbnail of an animation shows the first frame. A second call
    with the same picture returns the same bytes. Only one thread may call this function at a time, because the
    function turns off warnings for the whole process.

    Args:
        source: the whole picture, in memory or in a local file, with `seek`. Do not pass a network stream: Pillow
            raises OSError for a damaged picture and for a failed read, so a failed read would count as damage.
        max_edge: from 1 to 16,383 pixels, which is the maximum of WebP.
        max_pixels: the maximum width times height of a picture, from 1 to 178,956,970, which is the maximum of
            Pillow. The peak of memory is proportional to `max_pixels`.

    Raises:
        Rejected: the picture is damaged or too large, or its format is not supported.
        ValueError: `max_edge` or `max_pixels` is out of range.
        MemoryError: this machine has too little memory. With more memory, the same picture may succeed.

    """
    _check_range("max_edge", max_edge, _WEBP_MAX_EDGE)
    _check_range("max_pixels", max_pixels, _PILLOW_MAX_PIXELS)
    with _decode_errors_as_rejected(max_pixels):
        check_headers(source)
        with _open(source, max_pixels) as picture:
            width, height = picture.size
            small_picture = to_srgb(_decode_and_shrink(picture, max_edge), picture.info.get("icc_profile"))
            transposition = _upright_transposition(picture)
    if transposition is not None:
        small_picture = small_picture.transpose(transposition)
    if transposition in _SIDEWAYS_TRANSPOSITIONS:
        width, height = height, width
    return Thumbnail(
        data=_encode(small_picture),
        content_type="image/webp",
        width=small_picture.width,
        height=small_picture.height,
        source_format="JPEG" if picture.format == "MPO" else str(picture.format),
        source_width=width,
        source_height=height,
    )


def _check_range(name: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise ValueError(f"{name} must be from 1 to {maximum:,}, not {value:,}")


@contextmanager
def _decode_errors_as_rejected(max_pixels: int) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Rejected, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Rejected(_NOT_A_PICTURE) from error
    except Unsupported as error:
        raise Rejected(_UNSUPPORTED) from error
    except Image.DecompressionBombError as error:
        raise Rejected(f"The picture has too many pixels; the limit is {max_pixels:,}.") from error
    except Exception as error:  # a damaged picture can make Pillow raise almost every kind of exception
        raise Rejected(_DAMAGED) from error


def _open(source: BinaryIO, max_pixels: int) -> Image.Image:
    if tiff.is_tiff(source):
        layout = Layout(source)
        _check_pixels(layout.largest_area, max_pixels)
        return tiff.decode(layout, source)
    if bmp.is_bmp(source):
        header = bmp.Bmp.read(source)
        _check_pixels(header.width * header.height, max_pixels)
        return bmp.decode(header, source)
    picture = Image.open(source, formats=_FORMATS)
    _check_pixels(picture.width * picture.height, max_pixels)
    return picture


def _check_pixels(pixels: int, max_pixels: int) -> None:
    if pixels > max_pixels:
        raise Rejected(f"The picture has {pixels:,} pixels; the limit is {max_pixels:,}.")


def _decode_and_shrink(picture: Image.Image, max_edge: int) -> Image.Image:
    """Return the picture shrunk, with 8 bits per channel.

    The caller converts the colours afterwards, because converting the few pixels of the small picture is fast.
    """
    size = _thumbnail_size(picture.width, picture.height, max_edge)
    # This call must come before the pixels are loaded. Then the JPEG decoder can skip most of the pixels.
    draft_result = picture.draft(None, (int(size[0] * _REDUCING_GAP), int(size[1] * _REDUCING_GAP)))
    box = draft_result[1] if draft_result else None
    resizable_picture = to_resizable(picture)
    levels = black_and_white_levels(picture) if resizable_picture.mode == "F" else None
    small_picture = resizable_picture.resize(size, Resampling.LANCZOS, box, _REDUCING_GAP)
    return to_eight_bits(small_picture, levels) if levels else small_picture


def _thumbnail_size(width: int, height: int, max_edge: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest <= max_edge:
        return width, height
    return max(1, round(width * max_edge / longest)), max(1, round(height * max_edge / longest))


def _upright_transposition(picture: Image.Image) -> Transpose | None:
    if len(picture.info.get("exif", b"")) > MAX_EXIF_BYTES:
        return None
    try:
        return _TRANSPOSITIONS.get(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - some cameras write broken EXIF; their pictures are good
        return None


def _encode(small_picture: Image.Image) -> bytes:
    encoded = io.BytesIO()
    small_picture.save(encoded, "WEBP", **_WEBP_OPTIONS)
    return encoded.getvalue()
