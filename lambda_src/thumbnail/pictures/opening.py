"""Opens the files of pictures of all formats."""

import math
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

# If Pillow needs a plugin that is not imported yet, it imports all its forty plugins, which takes 13 ms. So the modules
# here import the needed plugins. At a cold start, that are only those for a JPEG and its thumbnail. The others are
# imported for the first picture in their format.
from PIL import Image, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401 - EXIF is in the format TIFF
from PIL.Image import Transpose

from thumbnail.pictures.file_colours import Colours
from thumbnail.pictures.formats import format_of
from thumbnail.pictures.jpeg import open_jpeg
from thumbnail.pictures.orientation import transposition_in, transposition_of
from thumbnail.pictures.rejections import UnsupportedError

CheckPixels = Callable[[int], None]
"""Raises an error if a picture has more than this number of pixels. It is called before the pixels are decoded."""


class OpenedPicture(NamedTuple):
    """A picture, and what its file says about it. Pillow decodes the pixels of some formats later."""

    picture: Image.Image
    source_format: str
    colours: Colours
    transposition: Transpose | None
    """Turns the picture upright."""


def open_picture(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
    """Open a picture.

    Raises UnsupportedError if the decoder lacks a feature for the file. A damaged file can raise every kind of error.
    """
    match format_of(source):
        case "PNG":
            return _open_png(source, check_pixels)
        case "HEIF":
            return _open_heif(source, check_pixels)
        case "TIFF":
            return _open_tiff(source, check_pixels)
        case "BMP":
            return _open_bmp(source, check_pixels)
        case "JPEG":
            picture = open_jpeg(source)
        case "GIF":
            from PIL import GifImagePlugin  # noqa: F401, PLC0415

            picture = _open_with_pillow(source, "GIF")
        case _:
            picture = _open_with_pillow(source, "WEBP")
    check_pixels(math.prod(picture.size))
    return _opened(picture, transposition_in(picture.info.get("exif", b"")))


def _open_with_pillow(source: BinaryIO, name: str) -> Image.Image:
    source.seek(0)
    return Image.open(source, formats=(name,))


def _opened(picture: Image.Image, transposition: Transpose | None) -> OpenedPicture:
    return OpenedPicture(picture, str(picture.format), Colours(profile=picture.info.get("icc_profile")), transposition)


def _open_tiff(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
    from thumbnail.pictures import tiff  # noqa: PLC0415
    from thumbnail.pictures.tiff_layout import Layout  # noqa: PLC0415
    from thumbnail.pictures.tiff_tags import ORIENTATION  # noqa: PLC0415

    layout = Layout(source)
    check_pixels(layout.largest_area)
    return _opened(tiff.decode(layout, source), transposition_of(layout.number(ORIENTATION, 1)))


def _open_bmp(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
    from thumbnail.pictures import bmp  # noqa: PLC0415

    header = bmp.Bmp.read(source)
    check_pixels(header.width * header.height)
    return _opened(bmp.decode(header, source), None)


def _open_png(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
    from thumbnail.pictures.png import read_png  # noqa: PLC0415
    from thumbnail.pictures.png_decoding import open_png  # noqa: PLC0415

    png = read_png(source)
    picture = open_png(png, source)
    check_pixels(math.prod(picture.size))
    return OpenedPicture(picture, "PNG", png.colours, transposition_in(png.ancillary.get(b"eXIf", b"")))


def _open_heif(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
    from thumbnail.pictures.heif import read_heif  # noqa: PLC0415

    heif = read_heif(source)
    if heif.file_format is None:
        raise UnsupportedError("the picture is neither an AVIF nor a HEIC")
    picture: Image.Image = heif.open(source)
    # A decoder crops a picture after it has decoded all of it.
    check_pixels(max(math.prod(picture.size), math.prod(heif.coded_size or ())))
    if heif.file_format == "HEIC":
        # The decoder crops the picture, which can change its size. Later it cannot use an embedded thumbnail instead.
        picture.load()
    colours = Colours(profile=picture.info.get("icc_profile"), codes=heif.colours)
    if box := heif.crop_box(picture.size):
        # Shrinking with a box would mix the pixels outside the box into the edges, so this copies the box.
        picture = picture.crop(box)
    return OpenedPicture(picture, heif.file_format, colours, heif.transposition)
