"""Bad test pictures. Without our checks, many of them make Pillow crash, or use far more memory than a normal file."""

import io
import struct
import zipfile
import zlib

from PIL import Image

from tests.handlers.thumbnail.pictures import ORIENTATION, RED, grey_bars, jpeg, save, scene
from tests.handlers.thumbnail.raw import (
    HEIGHT,
    LONG,
    RATIONAL,
    SHORT,
    Entries,
    png,
    png_chunk,
    png_file,
    split,
    tiff,
    tiff_directory,
)

TOO_MANY_VALUES = 120_000
"""More values than one tag is allowed to have."""


def _compressed_zeros(length: int) -> bytes:
    """Return at least `length` zeros, compressed to about one thousandth of their length."""
    block = 100_000
    blocks = -(-length // block)
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    compressed = compressor.compress(bytes(block)) + compressor.flush(
        zlib.Z_FULL_FLUSH
    )  # after a full flush, this compressed block can be repeated
    checksum = (block * blocks % 65521) << 16 | 1  # Adler-32 of the zeros
    return b"\x78\xda" + compressed * blocks + compressor.flush() + struct.pack(">I", checksum)


def bomb(file_format: str, pixels: int = 120_000_000) -> bytes:
    """Return a small file of a picture with very many pixels."""
    width, height = pixels // 10_000, 10_000
    if file_format == "PNG":
        return png_file((width, height), 8, 0, png_chunk(b"IDAT", _compressed_zeros(height * (1 + width))))
    small = save(Image.new("RGB", (16, 16)), file_format)
    offset, size_format = {"GIF": (6, "<HH"), "BMP": (18, "<II")}[file_format]
    return _overwrite(small, offset, struct.pack(size_format, width, height))


def _overwrite(data: bytes, offset: int, part: bytes) -> bytes:
    return data[:offset] + part + data[offset + len(part) :]


def gif_with_large_frame(width: int = 60_000, height: int = 60_000) -> bytes:
    """Return a GIF of 16 x 16 pixels whose first frame says that it is larger. The frame has data for 16 x 40 pixels.

    Pillow reads the size of the frame when it opens the file.
    """
    small = _overwrite(save(Image.new("P", (16, 40)), "GIF"), 6, struct.pack("<HH", 16, 16))
    return _overwrite(small, small.index(b",", 13) + 5, struct.pack("<HH", width, height))


def tiff_with_many_strips() -> bytes:
    """Return a TIFF that lists the same strip too many times. Pillow creates an object for each entry."""
    return tiff([8], 1, grey_bars("B"), tags={273: (LONG, [8] * TOO_MANY_VALUES), 278: (LONG, [HEIGHT - 1])})


def big_tiff_with_many_strips() -> bytes:
    """Return a BigTIFF (a TIFF with 64-bit offsets) that lists the same strip too many times."""
    whole = save(scene(), "TIFF", big_tiff=True)
    after_compression = whole.index(struct.pack("<HHQQ", 259, SHORT, 1, 1))
    for tag, count, value in ((273, TOO_MANY_VALUES, len(whole)), (278, 1, HEIGHT - 1)):
        entry = whole.index(struct.pack("<H", tag), after_compression)
        whole = _overwrite(whole, entry, struct.pack("<HHQQ", tag, LONG, count, value))
    return whole + struct.pack("<L", 16) * TOO_MANY_VALUES


def tiff_with_strips_as_bytes() -> bytes:
    """Return a TIFF whose list of strips is too long and has the type BYTE. In other tags, such a list is harmless."""
    whole = tiff_with_many_strips()
    entry = whole.index(struct.pack("<HHL", 273, LONG, TOO_MANY_VALUES))
    return _overwrite(whole, entry, struct.pack("<HHL", 273, 1, 4 * TOO_MANY_VALUES))


def tiff_with_large_exif() -> bytes:
    """Return a TIFF whose EXIF directory has a very long list of fractions."""
    pixels = grey_bars("B")
    offset = 8 + len(pixels)
    exif = tiff_directory({0x829A: (RATIONAL, [1, 1] * TOO_MANY_VALUES)}, offset)
    return tiff([8], 1, pixels + exif, tags={34665: (LONG, [offset])})


def tiff_with_large_tile(edge: int = 16_000) -> bytes:
    """Return a TIFF of 320 x 200 pixels in one compressed tile of `edge` x `edge` pixels."""
    pixels = _compressed_zeros(edge * edge)
    tile: Entries = {
        259: (SHORT, [8]),
        322: (LONG, [edge]),
        323: (LONG, [edge]),
        324: (LONG, [8]),
        325: (LONG, [len(pixels)]),
    }
    return tiff([8], 1, pixels, tags=tile)


def _exif_block(entries: Entries) -> bytes:
    return b"II*\0" + struct.pack("<L", 8) + tiff_directory(entries, 8)


def jpeg_with_large_exif(separator: bytes = b"") -> bytes:
    """Return a JPEG whose resolution in EXIF is a very long list of fractions.

    The EXIF is split into many segments. Pillow skips the `separator` between two segments, and joins the segments.
    """
    exif = _exif_block(
        {ORIENTATION: (SHORT, [1]), 0x011A: (RATIONAL, [72, 1] * 5 * TOO_MANY_VALUES), 0x0128: (SHORT, [2])}
    )
    segments = (b"Exif\0\0" + part for part in split(exif, 65_000))
    joined = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + separator for part in segments)
    plain_jpeg = jpeg()
    # The JFIF segment is missing, because Pillow would use its resolution.
    return plain_jpeg[:2] + joined + plain_jpeg[20:]


