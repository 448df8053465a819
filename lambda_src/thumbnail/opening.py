"""Opens the files of pictures, without decoding their pixels."""

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

# If Pillow needs a plugin that is not imported yet, it imports all its forty plugins, which takes 13 ms. So this module
# imports the needed plugins, which takes 3 ms.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from thumbnail.headers import check_headers
from thumbnail.jpeg import open_jpeg
from thumbnail.png import read_png
from thumbnail.png_decoding import open_png
from thumbnail.rejections import UnsupportedError
from thumbnail.rgb_spaces import Colours

if TYPE_CHECKING:
    from thumbnail.heif import HeifPicture

_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
_PREFIX_BYTES = 16


class OpenedPicture(NamedTuple):
    """A picture whose pixels are not decoded yet. If it has EXIF metadata, they are in `picture.info["exif"]`."""

    picture: Image.Image
    colours: Colours
    """What the file says about its colours."""
    heif: "HeifPicture | None" = None
    """What an AVIF or a HEIC says about itself. None for other formats."""


def format_of(source: BinaryIO) -> str | None:
    """Return the format that the first bytes of a file name, such as `PNG`. Return None if no supported format does.

    `HEIF` is the format of the files of AVIF and HEIC pictures.
    """
    source.seek(0)
    prefix = source.read(_PREFIX_BYTES)
    if prefix[4:8] == b"ftyp":  # the first box of all files with boxes, such as AVIF, HEIC and MP4
        from thumbnail.heif import is_heif  # noqa: PLC0415 - takes 5 ms, and most pictures are in other formats

        return "HEIF" if is_heif(source) else None
    for name in _FORMATS:
        _plugin, accepts = Image.OPEN[name]
        if accepts is None or accepts(prefix):
            return name
    return None


def open_picture(source: BinaryIO) -> OpenedPicture:
    """Open a picture without decoding its pixels.

    Raises UnsupportedError if the decoder lacks a feature for the file. A damaged file can raise every kind of error.
    """
    match format_of(source):
        case "PNG":
            return _open_png(source)
        case "HEIF":
            return _open_heif(source)
        case "JPEG":
            picture = open_jpeg(source)
        case _:
            check_headers(source)
            picture = Image.open(source, formats=_FORMATS)
    return OpenedPicture(picture, Colours(profile=picture.info.get("icc_profile")))


def _open_png(source: BinaryIO) -> OpenedPicture:
    png = read_png(source)
    picture = open_png(png, source)
    picture.info["exif"] = png.ancillary.get(b"eXIf", b"")
    return OpenedPicture(picture, png.colours)


def _open_heif(source: BinaryIO) -> OpenedPicture:
    from thumbnail.heif import read_heif  # noqa: PLC0415

    heif = read_heif(source)
    if heif.file_format is None:
        raise UnsupportedError("the picture is neither an AVIF nor a HEIC")
    picture = heif.open(source)
    return OpenedPicture(picture, Colours(profile=picture.info.get("icc_profile"), codes=heif.colours), heif)
