"""The chunks of PNG files: wrong ancillary chunks are ignored, and critical chunks, transparency and colours count."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from tests.handlers.thumbnail import hostile, profiles
from tests.handlers.thumbnail.checks import (
    assert_rejected,
    assert_shows_scene,
    is_close,
    open_rgba,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.pictures import RED, save, scene
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH, png, png_chunk, png_file, split
from tests.support.fast import first_are_fast
from thumbnail.pictures.file_colours import CodedColours
from thumbnail.pictures.rgb_spaces import RgbSpace

SCENE = scene().tobytes()
_END = png_chunk(b"IEND", b"")


def chunk_with_wrong_checksum(name: bytes, content: bytes) -> bytes:
    chunk = bytearray(png_chunk(name, content))
    chunk[-1] ^= 1
    return bytes(chunk)


# --- ancillary chunks ---

_SOUND = {
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"sRGB": b"\0",
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"cICP": bytes((1, 13, 0, 1)),
    b"tEXt": b"Comment\0text",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"text"),
    b"iTXt": b"Comment\0\0\0\0\0text",
    b"iCCP": b"name\0\0" + zlib.compress(profiles.swapped_profile()),
    b"eXIf": b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\3\0\0\0\0\0\0\0",  # orientation 3: turned by 180 degrees
    b"tIME": bytes((7, 230, 1, 1, 0, 0, 0)),
    b"bKGD": bytes(6),
    b"sBIT": bytes((8, 8, 8)),
    b"sPLT": b"name\0\x08",
    b"hIST": bytes(2),
    b"tRNS": struct.pack(">3H", *RED),
    b"acTL": struct.pack(">II", 1, 0),
    b"fcTL": struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 1, 0, 0),
    b"prVt": b"private",
}


@pytest.mark.parametrize("name", _SOUND)
def test_an_ancillary_chunk_with_a_wrong_checksum_is_ignored(name: bytes) -> None:
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE, chunk_with_wrong_checksum(name, _SOUND[name]))))


@pytest.mark.parametrize("name", _SOUND)
@pytest.mark.parametrize("content", first_are_fast(1, [b"\xff", b"", bytes(100)]), ids=["short", "empty", "zeros"])
def test_an_ancillary_chunk_of_a_wrong_length_is_ignored(name: bytes, content: bytes) -> None:
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE, png_chunk(name, content))))


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_or_profile_that_is_large_when_decompressed_is_ignored(name: bytes) -> None:
    assert_shows_scene(thumbnail_of(hostile.png_with_text_bomb(name)))


def test_a_profile_of_more_than_1_mib_is_used() -> None:
    large = profiles.swapped_profile() + bytes(3 << 20)
    result = thumbnail_of(png(8, 2, SCENE, png_chunk(b"iCCP", b"name\0\0" + zlib.compress(large))))
    assert is_close(pixel(result, 0.25, 0.25), (30, 220, 40))  # RED with red and green exchanged


def test_a_profile_of_more_than_4_mib_is_ignored() -> None:
    large = profiles.swapped_profile() + bytes(4 << 20)
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE, png_chunk(b"iCCP", b"name\0\0" + zlib.compress(large)))))


def test_exif_behind_the_pixels_turns_the_picture() -> None:
    turned = scene().transpose(Image.Transpose.ROTATE_180).tobytes()
    whole = png(8, 2, turned).removesuffix(_END) + png_chunk(b"eXIf", _SOUND[b"eXIf"]) + _END
    assert_shows_scene(thumbnail_of(whole))


def test_text_with_an_orientation_does_not_turn_the_picture() -> None:
    """Pillow turns the picture, but browsers do not."""
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation="3"></x:xmpmeta>'
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE, png_chunk(b"iTXt", xmp))))


_LINEAR, _AS_SRGB = (png_chunk(b"gAMA", struct.pack(">I", value)) for value in (100_000, 45_455))


@pytest.mark.parametrize(("before", "behind"), [(_AS_SRGB + _LINEAR, b""), (_AS_SRGB, _LINEAR), (b"", _LINEAR)])
def test_only_the_first_chunk_of_a_kind_before_the_pixels_counts(before: bytes, behind: bytes) -> None:
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE, before).removesuffix(_END) + behind + _END))


# --- critical chunks ---


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"IDAT"])
def test_a_critical_chunk_with_a_wrong_checksum_is_damage(name: bytes) -> None:
    whole = bytearray(save(scene().quantize(8), "PNG"))
    start = whole.index(name) - 4
    whole[start + 8 + int.from_bytes(whole[start : start + 4])] ^= 1
    assert_rejected(bytes(whole), r"damaged or incomplete\.")


@pytest.mark.parametrize("methods", [(1, 0, 0), (0, 64, 0), (0, 0, 2)], ids=["compression", "filter", "interlace"])
def test_a_method_that_png_does_not_define_is_not_supported(methods: tuple[int, int, int]) -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBB", WIDTH, HEIGHT, 8, 2) + bytes(methods))
    plain = png(8, 2, SCENE)
    assert_rejected(plain[:8] + header + plain[8 + len(header) :], "is a kind of PNG that is not supported")


def test_an_unknown_critical_chunk_is_not_supported() -> None:
    """Xcode puts the chunk CgBI before the header of a PNG for iPhones, and compresses the pixels in its own way."""
    plain = png(8, 2, SCENE)
    assert_rejected(plain[:8] + png_chunk(b"CgBI", bytes(4)) + plain[8:], "is a kind of PNG that is not supported")
    assert_rejected(png(8, 2, SCENE, png_chunk(b"ABCD", b"")), "is a kind of PNG that is not supported")


def test_a_file_without_a_right_header_is_damaged() -> None:
    plain = png(8, 2, SCENE)
    content = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    assert plain[8:33] == png_chunk(b"IHDR", content)
    for header in (png_chunk(b"sRGB", content), png_chunk(b"IHDR", content[:-1]), b""):
        assert_rejected(plain[:8] + header + plain[33:], r"damaged or incomplete\.")


def test_pixels_behind_another_chunk_are_ignored() -> None:
    other = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 << 20)))  # more text than Pillow accepts
    more_pixels = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE).removesuffix(_END) + other + more_pixels + _END))


_CHUNK_WITH_WRONG_CHECKSUM = b"\0\0\0\0ABCD\0\0\0\0"


@pytest.mark.parametrize("end", [b"PK\3\4" * 9, b"\0\0\0\4A\0\0\0" * 9, _END + _CHUNK_WITH_WRONG_CHECKSUM])
def test_other_data_behind_the_picture_is_ignored(end: bytes) -> None:
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE).removesuffix(_END) + end))


def test_pixels_in_many_chunks_are_joined() -> None:
    compressed = zlib.compress(b"".join(b"\0" + row for row in split(SCENE, WIDTH * 3)))
    parts = [png_chunk(b"IDAT", part) for part in (b"", *split(compressed, 7), b"")]
    assert_shows_scene(thumbnail_of(png_file((WIDTH, HEIGHT), 8, 2, *parts)))


@pytest.mark.parametrize("missing", [12, 16, 20], ids=["end", "end-and-checksum", "end-and-checksums"])
def test_only_the_end_of_the_file_may_be_missing(missing: int) -> None:
    assert_shows_scene(thumbnail_of(png(8, 2, SCENE)[:-missing]))
    assert_rejected(png(8, 2, SCENE)[: -missing - 40], r"damaged or incomplete\.")


# --- transparency ---

# For each depth: the value of the transparent left half, another value that differs in one bit only, and its grey.
_KEYS = [
    (1, 0, 1),
    (2, 3, 2),
    (2, 1, 3),
    (4, 7, 6),
    (4, 15, 7),
    (8, 200, 201),
    (16, 0x1234, 0x1235),
    (16, 0x80FF, 0x7FFF),
]


def grey_halves(depth: int, left: int, right: int) -> bytes:
    """Return the pixels of a grey picture with two halves."""
    half = WIDTH // 2
    if depth == 16:
        return (struct.pack(">H", left) * half + struct.pack(">H", right) * half) * HEIGHT
    row = "".join(f"{value:0{depth}b}" * half for value in (left, right))
    return int(row, 2).to_bytes(len(row) // 8) * HEIGHT


@pytest.mark.parametrize(("depth", "key", "other"), _KEYS)
def test_a_grey_value_is_transparent_at_every_depth(depth: int, key: int, other: int) -> None:
    chunk = png_chunk(b"tRNS", struct.pack(">H", key))
    result = thumbnail_of(png(depth, 0, grey_halves(depth, key, other), chunk))
    assert pixel(result, 0.25, 0.5)[3] == 0
    grey = round(other * 255 / (2**depth - 1))
    assert is_close(pixel(result, 0.75, 0.5), (grey, grey, grey, 255))


def test_only_the_bits_of_the_depth_count() -> None:
    """PNG, third edition, 11.3.1.1: other bits of the transparent colour have no meaning."""
    result = thumbnail_of(png(4, 0, grey_halves(4, 7, 6), png_chunk(b"tRNS", struct.pack(">H", 0xABC0 | 7))))
    assert pixel(result, 0.25, 0.5)[3] == 0


@pytest.mark.parametrize(("alpha", "is_transparent"), [(b"\0", True), (b"\0\0", True), (bytes(3), False), (b"", False)])
def test_transparency_counts_if_it_is_not_longer_than_the_palette(alpha: bytes, *, is_transparent: bool) -> None:
    palette = png_chunk(b"PLTE", bytes((*RED, 0, 0, 0)))
    result = thumbnail_of(png(8, 3, bytes(WIDTH * HEIGHT), palette, png_chunk(b"tRNS", alpha)))
    assert is_close(pixel(result, 0.5, 0.5), (*RED, 255)) != is_transparent
    assert (pixel(result, 0.5, 0.5)[3] == 0) == is_transparent


@pytest.mark.parametrize("difference", [(0, 0, 1), (0x100, 0, 0), (0, 0x8000, 0)])
def test_a_colour_of_16_bits_per_channel_is_transparent_if_all_bits_are_equal(difference: tuple[int, int, int]) -> None:
    key = (0x1234, 0x5678, 0x9ABC)
    other = tuple(value ^ bit for value, bit in zip(key, difference, strict=True))
    row = struct.pack(">3H", *key) * (WIDTH // 2) + struct.pack(">3H", *other) * (WIDTH // 2)
    result = thumbnail_of(png(16, 2, row * HEIGHT, png_chunk(b"tRNS", struct.pack(">3H", *key))))
    assert pixel(result, 0.25, 0.5)[3] == 0
    assert is_close(pixel(result, 0.75, 0.5), (*(value >> 8 for value in other), 255))


def test_interlaced_pixels_of_16_bits_keep_their_transparency() -> None:
    """All pixels of the picture have the transparent colour."""
    rows = b"".join(b"\0" + bytes(6) * 8 for _ in range(1 + 1 + 1 + 2 + 2 + 4 + 4))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 1))
    body = png_chunk(b"tRNS", bytes(6)) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    result = thumbnail_of(b"\x89PNG\r\n\x1a\n" + header + body)
    assert open_rgba(result).getchannel("A").getextrema() == (0, 0)


# --- colours: each value is computed by the formulas of the standards, or published by them ---

_P3_PRIMARIES = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
_P3_OF_SRGB_RED, _BT2020_OF_SRGB_RED = (234, 51, 35), (207, 74, 34)
_WHITE_PQ, _GREY_CARD = (148, 148, 148), (97, 97, 97)  # BT.2408-7, table 1: white is 58 % PQ; a grey card is 38 %
_WHITE_HLG = (191, 191, 191)  # BT.2408-7, table 1: 75 %


@pytest.mark.parametrize(
    ("chunks", "stored", "expected"),
    [
        ({b"gAMA": struct.pack(">I", 100_000)}, (55, 55, 55), (128, 128, 128)),
        ({b"gAMA": struct.pack(">I", 55_556)}, (128, 128, 128), (146, 146, 146)),
        ({b"gAMA": struct.pack(">I", 45_455)}, (128, 128, 128), (128, 128, 128)),
        ({b"gAMA": bytes(4)}, (128, 128, 128), (128, 128, 128)),
        ({b"gAMA": struct.pack(">I", 1)}, (128, 128, 128), (128, 128, 128)),
        ({b"gAMA": struct.pack(">I", 45_455)}, (10, 10, 10), (10, 10, 10)),
        ({b"gAMA": struct.pack(">I", 47_000)}, (10, 10, 10), (10, 10, 10)),
        ({b"gAMA": struct.pack(">I", 100_000), b"sRGB": b""}, (55, 55, 55), (128, 128, 128)),
        (
            {b"cHRM": struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)},
            (234, 51, 35),
            (255, 0, 0),
        ),
        ({b"cHRM": bytes(32)}, RED, RED),
        ({b"cHRM": struct.pack(">8I", 1, 1, 1, 1, 1, 1, 1, 1)}, RED, RED),
        ({b"cICP": bytes((12, 13, 0, 1))}, _P3_OF_SRGB_RED, (255, 0, 0)),
        ({b"cICP": bytes((9, 13, 0, 1))}, _BT2020_OF_SRGB_RED, (255, 0, 0)),
        ({b"cICP": bytes((12, 13, 0, 1))}, (60, 60, 60), (60, 60, 60)),
        ({b"cICP": bytes((4, 13, 0, 1))}, (180, 60, 60), (212, 52, 52)),
        ({b"cICP": bytes((5, 13, 0, 1))}, (60, 180, 60), (46, 180, 63)),
        ({b"cICP": bytes((6, 13, 0, 1))}, (60, 180, 60), (73, 177, 59)),
        ({b"cICP": bytes((7, 13, 0, 1))}, (60, 180, 60), (73, 177, 59)),
        ({b"cICP": bytes((8, 13, 0, 1))}, (180, 60, 60), (203, 45, 54)),
        ({b"cICP": bytes((11, 13, 0, 1))}, (180, 60, 60), (191, 47, 55)),
        ({b"cICP": bytes((22, 13, 0, 1))}, (60, 220, 60), (46, 215, 59)),
        ({b"cICP": bytes((1, 4, 0, 1))}, (20, 20, 20), (12, 12, 12)),
        ({b"cICP": bytes((1, 5, 0, 1))}, (128, 128, 128), (106, 106, 106)),
        ({b"cICP": bytes((1, 8, 0, 1))}, (55, 55, 55), (128, 128, 128)),
        ({b"cICP": bytes((1, 17, 0, 1))}, (128, 128, 128), (113, 113, 113)),
        ({b"cICP": bytes((1, 1, 0, 1))}, RED, RED),
        ({b"cICP": bytes((1, 13, 0, 0))}, (16, 16, 16), (0, 0, 0)),
        ({b"cICP": bytes((1, 13, 0, 0))}, (235, 126, 235), (255, 128, 255)),
        ({b"cICP": bytes((9, 16, 0, 1))}, _WHITE_PQ, (255, 255, 255)),
        ({b"cICP": bytes((9, 16, 0, 1))}, (200, 200, 200), (255, 255, 255)),
        ({b"cICP": bytes((9, 16, 0, 1))}, _GREY_CARD, (101, 101, 101)),
        ({b"cICP": bytes((9, 16, 0, 1))}, (118, 69, 45), (188, 0, 0)),
        ({b"cICP": bytes((9, 16, 0, 1))}, (0, 120, 0), (0, 166, 0)),
        ({b"cICP": bytes((9, 16, 0, 1))}, (48, 48, 48), (25, 25, 25)),
        # The fast tests convert only PQ, because the table of each HDR conversion needs some time.
        pytest.param({b"cICP": bytes((9, 18, 0, 1))}, (160, 90, 40), (206, 81, 19), marks=pytest.mark.slow),
        pytest.param({b"cICP": bytes((9, 18, 0, 1))}, _WHITE_HLG, (255, 255, 255), marks=pytest.mark.slow),
        pytest.param({b"cICP": bytes((9, 18, 0, 1))}, _GREY_CARD, (101, 101, 101), marks=pytest.mark.slow),
        ({b"cICP": bytes((9, 16, 9, 1))}, RED, RED),  # the matrix of YCbCr is not allowed in a PNG
        ({b"cICP": bytes((255, 255, 0, 1))}, RED, RED),  # unknown codes
    ],
)
def test_colours_that_are_described_by_numbers_are_converted(
    chunks: dict[bytes, bytes], stored: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    source = png(8, 2, bytes(stored) * WIDTH * HEIGHT, *(png_chunk(*chunk) for chunk in chunks.items()))
    assert is_close(pixel(thumbnail_of(source), 0.5, 0.5), expected, tolerance=6)


def test_the_most_exact_description_of_the_colours_counts() -> None:
    """The order of the specification is cICP, iCCP, sRGB, gAMA."""
    chunks = [
        png_chunk(b"gAMA", struct.pack(">I", 100_000)),
        png_chunk(b"sRGB", b"\0"),
        png_chunk(b"iCCP", b"name\0\0" + zlib.compress(profiles.swapped_profile())),
        png_chunk(b"cICP", bytes((1, 8, 0, 1))),
    ]
    source = [bytes((55, 188, 188)) * WIDTH * HEIGHT]
    expected = [(128, 222, 222), (188, 55, 188), (55, 188, 188), (128, 222, 222)]
    for remaining in range(4, 0, -1):
        colour = pixel(thumbnail_of(png(8, 2, source[0], *chunks[:remaining])), 0.5, 0.5)
        assert is_close(colour, expected[4 - remaining])


@pytest.mark.parametrize(("depth", "colour_type"), [(8, 0), (8, 4), (16, 0), (8, 6)])
def test_gamma_is_converted_in_every_mode(depth: int, colour_type: int) -> None:
    channels = {0: 1, 4: 2, 6: 4}[colour_type]
    opaque = b"\xff" if channels % 2 == 0 else b""
    cell = b"\x37" * (depth // 8) * (channels - len(opaque)) + opaque
    source = png(depth, colour_type, cell * WIDTH * HEIGHT, png_chunk(b"gAMA", struct.pack(">I", 100_000)))
    assert is_close(pixel(thumbnail_of(source), 0.5, 0.5), (128, 128, 128, 255), tolerance=5)


def test_light_of_srgb_becomes_the_published_xyz() -> None:
    """These are the colourants of the profile sRGB v4 of the ICC, before it rounds them."""
    expected = [(0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410)]
    for row, expected_row in zip(RgbSpace().light_to_xyz(), expected, strict=True):
        assert row == pytest.approx(expected_row, abs=0.0005)


def test_the_profiles_that_we_write_are_valid() -> None:
    """littleCMS reads the profile, and Display P3 has its published primaries."""
    data = RgbSpace.from_codes(CodedColours(12, 13)).profile()
    assert data is not None
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data)).profile
    assert profile.red_primary is not None
    assert profile.red_primary[1][:2] == pytest.approx((0.680, 0.320), abs=0.01)
