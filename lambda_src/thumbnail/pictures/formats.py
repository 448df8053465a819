"""Recognizes the format of a picture by its first bytes, without the modules that decode the format."""

from typing import BinaryIO

_PREFIX_BYTES = 18
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")
"""TIFF and BigTIFF, in both byte orders. Some programs write the number 42 in the wrong order."""


def format_of(source: BinaryIO) -> str | None:
    """Return the format that the first bytes of a file name, such as `PNG`. Return None if no supported format does.

    `HEIF` is the format of the files of AVIF and HEIC pictures.
    """
    source.seek(0)
    prefix = source.read(_PREFIX_BYTES)
    if prefix[4:8] == b"ftyp":  # the first box of all files with boxes, such as AVIF, HEIC and MP4
        from thumbnail.pictures.heif import is_heif  # noqa: PLC0415 - takes 5 ms, and most pictures are in other formats

        return "HEIF" if is_heif(source) else None
    return next((name for name, is_of_format in _FORMATS.items() if is_of_format(prefix)), None)


def _is_webp(prefix: bytes) -> bool:
    return prefix.startswith(b"RIFF") and prefix[8:12] == b"WEBP" and prefix[12:16] in {b"VP8 ", b"VP8L", b"VP8X"}


def _is_bmp(prefix: bytes) -> bool:
    # A text can begin with BM, too, so the size of the header counts. The first version of OS/2 has the smallest header
    # (12 bytes), and the fifth version of Windows has the largest (124 bytes).
    return prefix.startswith(b"BM") and 12 <= int.from_bytes(prefix[14:18], "little") <= 124  # noqa: PLR2004


_FORMATS = {
    "JPEG": lambda prefix: prefix.startswith(b"\xff\xd8\xff"),
    "PNG": lambda prefix: prefix.startswith(b"\x89PNG\r\n\x1a\n"),
    "GIF": lambda prefix: prefix.startswith((b"GIF87a", b"GIF89a")),
    "WEBP": _is_webp,
    "TIFF": lambda prefix: prefix.startswith(_TIFF_SIGNATURES),
    "BMP": _is_bmp,
}
"""A function for each format. It returns whether a file with these first bytes is of this format."""
