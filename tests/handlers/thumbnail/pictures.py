"""Pictures for tests, made in code so that nothing binary is committed: good ones of every kind, and hostile ones.

The good ones in colour all show one scene: four quarters, red and green above blue and white. No two rotations or
reflections of it look alike.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

Picture = Callable[[], bytes]
Entries = Mapping[int, tuple[int, Sequence[int]]]

SIZE = WIDTH, HEIGHT = 320, 200
RED, GREEN, BLUE, WHITE = (220, 30, 40), (20, 160, 60), (40, 60, 200), (250, 250, 250)
QUARTERS = ((0.25, 0.25, RED), (0.75, 0.25, GREEN), (0.25, 0.75, BLUE), (0.75, 0.75, WHITE))
"""Where in the scene (as parts of its width and height) which colour is."""

ORIENTATION, GPS = 0x0112, 0x8825
SECRET = b"48.2082N"
"""What no thumbnail may contain: it stands for the place where somebody lives."""


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """The scene that the good pictures show."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def save(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The bytes of an image in a format."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def jpeg(size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """A JPEG of the scene."""
    return save(scene(size), "JPEG", **{"quality": 95, "subsampling": 0, **options})


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], depth: int, colour: int, pixels: bytes, *chunks: bytes) -> bytes:
    """A PNG of raw pixels, with further chunks before them. Rows must fill whole bytes."""
    stride = len(pixels) // size[1]
    rows = b"".join(b"\0" + row for row in _cut(pixels, stride)) if stride else pixels
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    end = png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")
    return b"".join((b"\x89PNG\r\n\x1a\n", header, *chunks, *end))


SHORT, LONG, RATIONAL = 3, 4, 5
_FORMS = {SHORT: "H", LONG: "L", RATIONAL: "L"}


