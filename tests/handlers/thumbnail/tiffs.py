"""TIFFs of unusual kinds. Pillow rejects most of these kinds, and reads some of them wrongly without an error."""

import struct
import zlib
from collections.abc import Sequence
from functools import partial

from PIL import Image

from tests.handlers.thumbnail.pictures import Picture, grey_bars, scene
from tests.handlers.thumbnail.raw import BYTE, HEIGHT, LONG, SHORT, SIZE, WIDTH, Entries, convert_rows, split, tiff

RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 2, 3, 5, 6, 8, 9
"""TIFF 6.0: the values of the tag PhotometricInterpretation."""
DEFLATE: Entries = {259: (SHORT, [8])}
DIFFERENCES: Entries = {**DEFLATE, 317: (SHORT, [2])}
ALPHA: Entries = {338: (SHORT, [2])}
PREMULTIPLIED: Entries = {338: (SHORT, [1])}
TILE_EDGE = 16


def sample_format(number: int, samples: int) -> Entries:
    """Return the tag for unsigned (1), signed (2) or float (3) samples."""
    return {339: (SHORT, [number] * samples)}


def pack(code: str, image: Image.Image, scale: float = 1) -> bytes:
    """Return the values of an image in a struct format. `scale` is the value for 1."""
    cells = [struct.pack(code, value * scale if code[-1] in "efd" else round(value * scale)) for value in range(256)]
    row_bytes = image.width * len(image.getbands())
    return convert_rows(image.tobytes(), row_bytes, lambda row: b"".join(cells[value] for value in row))


