"""Good test pictures. The code makes them, so the repository needs no binary files.

All pictures in colour show the same scene with four quarters: red and green above, blue and white below. So a rotated
or mirrored picture never looks like the scene.
"""

import io
import struct
from collections.abc import Callable
from typing import Any

import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from tests.handlers.thumbnail.raw import HEIGHT, SHORT, SIZE, WIDTH, convert_rows, png, png_chunk, split, tiff

pillow_heif.register_heif_opener()  # then Pillow can write HEIC, which it calls HEIF

Picture = Callable[[], bytes]

RED, GREEN, BLUE, WHITE = (220, 30, 40), (20, 160, 60), (40, 60, 200), (250, 250, 250)
QUARTERS = ((0.25, 0.25, RED), (0.75, 0.25, GREEN), (0.25, 0.75, BLUE), (0.75, 0.75, WHITE))
"""The middle of each quarter (as fractions of width and height) and its colour."""


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """Return the image with a red, a green, a blue and a white quarter."""
    width, height = size
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def save(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return the bytes of a file in this format."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def jpeg(size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """Return a JPEG of the scene."""
    return save(scene(size), "JPEG", **{"quality": 95, "subsampling": 0, **options})


AVIF_OPTIONS: dict[str, Any] = {"quality": 95, "subsampling": "4:4:4", "speed": 10}
HEIC_OPTIONS: dict[str, Any] = {"quality": 90, "chroma": 444, "enc_params": {"preset": "ultrafast"}}


def heic(image: Image.Image, **options: Any) -> bytes:
    """Return a HEIC of this image."""
    return save(image, "HEIF", **{**HEIC_OPTIONS, **options})


def _ten_bit_heic(mode: str, pixels: bytes) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_bytes(f"{mode};16", SIZE, pixels).save(file, **HEIC_OPTIONS)
    return file.getvalue()


# --- pictures in colour ---


def _to_16_bits(image: Image.Image, order: str) -> bytes:
    """Return the pixels with 16 bits per channel. The low bytes have no meaning."""
    low_byte_first = order == "<"
    cells = [bytes((0x5A, value) if low_byte_first else (value, 0x5A)) for value in range(256)]
    row_bytes = image.width * len(image.getbands())
    return convert_rows(image.tobytes(), row_bytes, lambda row: b"".join(cells[value] for value in row))


def _palette_scene() -> Image.Image:
    return scene().quantize(8, dither=Image.Dither.NONE)


def _with_black_second_frame(file_format: str, **options: Any) -> bytes:
    black = Image.new("RGB", SIZE)
    return save(scene(), file_format, save_all=True, append_images=[black], **options)


GOOD_PICTURES: dict[str, Picture] = {
    "jpeg": jpeg,
    "jpeg-progressive": lambda: jpeg(progressive=True),
    "jpeg-cmyk": lambda: save(scene().convert("CMYK"), "JPEG", quality=95),  # inverted values, as Adobe writes
    "jpeg-mpo": lambda: _with_black_second_frame("MPO", quality=95, subsampling=0),
    "png": lambda: save(scene(), "PNG"),
    "png-palette": lambda: save(_palette_scene(), "PNG"),
    "png-16": lambda: png(16, 2, _to_16_bits(scene(), ">")),
    "png-16-alpha": lambda: png(16, 6, _to_16_bits(scene().convert("RGBA"), ">")),
    "png-animated": lambda: _with_black_second_frame("PNG"),
    "gif": lambda: save(_palette_scene(), "GIF"),
    "gif-interlaced": lambda: save(_palette_scene(), "GIF", interlace=1),
    "gif-animated": lambda: _with_black_second_frame("GIF"),
    "webp": lambda: save(scene(), "WEBP", quality=95),
    "webp-lossless": lambda: save(scene(), "WEBP", lossless=True),
    "webp-animated": lambda: _with_black_second_frame("WEBP", quality=95),
    "avif": lambda: save(scene(), "AVIF", **AVIF_OPTIONS),
    "avif-animated": lambda: _with_black_second_frame("AVIF", **AVIF_OPTIONS),
    "heic": lambda: heic(scene()),
    "heic-10": lambda: _ten_bit_heic("RGB", _to_16_bits(scene(), "<")),
    "heic-grid": lambda: heic(scene(), tile_size=64),
    "heic-two-pictures": lambda: _with_black_second_frame("HEIF", **HEIC_OPTIONS),
    "heic-second-picture": lambda: heic(
        Image.new("RGB", SIZE), save_all=True, append_images=[scene()], primary_index=1
    ),
    "tiff": lambda: save(scene(), "TIFF"),
    "tiff-lzw": lambda: save(scene(), "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: save(scene(), "TIFF", compression="jpeg", quality=95),
    "tiff-palette": lambda: save(_palette_scene(), "TIFF"),
    "tiff-cmyk": lambda: save(scene().convert("CMYK"), "TIFF"),
    "tiff-ycbcr": lambda: save(scene().convert("YCbCr"), "TIFF"),
    "tiff-lab": lambda: save(scene().convert("LAB"), "TIFF"),
    "tiff-16": lambda: tiff([16] * 3, 2, _to_16_bits(scene(), "<")),
    "tiff-16-big-endian": lambda: tiff([16] * 3, 2, _to_16_bits(scene(), ">"), ">"),
    "tiff-16-alpha": lambda: tiff([16] * 4, 2, _to_16_bits(scene().convert("RGBA"), "<"), tags={338: (SHORT, [2])}),
    "tiff-big": lambda: save(scene(), "TIFF", big_tiff=True),
    "tiff-two-pages": lambda: _with_black_second_frame("TIFF"),
    "bmp": lambda: save(scene(), "BMP"),
    "bmp-palette": lambda: save(_palette_scene(), "BMP"),
}


# --- grey pictures: four bars, from black on the left to white on the right ---

GREY_LEVELS = (0, 64, 128, 255)


def grey_bars(pixel_format: str, black: float = 0, white: float = 255) -> bytes:
    """Return the pixels of the bars in a struct format. `black` and `white` are the values of the outer bars."""
    levels = (black + (white - black) * grey / 255 for grey in GREY_LEVELS)
    cells = (struct.pack(pixel_format, level if pixel_format[-1] in "efd" else round(level)) for level in levels)
    return b"".join(cell * (WIDTH // len(GREY_LEVELS)) for cell in cells) * HEIGHT


def _grey_image() -> Image.Image:
    return Image.frombytes("L", SIZE, grey_bars("B"))


def _twelve_bit_bars() -> bytes:
    values = [value for (value,) in struct.iter_unpack("<H", grey_bars("<H", 0, 4095))]
    pairs = zip(values[::2], values[1::2], strict=True)
    return b"".join(struct.pack(">I", first << 12 | second)[1:] for first, second in pairs)


def _signed_tiff(bits: int, black: int, white: int) -> bytes:
    return tiff([bits], 1, grey_bars("<h" if bits == 16 else "<i", black, white), tags={339: (SHORT, [2])})


def _float_tiff(order: str, black: float, white: float) -> bytes:
    return tiff([32], 1, grey_bars(order + "f", black, white), order, tags={339: (SHORT, [3])})


GREY_PICTURES: dict[str, Picture] = {
    "jpeg": lambda: save(_grey_image(), "JPEG", quality=95),
    "png": lambda: save(_grey_image(), "PNG"),
    "png-alpha": lambda: save(_grey_image().convert("LA"), "PNG"),
    "png-16": lambda: png(16, 0, grey_bars(">H", 0, 65535)),
    "png-16-alpha": lambda: png(16, 4, b"".join(grey + b"\xff\xff" for grey in split(grey_bars(">H", 0, 65535), 2))),
    "gif": lambda: save(_grey_image(), "GIF"),
    "heic": lambda: heic(_grey_image()),
    "heic-10": lambda: _ten_bit_heic("L", grey_bars("<H", 0, 65535)),
    "tiff-16": lambda: tiff([16], 1, grey_bars("<H", 0, 65535)),
    "tiff-16-big-endian": lambda: tiff([16], 1, grey_bars(">H", 0, 65535), ">"),
    "tiff-16-lzw": lambda: save(
        Image.frombytes("I;16", SIZE, grey_bars("<H", 0, 65535)), "TIFF", compression="tiff_lzw"
    ),
    "tiff-16-white-is-zero": lambda: tiff([16], 0, grey_bars("<H", 65535, 0)),
    "tiff-12": lambda: tiff([12], 1, _twelve_bit_bars()),
    "tiff-32": lambda: _signed_tiff(32, 0, 65535),
    "tiff-32-whole-range": lambda: _signed_tiff(32, -(2**31), 2**31 - 1),
    "tiff-16-signed": lambda: _signed_tiff(16, -32768, 32767),
    "tiff-float": lambda: _float_tiff("<", 0, 1),
    "tiff-float-big-endian": lambda: _float_tiff(">", 0, 1),
    "tiff-float-255": lambda: _float_tiff("<", 0, 255),
    "tiff-float-own-range": lambda: _float_tiff("<", -4e6, 9e6),
    "tiff-float-16-bit-range": lambda: _float_tiff("<", 0, 65535),
}

_INFINITY = float("inf")
FLOAT_PICTURES_WITHOUT_RANGE: dict[str, Picture] = {
    "nan": lambda: _float_tiff("<", float("nan"), float("nan")),
    "infinity": lambda: _float_tiff("<", _INFINITY, _INFINITY),
    "both-infinities": lambda: _float_tiff("<", -_INFINITY, _INFINITY),
    "all-1e38": lambda: _float_tiff("<", 1e38, 1e38),
    "all-negative": lambda: _float_tiff("<", -1, -1),
}
"""Grey pictures whose values define no range from black to white."""


def black_and_white_picture(file_format: str) -> bytes:
    """Return a picture with one bit per pixel.

    The left half is black. The right half is a checkerboard of single pixels, which becomes grey when it is shrunk.
    """
    checkerboard = Image.frombytes("1", SIZE, (b"\xaa" * (WIDTH // 8) + b"\x55" * (WIDTH // 8)) * (HEIGHT // 2))
    checkerboard.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    return save(checkerboard, file_format)


# --- transparent pictures: the left half is transparent, and the right half is red or grey ---


def _half_transparent() -> Image.Image:
    """Return a picture whose transparent half is white. At the edge, this white must not mix with the red."""
    image = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    image.paste((*RED, 255), (WIDTH // 2, 0, WIDTH, HEIGHT))
    return image


def _halves(mode: str, left: tuple[int, ...] | int, right: tuple[int, ...] | int) -> Image.Image:
    image = Image.new(mode, SIZE, right)
    image.paste(left, (0, 0, WIDTH // 2, HEIGHT))
    return image


def _half_transparent_palette() -> Image.Image:
    image = _halves("P", 0, 1)
    image.putpalette([255, 255, 255, *RED])
    return image


def _palette_with_alpha() -> bytes:
    pixels = bytes((0, 0)) * (WIDTH // 2) + bytes((1, 255)) * (WIDTH // 2)
    red, green, blue = ([255 << 8, RED[band] << 8, *[0] * 254] for band in range(3))
    return tiff([8, 8], 3, pixels * HEIGHT, tags={320: (SHORT, red + green + blue), 338: (SHORT, [2])})


TRANSPARENT_PICTURES: dict[str, Picture] = {
    "png": lambda: save(_half_transparent(), "PNG"),
    "png-palette": lambda: save(_half_transparent_palette(), "PNG", transparency=bytes((0, 255))),
    "png-palette-index": lambda: save(_half_transparent_palette(), "PNG", transparency=0),
    "png-colour-key": lambda: save(_halves("RGB", (1, 2, 3), RED), "PNG", transparency=(1, 2, 3)),
    "gif": lambda: save(_half_transparent_palette(), "GIF", transparency=0),
    "webp": lambda: save(_half_transparent(), "WEBP", quality=95),
    "avif": lambda: save(_half_transparent(), "AVIF", quality=90, speed=10),
    "heic": lambda: heic(_half_transparent()),
    "heic-premultiplied": lambda: heic(_half_transparent().convert("RGBa")),
    "tiff": lambda: save(_half_transparent(), "TIFF"),
    "tiff-premultiplied": lambda: tiff(
        [8] * 4, 2, _half_transparent().convert("RGBa").tobytes(), tags={338: (SHORT, [1])}
    ),
    "tiff-palette": _palette_with_alpha,
}


def _half_transparent_grey(left_grey: int) -> bytes:
    return (bytes((left_grey, 0)) * (WIDTH // 2) + bytes((128, 255)) * (WIDTH // 2)) * HEIGHT


def _half_transparent_grey_16(left_grey: int) -> bytes:
    return b"".join(bytes((value, value)) for value in _half_transparent_grey(left_grey))


TRANSPARENT_GREY_PICTURES: dict[str, Picture] = {
    "png": lambda: png(8, 4, _half_transparent_grey(255)),
    "png-key": lambda: png(8, 0, _halves("L", 7, 128).tobytes(), png_chunk(b"tRNS", b"\0\7")),
    "tiff": lambda: tiff([8, 8], 1, _half_transparent_grey(0), tags={338: (SHORT, [2])}),
    "tiff-premultiplied": lambda: tiff([8, 8], 1, _half_transparent_grey(0), tags={338: (SHORT, [1])}),
    "tiff-16": lambda: tiff([16, 16], 1, _half_transparent_grey_16(255), tags={338: (SHORT, [2])}),
    "tiff-16-premultiplied": lambda: tiff([16, 16], 1, _half_transparent_grey_16(0), tags={338: (SHORT, [1])}),
}


# --- pictures with metadata ---

SECRET = b"48.2082N"
"""Part of the place where a picture was taken. No thumbnail is allowed to contain this text."""
ORIENTATION, GPS = 0x0112, 0x8825

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented_picture(orientation: int, file_format: str, **options: Any) -> bytes:
    """Return a file of the scene, as a camera that is held in this orientation stores it. EXIF has the orientation."""
    stored = scene()
    if orientation in _TRANSPOSITIONS:
        stored = stored.transpose(_TRANSPOSITIONS[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return save(stored, file_format, exif=exif.tobytes(), **options)


def picture_with_all_metadata(file_format: str) -> bytes:
    """Return the scene with SECRET in every kind of metadata: EXIF (with GPS), XMP, comment and ICC profile."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif[GPS] = {1: "N", 2: (48.0, 12.0, 29.5), 29: SECRET.decode()}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile}
    if file_format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET)
        text.add_itxt("XML:com.adobe.xmp", SECRET)
        return save(scene(), "PNG", pnginfo=text, **options)
    if file_format == "JPEG":
        options["comment"] = SECRET
    return save(scene(), file_format, xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", **options)