def directory(entries: Entries, at: int, order: str = "<", counts: Mapping[int, int] | None = None) -> bytes:
    """A TIFF directory to lie at an offset, long values behind it. `counts` are lies about how many there are."""
    end = at + 2 + 12 * len(entries) + 4
    table, behind = b"", b""
    for tag, (kind, values) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}{_FORMS[kind]}", *values)
        count = (counts or {}).get(tag, len(values) // (2 if kind == RATIONAL else 1))
        table += struct.pack(order + "HHL", tag, kind, count)
        inline = len(packed) <= 4  # TIFF 6.0: what fits into the offset's own bytes
        table += packed.ljust(4, b"\0") if inline else struct.pack(order + "L", end + len(behind))
        behind += b"" if inline else packed
    return struct.pack(order + "H", len(entries)) + table + bytes(4) + behind


def tiff(
    bits: Sequence[int],
    photometric: int,
    pixels: bytes,
    order: str = "<",
    *,
    more: Entries | None = None,
    counts: Mapping[int, int] | None = None,
) -> bytes:
    """A TIFF of SIZE in one strip of raw pixels. `more` entries win over the usual ones; `counts` as in directory."""
    entries: Entries = {
        256: (LONG, [WIDTH]),
        257: (LONG, [HEIGHT]),
        258: (SHORT, bits),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        273: (LONG, [8]),
        277: (SHORT, [len(bits)]),
        278: (LONG, [HEIGHT]),
        279: (LONG, [len(pixels)]),
        **(more or {}),
    }
    at = 8 + len(pixels)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", at)
    return header + pixels + directory(entries, at, order, counts)


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


# --- good, in colour ---


def _deep(image: Image.Image, order: str) -> bytes:
    """An image's pixels with 16 bits a channel, whose low bytes tell nothing of the picture."""
    return b"".join(struct.pack(order + "H", value << 8 | 0x5A) for value in image.tobytes())


def _palette() -> Image.Image:
    return scene().quantize(8, dither=Image.Dither.NONE)


def _then_black(file_format: str, **options: Any) -> bytes:
    second = Image.new("RGB", SIZE)
    return save(scene(), file_format, save_all=True, append_images=[second], **options)


GOOD: dict[str, Picture] = {
    "jpeg": jpeg,
    "jpeg-progressive": lambda: jpeg(progressive=True),
    "jpeg-cmyk": lambda: save(scene().convert("CMYK"), "JPEG", quality=95),  # inverted, as Adobe's are
    "jpeg-mpo": lambda: _then_black("MPO", quality=95, subsampling=0),
    "png": lambda: save(scene(), "PNG"),
    "png-palette": lambda: save(_palette(), "PNG"),
    "png-16": lambda: png(SIZE, 16, 2, _deep(scene(), ">")),
    "png-16-alpha": lambda: png(SIZE, 16, 6, _deep(scene().convert("RGBA"), ">")),
    "png-animated": lambda: _then_black("PNG"),
    "gif": lambda: save(_palette(), "GIF"),
    "gif-interlaced": lambda: save(_palette(), "GIF", interlace=1),
    "gif-animated": lambda: _then_black("GIF"),
    "webp": lambda: save(scene(), "WEBP", quality=95),
    "webp-lossless": lambda: save(scene(), "WEBP", lossless=True),
    "webp-animated": lambda: _then_black("WEBP", quality=95),
    "avif": lambda: save(scene(), "AVIF", quality=90, speed=10),
    "avif-animated": lambda: _then_black("AVIF", quality=90, speed=10),
    "tiff": lambda: save(scene(), "TIFF"),
    "tiff-lzw": lambda: save(scene(), "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: save(scene(), "TIFF", compression="jpeg", quality=95),
    "tiff-palette": lambda: save(_palette(), "TIFF"),
    "tiff-cmyk": lambda: save(scene().convert("CMYK"), "TIFF"),
    "tiff-ycbcr": lambda: save(scene().convert("YCbCr"), "TIFF"),
    "tiff-lab": lambda: save(scene().convert("LAB"), "TIFF"),
    "tiff-16": lambda: tiff([16] * 3, 2, _deep(scene(), "<")),
    "tiff-16-big-endian": lambda: tiff([16] * 3, 2, _deep(scene(), ">"), ">"),
    "tiff-16-alpha": lambda: tiff([16] * 4, 2, _deep(scene().convert("RGBA"), "<"), more={338: (SHORT, [2])}),
    "tiff-big": lambda: save(scene(), "TIFF", big_tiff=True),
    "tiff-two-pages": lambda: _then_black("TIFF"),
    "bmp": lambda: save(scene(), "BMP"),
    "bmp-palette": lambda: save(_palette(), "BMP"),
}


# --- good, in grey: four bars, from black on the left ---

GREYS = (0, 64, 128, 255)


def _bars(form: str, black: float = 0, white: float = 1) -> bytes:
    """Rows of pixels of the four greys, scaled to a range of values."""
    levels = (black + (white - black) * grey / 255 for grey in GREYS)
    cells = (struct.pack(form, level if form[-1] == "f" else round(level)) for level in levels)
    return b"".join(cell * (WIDTH // len(GREYS)) for cell in cells) * HEIGHT


def _grey() -> Image.Image:
    return Image.frombytes("L", SIZE, _bars("B", 0, 255))


def _twelve_bits() -> bytes:
    values = [value for (value,) in struct.iter_unpack("<H", _bars("<H", 0, 4095))]
    pairs = zip(values[::2], values[1::2], strict=True)
    return b"".join(struct.pack(">I", a << 12 | b)[1:] for a, b in pairs)


def _signed(bits: int, black: int, white: int) -> bytes:
    return tiff([bits], 1, _bars("<h" if bits == 16 else "<i", black, white), more={339: (SHORT, [2])})


def _float(order: str, black: float, white: float) -> bytes:
    return tiff([32], 1, _bars(order + "f", black, white), order, more={339: (SHORT, [3])})


GREY: dict[str, Picture] = {
    "jpeg": lambda: save(_grey(), "JPEG", quality=95),
    "png": lambda: save(_grey(), "PNG"),
    "png-alpha": lambda: save(_grey().convert("LA"), "PNG"),
    "png-16": lambda: png(SIZE, 16, 0, _bars(">H", 0, 65535)),
    "png-16-alpha": lambda: png(SIZE, 16, 4, b"".join(v + b"\xff\xff" for v in _cut(_bars(">H", 0, 65535), 2))),
    "gif": lambda: save(_grey(), "GIF"),
    "tiff-16": lambda: tiff([16], 1, _bars("<H", 0, 65535)),
    "tiff-16-big-endian": lambda: tiff([16], 1, _bars(">H", 0, 65535), ">"),
    "tiff-16-lzw": lambda: save(Image.frombytes("I;16", SIZE, _bars("<H", 0, 65535)), "TIFF", compression="tiff_lzw"),
    "tiff-16-white-is-zero": lambda: tiff([16], 0, _bars("<H", 65535, 0)),
    "tiff-12": lambda: tiff([12], 1, _twelve_bits()),
    "tiff-32": lambda: _signed(32, 0, 65535),
    "tiff-32-whole-range": lambda: _signed(32, -(2**31), 2**31 - 1),
    "tiff-16-signed": lambda: _signed(16, -32768, 32767),
    "tiff-float": lambda: _float("<", 0, 1),
    "tiff-float-big-endian": lambda: _float(">", 0, 1),
    "tiff-float-255": lambda: _float("<", 0, 255),
    "tiff-float-any": lambda: _float("<", -4e6, 9e6),
    "tiff-float-16-bit-range": lambda: _float("<", 0, 65535),
}


def odd_floats() -> dict[str, bytes]:
    """Pictures of floats from which no range can be told."""
    made = {str(value): _float("<", value, value) for value in (float("nan"), float("inf"), 1e38, -1.0)}
    return {**made, "mixed": _float("<", float("-inf"), float("inf"))}


def black_and_white(file_format: str) -> bytes:
    """One bit a pixel: black on the left, a checkerboard of single pixels, grey from afar, on the right."""
    checks = Image.frombytes("1", SIZE, (b"\xaa" * (WIDTH // 8) + b"\x55" * (WIDTH // 8)) * (HEIGHT // 2))
    checks.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    return save(checks, file_format)


# --- good, transparent on the left, RED on the right ---


def _half_transparent(mode: str = "RGBA") -> Image.Image:
    """Under the transparency hides white, which must not bleed into the edge."""
    image = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    image.paste((*RED, 255), (WIDTH // 2, 0, WIDTH, HEIGHT))
    return image.convert(mode)


def _key_on_left(colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", SIZE, RED)
    image.paste(colour, (0, 0, WIDTH // 2, HEIGHT))
    return image


def _transparent_palette() -> Image.Image:
    image = Image.new("P", SIZE, 1)
    image.putpalette([255, 255, 255, *RED])
    image.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    return image


def _premultiplied() -> bytes:
    pixels = _half_transparent().convert("RGBa").tobytes()
    return tiff([8] * 4, 2, pixels, more={338: (SHORT, [1])})


def _palette_with_alpha() -> bytes:
    pixels = bytes((0, 0)) * (WIDTH // 2) + bytes((1, 255)) * (WIDTH // 2)
    red, green, blue = ([255 << 8, RED[band] << 8, *[0] * 254] for band in range(3))
    more = {320: (SHORT, red + green + blue), 338: (SHORT, [2])}
    return tiff([8, 8], 3, pixels * HEIGHT, more=more)


TRANSPARENT: dict[str, Picture] = {
    "png": lambda: save(_half_transparent(), "PNG"),
    "png-palette": lambda: save(_transparent_palette(), "PNG", transparency=bytes((0, 255))),
    "png-palette-index": lambda: save(_transparent_palette(), "PNG", transparency=0),
    "png-colour-key": lambda: save(_key_on_left((1, 2, 3)), "PNG", transparency=(1, 2, 3)),
    "gif": lambda: save(_transparent_palette(), "GIF", transparency=0),
    "webp": lambda: save(_half_transparent(), "WEBP", quality=95),
    "avif": lambda: save(_half_transparent(), "AVIF", quality=90, speed=10),
    "tiff": lambda: save(_half_transparent(), "TIFF"),
    "tiff-premultiplied": _premultiplied,
    "tiff-palette": _palette_with_alpha,
}


def _grey_with_alpha(alpha_kind: int) -> bytes:
    row = bytes((0, 0)) * (WIDTH // 2) + bytes((128, 255)) * (WIDTH // 2)
    return tiff([8, 8], 1, row * HEIGHT, more={338: (SHORT, [alpha_kind])})


TRANSPARENT_GREY: dict[str, Picture] = {
    "png": lambda: png(SIZE, 8, 4, (bytes((255, 0)) * (WIDTH // 2) + bytes((128, 255)) * (WIDTH // 2)) * HEIGHT),
    "png-key": lambda: png(
        SIZE, 8, 0, (bytes((7,)) * (WIDTH // 2) + bytes((128,)) * (WIDTH // 2)) * HEIGHT, png_chunk(b"tRNS", b"\0\7")
    ),
    "tiff": lambda: _grey_with_alpha(2),
    "tiff-premultiplied": lambda: _grey_with_alpha(1),
}


# --- good, with metadata ---


def exif() -> Image.Exif:
    """EXIF with the place where the picture was taken."""
    tags = Image.Exif()
    tags[0x010E] = SECRET.decode()
    tags[GPS] = {1: "N", 2: (48.0, 12.0, 29.5), 29: SECRET.decode()}
    return tags


_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(orientation: int, file_format: str, **options: Any) -> bytes:
    """The scene as a camera held in this way stores it, with the EXIF that says so."""
    stored = scene()
    if orientation in _STORED:
        stored = stored.transpose(_STORED[orientation])
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return save(stored, file_format, exif=tags.tobytes(), **options)


def with_all_metadata(file_format: str) -> bytes:
    """EXIF with GPS, XMP, a comment, an ICC profile: each contains SECRET."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
    options: dict[str, Any] = {"exif": exif(), "icc_profile": profile}
    if file_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET)
        text.add_itxt("XML:com.adobe.xmp", SECRET)
        return save(scene(), "PNG", pnginfo=text, **options)
    if file_format == "JPEG":
        options["comment"] = SECRET
    return save(scene(), file_format, xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", **options)


# --- ICC profiles (ICC.1:2010) ---


def swapped_profile() -> bytes:
    """An RGB profile under which red shows as green and green as red."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)


def linear_profile() -> bytes:
    """An RGB profile of gamma 1, under which a stored 55 shows as 128."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    curve = profile.index(b"para")
    return profile[:curve] + b"curv" + bytes(8) + profile[curve + 12 :]


def _profile(space: bytes, connection: bytes, kind: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(value))
        data += value.ljust(-(-len(value) // 4) * 4, b"\0")
    white = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)  # D50
    header = struct.pack(">I4xI4s4s4s", start + len(data), 0x02400000, kind, space, connection)
    header += struct.pack(">6H4s28x", 2020, 1, 1, 0, 0, 0, b"acsp") + white
    return header.ljust(128, b"\0") + table + data


def _xyz(*values: int) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *values)


def linear_grey_profile() -> bytes:
    """A grey profile of gamma 1, under which a stored 55 shows as 128."""
    tags = {b"wtpt": _xyz(0xF6D6, 0x10000, 0xD32D), b"kTRC": b"curv" + bytes(8)}
    return _profile(b"GRAY", b"XYZ ", b"mntr", tags)


def black_only_profile() -> bytes:
    """A CMYK profile under which only black ink shows: cyan, magenta and yellow are invisible."""
    identity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000)
    ramp = bytes(range(256))
    grid = b"".join(bytes((0 if black else 255, 128, 128)) for _ in range(8) for black in (0, 1))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": _xyz(0xF6D6, 0x10000, 0xD32D), b"A2B0": lut})


def broken_profiles() -> dict[str, bytes]:
    """Profiles that cannot be used, for several reasons."""
    good = swapped_profile()
    return {
        "rubbish": b"not a profile" * 20,
        "tiny": b"\0",
        "cut off": good[:200],
        "for another kind of picture": black_only_profile(),
        "huge tag count": good[:128] + struct.pack(">I", 0xFFFFFFFF) + good[132:],
        "tags outside": good[:132] + good[132:].replace(b"\0\0\1", b"\x7f\xff\xff"),
    }


# --- hostile: Pillow alone would crash, or take much more memory than the file's size suggests ---

MANY = 120_000


def _zeros(length: int) -> bytes:
    """Zeros, at least as many, in a thousandth of their length."""
    block = 100_000
    blocks = -(-length // block)
    squeezed = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    one = squeezed.compress(bytes(block)) + squeezed.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    adler = (block * blocks % 65521) << 16 | 1  # of so many zeros
    return b"\x78\xda" + one * blocks + squeezed.flush() + struct.pack(">I", adler)


def bomb(file_format: str, pixels: int = 120_000_000) -> bytes:
    """A small file of very many pixels, which decodes by default."""
    size = (pixels // 10_000, 10_000)
    if file_format == "PNG":
        header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
        chunks = (
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", _zeros(size[1] * (1 + size[0]))),
            png_chunk(b"IEND", b""),
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    small = save(Image.new("RGB", (16, 16)), file_format)
    offset = {"GIF": 6, "BMP": 18}[file_format]
    dimensions = struct.pack("<HH" if file_format == "GIF" else "<II", *size)
    return small[:offset] + dimensions + small[offset + len(dimensions) :]


def gif_with_large_frame(width: int = 60_000, height: int = 60_000) -> bytes:
    """A GIF of 16 x 16 whose first frame is larger, as Pillow finds out while it opens the file. It fills 16 x 40."""
    small = bytearray(save(Image.new("P", (16, 40)), "GIF"))
    small[6:10] = struct.pack("<HH", 16, 16)
    frame = small.index(b",", 13)
    small[frame + 5 : frame + 9] = struct.pack("<HH", width, height)
    return bytes(small)


def tiff_with_many_strips() -> bytes:
    """A TIFF that names one strip again and again; Pillow makes an object of each."""
    strips: Entries = {273: (LONG, [8] * MANY), 278: (LONG, [HEIGHT - 1])}
    return tiff([8], 1, _bars("B", 0, 255), more=strips)


def big_tiff_with_many_strips() -> bytes:
    """As above, in the TIFF of 64 bits."""
    whole = bytearray(save(scene(), "TIFF", big_tiff=True))
    for tag, kind, count, value in ((273, LONG, MANY, len(whole)), (278, LONG, 1, HEIGHT - 1)):
        entry = whole.index(struct.pack("<H", tag), whole.index(struct.pack("<HHQQ", 259, SHORT, 1, 1)))
        whole[entry : entry + 20] = struct.pack("<HHQQ", tag, kind, count, value)
    return bytes(whole) + struct.pack("<L", 16) * MANY


def tiff_with_strips_as_bytes() -> bytes:
    """As above, in a type that is otherwise harmless."""
    whole = bytearray(tiff_with_many_strips())
    entry = whole.index(struct.pack("<HHL", 273, LONG, MANY))
    whole[entry : entry + 8] = struct.pack("<HHL", 273, 1, 4 * MANY)
    return bytes(whole)


def tiff_with_large_exif() -> bytes:
    """A TIFF whose EXIF directory has a very long list of fractions."""
    pixels = _bars("B", 0, 255)
    at = 8 + len(pixels)
    behind = directory({0x829A: (RATIONAL, [1, 1] * MANY)}, at)
    return tiff([8], 1, pixels + behind, more={34665: (LONG, [at])})


def tiff_with_large_tile(edge: int = 16_000) -> bytes:
    """A TIFF of 320 x 200 in one compressed tile of very many pixels."""
    pixels = _zeros(edge * edge)
    tile: Entries = {
        259: (SHORT, [8]),
        322: (LONG, [edge]),
        323: (LONG, [edge]),
        324: (LONG, [8]),
        325: (LONG, [len(pixels)]),
    }
    return tiff([8], 1, pixels, more=tile)


def jpeg_with_large_exif(between: bytes = b"") -> bytes:
    """A JPEG whose resolution is a very long list of fractions, in many segments that Pillow joins.

    What lies between the segments it skips.
    """
    tags: Entries = {ORIENTATION: (SHORT, [1]), 0x011A: (RATIONAL, [72, 1] * 5 * MANY), 0x0128: (SHORT, [2])}
    block = b"II*\0" + struct.pack("<L", 8) + directory(tags, 8)
    segments = (b"Exif\0\0" + part for part in _cut(block, 65_000))
    joined = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + between for part in segments)
    plain = jpeg()
    return plain[:2] + joined + plain[20:]  # without the JFIF segment, whose resolution would win


def png_with_large_exif() -> bytes:
    """A PNG whose orientation is a very long list."""
    block = b"II*\0" + struct.pack("<L", 8) + directory({ORIENTATION: (LONG, [1000] * 16 * MANY)}, 8)
    return png(SIZE, 8, 2, scene().tobytes(), png_chunk(b"eXIf", block))


def png_with_text_bomb(kind: bytes) -> bytes:
    """A PNG with a compressed text, or profile, of 64 MB."""
    squeezed = _zeros(64_000_000)
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}[kind]
    return png(SIZE, 8, 2, scene().tobytes(), png_chunk(kind, head + squeezed))


def cyclic_tiff() -> bytes:
    """A TIFF whose only directory says that the next one is itself, and so does its EXIF directory."""
    pixels = _bars("B", 0, 255)
    at = 8 + len(pixels)
    whole = tiff([8], 1, pixels, more={34665: (LONG, [at])})
    following = at + 2 + 12 * 10
    return whole[:following] + struct.pack("<L", at) + whole[following + 4 :]


def lying_tiffs() -> dict[str, bytes]:
    """TIFFs whose tags contradict the data."""
    pixels = _bars("B", 0, 255)
    lies: dict[str, Entries] = {
        "no size": {256: (LONG, [0])},
        "enormous size": {256: (LONG, [2**31]), 257: (LONG, [2**31])},
        "two sizes": {256: (LONG, [320, 320_000])},
        "no samples": {277: (SHORT, [0])},
        "many samples": {277: (LONG, [2**31])},
        "strip outside": {273: (LONG, [2**32 - 1])},
        "no rows in a strip": {278: (LONG, [0])},
        "unknown compression": {259: (SHORT, [4711])},
        "says JPEG": {259: (SHORT, [7])},
        "says deflate": {259: (SHORT, [8])},
        "says LZW": {259: (SHORT, [5])},
        "says CCITT": {259: (SHORT, [4])},
        "palette without palette": {262: (SHORT, [3])},
        "short palette": {262: (SHORT, [3]), 320: (SHORT, [1, 2, 3])},
        "negative orientation": {274: (SHORT, [65535])},
    }
    made = {name: tiff([8], 1, pixels, more=more) for name, more in lies.items()}
    return {**made, "many bits": tiff([8], 1, pixels, counts={258: 2**32 - 1})}


def foreign_files() -> dict[str, bytes]:
    """What people upload under a picture's name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("picture.jpg", b"no picture")
    return {
        "empty": b"",
        "one byte": b"\xff",
        "zip": archive.getvalue(),
        "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
        "html": b"<!doctype html><title>404</title><p>Not found",
        "text": b"hello\n" * 100,
        "zeros": bytes(4096),
        "icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\x68\4\0\0\x16\0\0\0" + bytes(64),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
    }


MAGIC = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF89a",
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "avif": b"\0\0\0\x1cftypavif",
    "tiff": b"II*\0\x08\0\0\0",
    "bmp": b"BM",
}
"""How a file of each format begins."""


def jpeg_with_many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan is sent again and again."""
    whole = jpeg(progressive=True)
    last = whole.rindex(b"\xff\xda")
    scan = whole[last:-2]
    return whole[:last] + scan * (scans - whole[:last].count(b"\xff\xda")) + whole[-2:]


def avif_larger_than_it_says(edge: int = 7000) -> bytes:
    """Announced (ISO/IEC 23008-12, 6.5.3) as 100 by 75, it decodes to `edge` squared."""
    whole = save(Image.new("RGB", (edge, edge), RED), "AVIF", speed=10)
    announced = whole.index(b"ispe") + 8
    return whole[:announced] + struct.pack(">II", 100, 75) + whole[announced + 8 :]
