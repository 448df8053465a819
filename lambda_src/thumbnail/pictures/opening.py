"""Opens the files of pictures of all formats."""

import math
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

# If Pillow needs a plugin that is not imported yet, it imports all its forty plugins, which takes 13 ms. So this module
# imports the needed plugins, which takes 3 ms.
from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Transpose

from thumbnail.pictures import bmp, tiff
from thumbnail.pictures.jpeg import open_jpeg
from thumbnail.pictures.orientation import transposition_in, transposition_of
from thumbnail.pictures.png import read_png
from thumbnail.pictures.png_decoding import open_png
from thumbnail.pictures.rejections import UnsupportedError
from thumbnail.pictures.rgb_spaces import Colours
from thumbnail.pictures.tiff_layout import Layout
from thumbnail.pictures.tiff_tags import ORIENTATION

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
    )
)
_PREFIX_BYTES = 18

CheckPixels = Callable[[int], None]
"""Raises an error if a picture has more than this number of pixels. It is called before the pixels are decoded."""


class OpenedPicture(NamedTuple):
    """A picture, and what its file says about it. Pillow decodes the pixels of some formats later."""

    picture: Image.Image
    source_format: str
    colours: Colours
    transposition: Transpose | None
    """Turns the picture upright."""


def format_of(source: BinaryIO) -> str | None:
    """Return the format that the first bytes of a file name, such as `PNG`. Return None if no supported format does.

    `HEIF` is the format of the files of AVIF and HEIC pictures.
    """
    source.seek(0)
    prefix = source.read(_PREFIX_BYTES)
    if prefix[4:8] == b"ftyp":  # the first box of all files with boxes, such as AVIF, HEIC and MP4
        from thumbnail.pictures.heif import is_heif  # noqa: PLC0415 - takes 5 ms, and most pictures are in other formats

        return "HEIF" if is_heif(source) else None
    if bmp.is_bmp(prefix):
        return "BMP"
    if tiff.is_tiff(prefix):
        return "TIFF"
    for name in _FORMATS:
        _plugin, accepts = Image.OPEN[name]
        if accepts is not None and accepts(prefix):
            return name
    return None


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
            layout = Layout(source)
            check_pixels(layout.largest_area)
            picture = tiff.decode(layout, source)
            transposition = transposition_of(layout.number(ORIENTATION, 1))
        case "BMP":
            header = bmp.Bmp.read(source)
            check_pixels(header.width * header.height)
            picture, transposition = bmp.decode(header, source), None
        case name:
            source.seek(0)
            picture = open_jpeg(source) if name == "JPEG" else Image.open(source, formats=_FORMATS)
            check_pixels(math.prod(picture.size))
            transposition = transposition_in(picture.info.get("exif", b""))
    return OpenedPicture(picture, str(picture.format), Colours(profile=picture.info.get("icc_profile")), transposition)


def _open_png(source: BinaryIO, check_pixels: CheckPixels) -> OpenedPicture:
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