def pack_bits(image: Image.Image, bits: int) -> bytes:
    """Return the values of an image with fewer than 8 bits, or with 9 to 15 bits."""
    cells = [f"{round(value * (2**bits - 1) / 255):0{bits}b}" for value in range(256)]

    def pack_row(row: bytes) -> bytes:
        digits = "".join(cells[value] for value in row)
        return int(digits, 2).to_bytes(len(digits) // 8)

    return convert_rows(image.tobytes(), image.width * len(image.getbands()), pack_row)


def planes(samples: int, sample_bytes: int, pixels: bytes) -> tuple[bytes, Entries]:
    """Return the pixels with one plane for each sample, and the tags for the planes. A plane has four strips."""
    strips = 4 * samples
    size = len(pixels) // strips
    tags: Entries = {
        273: (LONG, [8 + size * strip for strip in range(strips)]),
        278: (LONG, [HEIGHT // 4]),
        279: (LONG, [size] * strips),
        284: (SHORT, [2]),
    }

    def plane(sample: int) -> bytes:
        row_bytes = len(pixels) // HEIGHT
        return convert_rows(pixels, row_bytes, lambda row: b"".join(split(row, sample_bytes)[sample::samples]))

    return b"".join(map(plane, range(samples))), tags


def _planar(bits: int, samples: int, photometric: int, pixels: bytes, order: str = "<", **more: Entries) -> bytes:
    planar_pixels, tags = planes(samples, bits // 8, pixels)
    return tiff([bits] * samples, photometric, planar_pixels, order, tags={**tags, **more.get("tags", {})})


def _float(code: str, samples: int = 3, *, tags: Entries | None = None) -> bytes:
    bits = 8 * struct.calcsize(code)
    pixels = pack(code, scene(), 1 / 255)
    return tiff([bits] * samples, RGB, pixels, code[0], tags={**sample_format(3, samples), **(tags or {})})


def differences(row: Sequence[int], samples: int, bits: int) -> list[int]:
    """Return the difference between each number and the number one pixel to the left (TIFF 6.0, section 14)."""
    return [(number - left) % 2**bits for number, left in zip(row, [*[0] * samples, *row], strict=False)]


def _with_differences(code: str, photometric: int, image: Image.Image, scale: int, **more: Entries) -> bytes:
    bits = 8 * struct.calcsize(code)
    colours = len(image.getbands())
    alpha = b"\xff" if 338 in more.get("tags", {}) else b""
    samples = colours + len(alpha)

    def pack_row(row: bytes) -> bytes:
        numbers = [value * scale for cell in split(row, colours) for value in cell + alpha]
        return b"".join(struct.pack(code, number) for number in differences(numbers, samples, bits))

    packed = convert_rows(image.tobytes(), WIDTH * colours, pack_row)
    tags = {**DIFFERENCES, **more.get("tags", {})}
    return tiff([bits] * samples, photometric, zlib.compress(packed), code[0], tags=tags)


def _with_float_differences() -> bytes:
    """Return a TIFF with the predictor 3 (Adobe Photoshop TIFF Technical Note 3)."""

    def convert(row: bytes) -> bytes:
        by_place = b"".join(row[place::4] for place in range(4))
        return bytes(differences(by_place, 3, 8))

    pixels = convert_rows(pack(">f", scene(), 1 / 255), WIDTH * 3 * 4, convert)
    return tiff([32] * 3, RGB, zlib.compress(pixels), tags={**DEFLATE, 317: (SHORT, [3]), **sample_format(3, 3)})


def _with_extra_samples(image: Image.Image, photometric: int, kinds: Sequence[int]) -> bytes:
    """Return a TIFF with further samples after the colours. The samples of the kind 0 have no meaning."""
    colours = len(image.getbands())
    extra = bytes(77 if kind == 0 else 255 for kind in kinds)

    def add_samples(row: bytes) -> bytes:
        return b"".join(colour + extra for colour in split(row, colours))

    pixels = convert_rows(image.tobytes(), WIDTH * colours, add_samples)
    return tiff([8] * (colours + len(kinds)), photometric, pixels, tags={338: (SHORT, kinds)})


def _lab() -> Image.Image:
    return scene().convert("LAB")


def _icc_lab_pixels() -> bytes:
    """Return the pixels of the scene in L*a*b*. In this kind of TIFF, a* and b* are 128 too large, not signed."""

    def convert(row: bytes) -> bytes:
        return b"".join(bytes((cell[0], cell[1] ^ 128, cell[2] ^ 128)) for cell in split(row, 3))

    return convert_rows(_lab().tobytes(), WIDTH * 3, convert)


def _subsampled_ycbcr() -> bytes:
    """Return an uncompressed TIFF in which four pixels share a colour (TIFF 6.0, section 21)."""
    cells = split(scene().convert("YCbCr").tobytes(), 3)
    blocks = bytearray()
    for y in range(0, HEIGHT, 2):
        for x in range(0, WIDTH, 2):
            first = y * WIDTH + x
            blocks += bytes(cells[place][0] for place in (first, first + 1, first + WIDTH, first + WIDTH + 1))
            blocks += cells[first][1:]
    return tiff([8] * 3, YCBCR, bytes(blocks), tags={530: (SHORT, [2, 2])})


def _palette(bits: int, *, scale: int) -> bytes:
    image = scene().quantize(8, dither=Image.Dither.NONE)
    colours = image.getpalette() or []
    unused = [0] * (2**bits - len(colours) // 3)
    bands = [[value * scale for value in colours[band::3]] + unused for band in range(3)]
    pixels = pack("<H" if bits == 16 else "B", image)
    return tiff([bits], PALETTE, pixels, tags={320: (SHORT, [value for band in bands for value in band])})


def _reversed_bits() -> bytes:
    reverse = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    pixels = pack("<H", scene(), 257).translate(reverse)
    return tiff([16] * 3, RGB, pixels, tags={266: (SHORT, [2])})


def _big_endian_big_tiff() -> bytes:
    """Return a BigTIFF, which has offsets of 64 bits."""
    pixels = scene().tobytes()
    values = {256: WIDTH, 257: HEIGHT, 259: 1, 262: RGB, 273: 16, 277: 3, 278: HEIGHT, 279: len(pixels)}
    entries = [struct.pack(">HHQQ", tag, 16, 1, value) for tag, value in values.items()]
    entries.insert(2, struct.pack(">HHQHHHH", 258, SHORT, 3, 8, 8, 8, 0))
    header = b"MM\0+" + struct.pack(">HHQ", 8, 0, 16 + len(pixels))
    return header + pixels + struct.pack(">Q", len(entries)) + b"".join(entries) + bytes(8)


def _float_tiles() -> bytes:
    """Return a TIFF of tiles. The last tiles are larger than the rest of the picture."""
    edge = 64
    across, down = -(-WIDTH // edge), -(-HEIGHT // edge)
    padded = Image.new("RGB", (across * edge, down * edge))
    padded.paste(scene())
    boxes = [(x * edge, y * edge, (x + 1) * edge, (y + 1) * edge) for y in range(down) for x in range(across)]
    pixels = b"".join(pack("<f", padded.crop(box), 1 / 255) for box in boxes)
    size = len(pixels) // len(boxes)
    tiles: Entries = {322: (SHORT, [edge]), 323: (SHORT, [edge])}
    lists: Entries = {
        324: (LONG, [8 + size * index for index in range(len(boxes))]),
        325: (LONG, [size] * len(boxes)),
    }
    return tiff([32] * 3, RGB, pixels, tags={**tiles, **lists, **sample_format(3, 3)})


COLOUR_TIFFS: dict[str, Picture] = {
    "8-bits-in-planes": lambda: _planar(8, 3, RGB, scene().tobytes()),
    "16-bits-in-planes": lambda: _planar(16, 3, RGB, pack("<H", scene(), 257)),
    "16-bits-in-planes-big-endian": lambda: _planar(16, 3, RGB, pack(">H", scene(), 257), ">"),
    "alpha-in-planes": lambda: _planar(8, 4, RGB, scene().convert("RGBA").tobytes(), tags=ALPHA),
    "6-bits": lambda: tiff([6] * 3, RGB, pack_bits(scene(), 6)),
    "12-bits": lambda: tiff([12] * 3, RGB, pack_bits(scene(), 12)),
    "12-bits-big-endian": lambda: tiff([12] * 3, RGB, pack_bits(scene(), 12), ">"),
    "32-bits": lambda: tiff([32] * 3, RGB, pack("<I", scene(), (2**32 - 1) / 255)),
    "float": lambda: _float("<f"),
    "float-big-endian": lambda: _float(">f"),
    "float-half": lambda: _float("<e"),
    "float-half-big-endian": lambda: _float(">e"),
    "float-double": lambda: _float("<d"),
    "float-in-planes": lambda: _planar(32, 3, RGB, pack("<f", scene(), 1 / 255), tags=sample_format(3, 3)),
    "float-tiles": _float_tiles,
    "float-differences": _with_float_differences,
    "32-bits-differences": lambda: _with_differences("<I", RGB, scene(), 2**24),
    "32-bits-differences-big-endian": lambda: _with_differences(">I", RGB, scene(), 2**24),
    "cmyk-alpha-differences": lambda: _with_differences("<B", CMYK, scene().convert("CMYK"), 1, tags=ALPHA),
    "cmyk-16-in-planes": lambda: _planar(16, 4, CMYK, pack("<H", scene().convert("CMYK"), 257)),
    "cmyk-alpha": lambda: _with_extra_samples(scene().convert("CMYK"), CMYK, [2]),
    "cmyk-spot-colour-and-alpha": lambda: _with_extra_samples(scene().convert("CMYK"), CMYK, [0, 2]),
    "rgb-spot-colour-and-alpha": lambda: _with_extra_samples(scene(), RGB, [0, 2]),
    "lab-in-planes": lambda: _planar(8, 3, LAB, _lab().tobytes()),
    "lab-alpha": lambda: _with_extra_samples(_lab(), LAB, [2]),
    "lab-icc": lambda: tiff([8] * 3, ICC_LAB, _icc_lab_pixels()),
    "ycbcr-subsampled": _subsampled_ycbcr,
    "palette-16-bits": lambda: _palette(16, scale=257),
    "palette-of-8-bit-values": lambda: _palette(8, scale=1),
    "reversed-bits": _reversed_bits,
    "big-tiff-big-endian": _big_endian_big_tiff,
    "transfer-function": lambda: tiff([8] * 3, RGB, scene().tobytes(), tags={301: (SHORT, [*range(65_536)] * 3)}),
}
"""TIFFs of the scene."""


def _grey(code: str, number: int, black: float, white: float, *, tags: Entries | None = None) -> bytes:
    bits = 8 * struct.calcsize(code)
    return tiff([bits], 1, grey_bars(code, black, white), code[0], tags={**sample_format(number, 1), **(tags or {})})


def _compressed_grey(code: str, number: int, black: float, white: float) -> bytes:
    pixels = zlib.compress(grey_bars(code, black, white))
    return tiff([8 * struct.calcsize(code)], 1, pixels, code[0], tags={**DEFLATE, **sample_format(number, 1)})


GREY_TIFFS: dict[str, Picture] = {
    "32-bits": lambda: _grey("<I", 1, 0, 2**32 - 1),
    "32-bits-big-endian": lambda: _grey(">I", 1, 0, 2**32 - 1),
    "32-bits-small-values": lambda: _grey("<I", 1, 0, 65_535),
    "64-bits-own-range": lambda: _grey("<Q", 1, 2**40, 2**50),
    "64-bits-signed": lambda: _grey(">q", 2, -(2**40), 2**50),
    "signed-8-bits": lambda: _grey("<b", 2, -128, 127),
    "signed-16-bits-from-0": lambda: _grey("<h", 2, 0, 32_767),
    "signed-32-bits-compressed-big-endian": lambda: _compressed_grey(">i", 2, 0, 65_535),
    "float-compressed-big-endian": lambda: _compressed_grey(">f", 3, 0, 1),
    "float-half": lambda: _grey("<e", 3, 0, 1),
    "float-double": lambda: _grey(">d", 3, 0, 1),
    "float-small-part-of-16-bits": lambda: _grey("<f", 3, 0, 2000),
    "white-is-zero-10-bits": lambda: tiff([10], 0, pack_bits(Image.frombytes("L", SIZE, grey_bars("B", 255, 0)), 10)),
    "spot-colour": lambda: tiff(
        [16] * 2,
        1,
        b"".join(cell + b"\x77\x77" for cell in split(grey_bars("<H", 0, 65_535), 2)),
        tags={338: (SHORT, [0])},
    ),
}
"""TIFFs of the grey bars."""


# ThunderScan, LogLuv, JPEG 2000, LERC, WebP and JPEG XL
_UNSUPPORTED_COMPRESSIONS = (32_809, 34_676, 34_712, 34_887, 50_001, 50_002)
# a mask, ITU L*a*b*, LogL, and two kinds of raw pictures
_UNSUPPORTED_COLOURS = (4, 10, 32_844, 32_803, 34_892)


def _with_compression(number: int) -> bytes:
    return tiff([8], 1, b"pixels", tags={259: (SHORT, [number])})


def _with_colours(number: int) -> bytes:
    return tiff([8], number, grey_bars("B"))


UNSUPPORTED_TIFFS: dict[str, Picture] = {
    **{f"compression-{number}": partial(_with_compression, number) for number in _UNSUPPORTED_COMPRESSIONS},
    **{f"colours-{number}": partial(_with_colours, number) for number in _UNSUPPORTED_COLOURS},
    "other-inks": lambda: tiff([8] * 4, CMYK, grey_bars("B") * 4, tags={332: (SHORT, [2])}),
    "different-bits": lambda: tiff([5, 6, 5], RGB, grey_bars("B") * 2),
    "premultiplied-lab": lambda: tiff([8] * 4, LAB, grey_bars("B") * 4, tags=PREMULTIPLIED),
    "ycbcr-16-subsampled": lambda: tiff([16] * 3, YCBCR, grey_bars("<H") * 3),
    "17-samples": lambda: tiff([8] * 17, 1, grey_bars("B") * 17),
    "differences-of-12-bits": lambda: tiff([12], 1, zlib.compress(grey_bars("<H")), tags=DIFFERENCES),
    "float-of-24-bits": lambda: tiff([24], 1, grey_bars("B") * 3, tags=sample_format(3, 1)),
    "jpeg-of-16-bits": lambda: tiff([16] * 2, 1, b"pixels", tags={259: (SHORT, [7]), **ALPHA}),
}


def premultiplied_cmyk() -> bytes:
    """Return a half transparent TIFF with an ink of 100 of 255 in cyan, and no other ink."""
    return tiff([8] * 5, CMYK, bytes((50, 0, 0, 0, 128)) * (WIDTH * HEIGHT), tags=PREMULTIPLIED)


def half_transparent_tiffs(code: str, opaque: int, *, is_premultiplied: bool, photometric: int = 1) -> dict[str, bytes]:
    """Return grey pictures with the value 100 of 255. All pixels are half transparent."""
    grey = opaque * 50 / 255 if is_premultiplied else opaque * 100 / 255
    bits = 8 * struct.calcsize(code)
    pixel = b"".join(struct.pack(code, value if code[-1] == "f" else round(value)) for value in (grey, opaque / 2))
    pixels = pixel * (WIDTH * HEIGHT)
    kind = PREMULTIPLIED if is_premultiplied else ALPHA
    tags = {**kind, **sample_format(3 if code[-1] == "f" else 1, 2)}
    planar_pixels, planar_tags = planes(2, bits // 8, pixels)
    return {
        "together": tiff([bits] * 2, photometric, pixels, code[0], tags=tags),
        "in-planes": tiff([bits] * 2, photometric, planar_pixels, code[0], tags={**tags, **planar_tags}),
    }


def cmyk_with_alpha_and_profile(profile: bytes) -> bytes:
    """Return a cyan TIFF with an alpha channel and a colour profile."""
    pixels = bytes((255, 0, 0, 0, 255)) * (WIDTH * HEIGHT)
    return tiff([8] * 5, CMYK, pixels, tags={**ALPHA, 34675: (BYTE, profile)})


def large_strip_of_doubles() -> bytes:
    """Return a TIFF of 25 megapixels in one strip, which would need 600 MB."""
    size: Entries = {256: (LONG, [5000]), 257: (LONG, [5000]), 278: (LONG, [5000])}
    return tiff([64] * 3, RGB, zlib.compress(b""), tags={**size, **DEFLATE, **sample_format(3, 3)})


def tiff_with_many_tiles(edge: int) -> bytes:
    """Return a white TIFF of `edge` x `edge` pixels in tiles of 16 x 16 pixels. All tiles have the same place."""
    tile = b"\xff" * (TILE_EDGE * TILE_EDGE // 8)
    count = (edge // TILE_EDGE) ** 2
    size: Entries = {256: (LONG, [edge]), 257: (LONG, [edge]), 322: (LONG, [TILE_EDGE]), 323: (LONG, [TILE_EDGE])}
    return tiff([1], 1, tile, tags={**size, 324: (LONG, [8] * count), 325: (LONG, [len(tile)] * count)})


def tiff_with_two_orientations(tag: int | None, xmp: int) -> bytes:
    """Return the scene with an orientation in the TIFF tag (or without this tag), and another in the XMP metadata."""
    packet = f'<x:xmpmeta><rdf:Description tiff:Orientation="{xmp}"/></x:xmpmeta>'.encode()
    tags: Entries = {700: (BYTE, packet), **({274: (SHORT, [tag])} if tag else {})}
    return tiff([8] * 3, RGB, scene().tobytes(), tags=tags)
