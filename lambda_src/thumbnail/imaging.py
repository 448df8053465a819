"""Makes WebP thumbnails of pictures. It needs neither AWS nor files, but changes settings of the whole process.

The pictures come from strangers, so a picture may be an attack. `max_pixels` and the checks of the headers limit the
memory that a picture can use. There is one gap: an AVIF or a HEIC can contain more pixels than its header says, and its
decoder decodes all of them. So the caller must also limit memory (thumbnail.memory) and time.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from PIL import Image
from PIL.Image import Resampling, Transpose

from thumbnail.pictures.colours import black_and_white_levels, to_eight_bits, to_resizable, to_srgb
from thumbnail.pictures.encoding import encode
from thumbnail.pictures.formats import format_of
from thumbnail.pictures.frames import first_frame_box, on_transparent_canvas
from thumbnail.pictures.jpeg import with_two_endings
from thumbnail.pictures.opening import open_picture
from thumbnail.pictures.rejections import UnsupportedError

_NOT_A_PICTURE = "The file is not a picture in a supported format (JPEG, PNG, GIF, WebP, AVIF, HEIC, TIFF, BMP)."
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
_WEBP_GAP = 3
"""The same factor for the WebP decoder. It shrinks with another filter, so the factor 2 is worse than for a JPEG."""

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
    with _decode_errors_as_rejected(source, max_pixels):
        try:
            decoded = _decode(source, max_edge, max_pixels)
        except OSError:
            if format_of(source) != "JPEG":
                raise
            decoded = _decode_without_end(source, max_edge, max_pixels)
    thumbnail, (width, height) = decoded.picture, decoded.source_size
    if decoded.transposition is not None:
        thumbnail = thumbnail.transpose(decoded.transposition)
    if decoded.transposition in _SIDEWAYS_TRANSPOSITIONS:
        width, height = height, width
    return Thumbnail(
        data=encode(thumbnail),
        content_type="image/webp",
        width=thumbnail.width,
        height=thumbnail.height,
        source_format=decoded.source_format,
        source_width=width,
        source_height=height,
    )


def _check_range(name: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise ValueError(f"{name} must be from 1 to {maximum:,}, not {value:,}")


@contextmanager
def _decode_errors_as_rejected(source: BinaryIO, max_pixels: int) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Rejected, MemoryError, ImportError):
        raise
    except Image.DecompressionBombError as error:
        raise Rejected(f"The picture has too many pixels; the limit is {max_pixels:,}.") from error
    except UnsupportedError as error:
        raise Rejected(f"The picture is a kind of {format_of(source)} that is not supported.") from error
    except Exception as error:  # a damaged picture can make Pillow raise almost every kind of exception
        raise Rejected(_DAMAGED if format_of(source) else _NOT_A_PICTURE) from error


class _Decoded(NamedTuple):
    """A picture shrunk to the size of the thumbnail and in sRGB, but not yet turned upright."""

    picture: Image.Image
    transposition: Transpose | None
    """The transposition that turns it upright."""
    source_format: str
    source_size: tuple[int, int]
    """Width and height in the file."""


def _decode(source: BinaryIO, max_edge: int, max_pixels: int) -> _Decoded:
    def check_pixels(pixels: int) -> None:
        if pixels > max_pixels:
            raise Rejected(f"The picture has {pixels:,} pixels; the limit is {max_pixels:,}.")

    picture, source_format, colours, transposition = open_picture(source, check_pixels)
    with picture:
        size = picture.size
        small_picture = to_srgb(_decode_and_shrink(picture, source, max_edge), colours)
    return _Decoded(small_picture, transposition, source_format, size)


def _decode_without_end(source: BinaryIO, max_edge: int, max_pixels: int) -> _Decoded:
    """Decode a JPEG whose end marker is missing, as browsers do. Raises OSError if rows are missing, too."""
    decoded, other = (_decode(file, max_edge, max_pixels) for file in with_two_endings(source))
    if decoded.picture.tobytes() != other.picture.tobytes():
        raise OSError("the last rows are missing")
    return decoded


def _decode_and_shrink(picture: Image.Image, source: BinaryIO, max_edge: int) -> Image.Image:
    """Return the picture shrunk, with 8 bits per channel.

    The caller converts the colours afterwards, because converting the few pixels of the small picture is fast.
    """
    size = _thumbnail_size(picture.width, picture.height, max_edge)
    if picture.format == "WEBP":
        from thumbnail.pictures.webp import decode_small  # noqa: PLC0415 - only a WebP needs the module

        if shrunk_picture := decode_small(picture, source, (size[0] * _WEBP_GAP, size[1] * _WEBP_GAP)):
            return shrunk_picture.resize(size, Resampling.LANCZOS)
    # This call must come before the pixels are loaded. Then the JPEG decoder can skip most of the pixels.
    draft_size = int(size[0] * _REDUCING_GAP), int(size[1] * _REDUCING_GAP)
    draft_result = None if picture.info.get("is_lossless") else picture.draft(None, draft_size)
    box = draft_result[1] if draft_result else None
    resizable_picture = _to_resizable(picture, source)
    levels = black_and_white_levels(picture) if resizable_picture.mode == "F" else None
    small_picture = resizable_picture.resize(size, Resampling.LANCZOS, box, _REDUCING_GAP)
    return to_eight_bits(small_picture, levels) if levels else small_picture


def _to_resizable(picture: Image.Image, source: BinaryIO) -> Image.Image:
    """Return the decoded picture in a mode in which pixels can be mixed, with its transparency."""
    if picture.format == "PNG":
        from thumbnail.pictures.png_decoding import decode_sixteen_bits  # noqa: PLC0415 - only a PNG needs the module

        if exact_picture := decode_sixteen_bits(picture):
            return exact_picture
    box = first_frame_box(picture, source)
    return on_transparent_canvas(picture, box) if box else to_resizable(picture)


def _thumbnail_size(width: int, height: int, max_edge: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest <= max_edge:
        return width, height
    return max(1, round(width * max_edge / longest)), max(1, round(height * max_edge / longest))