def png_with_large_exif() -> bytes:
    """Return a PNG whose orientation in EXIF is a very long list."""
    exif = _exif_block({ORIENTATION: (LONG, [1000] * 16 * TOO_MANY_VALUES)})
    return png(8, 2, scene().tobytes(), png_chunk(b"eXIf", exif))


def png_with_large_chunk() -> bytes:
    """Return a PNG with a colour profile of 32 MiB that is not compressed."""
    return png(8, 2, scene().tobytes(), png_chunk(b"iCCP", b"profile\0\0" + bytes(32 << 20)))


def png_with_text_bomb(kind: bytes) -> bytes:
    """Return a PNG with a compressed text or colour profile of 64 MB."""
    start = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}[kind]
    return png(8, 2, scene().tobytes(), png_chunk(kind, start + _compressed_zeros(64_000_000)))


def cyclic_tiff() -> bytes:
    """Return a TIFF with one directory, which links to itself as the next directory and as the EXIF directory."""
    pixels = grey_bars("B")
    offset = 8 + len(pixels)
    whole = tiff([8], 1, pixels, tags={34665: (LONG, [offset])})
    return _overwrite(whole, offset + 2 + 12 * 10, struct.pack("<L", offset))


def jpeg_with_many_scans(scans: int) -> bytes:
    """Return a progressive JPEG that repeats its last scan."""
    whole = jpeg(progressive=True)
    last_start = whole.rindex(b"\xff\xda")
    scan = whole[last_start:-2]
    return whole[:last_start] + scan * (scans - whole[:last_start].count(b"\xff\xda")) + whole[-2:]


def jpeg_with_many_scans_of_one_channel(scans: int) -> bytes:
    """Return a JPEG that is not progressive. Each scan says that it has one of the three channels."""
    whole = jpeg()
    start = whole.rindex(b"\xff\xda")
    return whole[:start] + bytes.fromhex("ffda 0008 01 01 00 00 3f 00") * scans + whole[-2:]


def avif_larger_than_its_header_says(edge: int = 7000) -> bytes:
    """Return an AVIF of `edge` x `edge` pixels. Its header says 100 x 75 (ISO/IEC 23008-12, 6.5.3)."""
    whole = save(Image.new("RGB", (edge, edge), RED), "AVIF", speed=10)
    return _overwrite(whole, whole.index(b"ispe") + 8, struct.pack(">II", 100, 75))


def contradictory_tiffs() -> dict[str, bytes]:
    """Return TIFFs whose tags contradict the data."""
    pixels = grey_bars("B")
    tags: dict[str, Entries] = {
        "no-size": {256: (LONG, [0])},
        "enormous-size": {256: (LONG, [2**31]), 257: (LONG, [2**31])},
        "two-sizes": {256: (LONG, [320, 320_000])},
        "no-samples": {277: (SHORT, [0])},
        "many-samples": {277: (LONG, [2**31])},
        "strip-outside-the-file": {273: (LONG, [2**32 - 1])},
        "no-rows-in-a-strip": {278: (LONG, [0])},
        "unknown-compression": {259: (SHORT, [4711])},
        "not-jpeg": {259: (SHORT, [7])},
        "not-deflate": {259: (SHORT, [8])},
        "not-lzw": {259: (SHORT, [5])},
        "not-ccitt": {259: (SHORT, [4])},
        "no-palette": {262: (SHORT, [3])},
        "short-palette": {262: (SHORT, [3]), 320: (SHORT, [1, 2, 3])},
        "unknown-orientation": {274: (SHORT, [65535])},
    }
    files = {name: tiff([8], 1, pixels, tags=entries) for name, entries in tags.items()}
    one_value, many_values = (struct.pack("<HHL", 258, SHORT, count) for count in (1, 2**32 - 1))
    return {**files, "many-bits": tiff([8], 1, pixels).replace(one_value, many_values)}


def other_files() -> dict[str, bytes]:
    """Return files that are not pictures in a supported format. A user can upload them under names such as a.jpg."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("picture.jpg", b"no picture")
    files = {
        "empty": b"",
        "one-byte": b"\xff",
        "zip": archive.getvalue(),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
        "html": b"<!doctype html><title>404</title><p>Not found",
        "text": b"hello\n" * 100,
        "zeros": bytes(4096),
        "mp4": b"\0\0\0\x14ftypisom\0\0\0\0mp42" + bytes(100),
    }
    unsupported = ("PPM", "TGA", "JPEG2000", "ICO", "PDF", "EPS", "SGI", "PCX")
    return {**files, **{f"pillow-{name}": save(scene(), name) for name in unsupported}}


MAGIC_BYTES = (
    *(b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x24\0\0\0WEBPVP8 "),
    *(b"\0\0\0\x1cftypavif", b"II*\0\x08\0\0\0", b"BM"),
)
"""The first bytes of a file, for each format."""
