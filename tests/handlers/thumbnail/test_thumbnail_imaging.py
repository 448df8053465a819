"""The imaging part of the thumbnail example: what comes out for good pictures, and that bad ones do no harm."""

import functools
import io
import json
import math
import random
import statistics
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import thumbnail.imaging
from tests.handlers.thumbnail import pictures
from tests.handlers.thumbnail.pictures import GREEN, HEIGHT, RED, SECRET, WIDTH
from thumbnail.headers import check_headers
from thumbnail.imaging import Rejected, Thumbnail, make_thumbnail

MAX_EDGE, MAX_PIXELS = 80, 50_000_000
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")
ORIENTABLE: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "speed": 10},
    "TIFF": {},
}


def thumb(data: bytes, max_edge: int = MAX_EDGE, max_pixels: int = MAX_PIXELS) -> Thumbnail:
    return make_thumbnail(io.BytesIO(data), max_edge=max_edge, max_pixels=max_pixels)


def pixel(made: Thumbnail, x: float, y: float) -> tuple[int, ...]:
    """The colour at parts of the width and height."""
    image = Image.open(io.BytesIO(made.data)).convert("RGBA")
    value = image.getpixel((int(x * made.width), int(y * made.height)))
    assert isinstance(value, tuple)
    return value


def close(seen: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 8) -> bool:
    """Nobody sees 8 of 255; a wrong conversion is off by much more."""
    return all(abs(a - b) <= tolerance for a, b in zip(seen, wanted, strict=False))


def assert_scene(made: Thumbnail) -> None:
    for x, y, colour in pictures.QUARTERS:
        assert close(pixel(made, x, y), colour), (x, y, pixel(made, x, y), colour)


def chunks(webp: bytes) -> list[bytes]:
    """The kinds of a WebP's chunks (RFC 9649, section 2)."""
    assert webp[:4] == b"RIFF"
    assert webp[8:12] == b"WEBP"
    assert struct.unpack_from("<I", webp, 4)[0] == len(webp) - 8
    kinds, at = [], 12
    while at < len(webp):
        kinds.append(webp[at : at + 4])
        at += 8 + -(-struct.unpack_from("<I", webp, at + 4)[0] // 2) * 2
    return kinds


def assert_sound(made: Thumbnail, max_edge: int = MAX_EDGE) -> None:
    """What holds for every thumbnail, whatever it was made from."""
    image = Image.open(io.BytesIO(made.data))
    image.load()
    assert (image.format, image.size) == ("WEBP", (made.width, made.height))
    assert set(chunks(made.data)) <= {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
    assert made.content_type == "image/webp"
    assert made.source_format in FORMATS
    longest = max(made.source_width, made.source_height)
    assert max(made.width, made.height) == min(longest, max_edge)
    scale = Fraction(min(longest, max_edge), longest)
    assert abs(made.width - max(Fraction(1), made.source_width * scale)) <= 0.5
    assert abs(made.height - max(Fraction(1), made.source_height * scale)) <= 0.5


def assert_readable(reason: str) -> None:
    """One sentence without anything of the program's."""
    assert reason.endswith(".")
    assert reason.startswith(("The picture ", "The file "))
    assert 20 < len(reason) < 120
    for internal in ("0x", "<", ">", "Pillow", "PIL", "Error", "tile", "_", "\n"):
        assert internal not in reason


def assert_harmless(data: bytes) -> None:
    """Either a thumbnail or a reason, and nothing else."""
    try:
        made = thumb(data)
    except Rejected as rejected:
        assert_readable(str(rejected))
    else:
        assert_sound(made)


@functools.cache
def good(name: str) -> bytes:
    return pictures.GOOD[name]()


# --- what a good picture becomes ---


@pytest.mark.parametrize("name", pictures.GOOD)
def test_every_format_and_mode_keeps_its_colours(name: str) -> None:
    made = thumb(good(name))
    assert_sound(made)
    assert_scene(made)
    assert (made.width, made.height) == (80, 50)
    assert (made.source_width, made.source_height) == (WIDTH, HEIGHT)
    assert made.source_format == name.partition("-")[0].upper()


@pytest.mark.parametrize("name", pictures.GOOD)
def test_a_small_picture_keeps_its_size_and_colours(name: str) -> None:
    made = thumb(good(name), max_edge=WIDTH)
    assert_sound(made, max_edge=WIDTH)
    assert_scene(made)


@pytest.mark.parametrize("name", pictures.GREY)
def test_every_depth_of_grey_is_scaled_and_not_clipped(name: str) -> None:
    made = thumb(pictures.GREY[name]())
    for place, grey in zip((0.125, 0.375, 0.625, 0.875), pictures.GREYS, strict=True):
        assert close(pixel(made, place, 0.5), (grey, grey, grey, 255), tolerance=3)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_black_and_white_becomes_grey(file_format: str) -> None:
    made = thumb(pictures.black_and_white(file_format))
    assert close(pixel(made, 0.25, 0.5), (0, 0, 0))
    assert close(pixel(made, 0.75, 0.5), (128, 128, 128), tolerance=12)


@pytest.mark.parametrize(
    ("make", "colour"),
    [pytest.param(make, RED, id=name) for name, make in pictures.TRANSPARENT.items()]
    + [pytest.param(make, (128, 128, 128), id=f"grey-{name}") for name, make in pictures.TRANSPARENT_GREY.items()],
)
def test_transparency_is_kept_and_its_hidden_colour_does_not_bleed(
    make: Callable[[], bytes], colour: tuple[int, ...]
) -> None:
    made = thumb(make(), max_edge=81)  # an odd width, so that a column straddles the edge
    assert_sound(made, max_edge=81)
    assert b"ALPH" in chunks(made.data)
    assert pixel(made, 0.25, 0.5)[3] == 0
    assert close(pixel(made, 0.75, 0.5), (*colour, 255))
    image = Image.open(io.BytesIO(made.data)).convert("RGBA")
    seen = [image.getpixel((x, made.height // 2)) for x in range(made.width)]
    edge = [value for value in seen if isinstance(value, tuple) and 60 < value[3] < 250]
    assert all(close(value, colour, tolerance=40) for value in edge)


@pytest.mark.parametrize("max_edge", [MAX_EDGE, WIDTH], ids=["shrunk", "as it is"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ORIENTABLE)
def test_pictures_are_set_upright(file_format: str, orientation: int, max_edge: int) -> None:
    made = thumb(pictures.oriented(orientation, file_format, **ORIENTABLE[file_format]), max_edge)
    assert_sound(made, max_edge)
    assert_scene(made)
    assert (made.source_width, made.source_height) == (WIDTH, HEIGHT)


def test_compressed_tiffs_are_set_upright_too() -> None:
    """Pillow has another way to load these."""
    assert_scene(thumb(pictures.oriented(6, "TIFF", compression="tiff_lzw")))


@pytest.mark.parametrize(
    "broken", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff"]
)
def test_broken_exif_is_no_reason_to_reject(broken: bytes) -> None:
    assert_scene(thumb(pictures.save(pictures.scene(), "JPEG", exif=broken, quality=95)))
    assert_scene(thumb(pictures.save(pictures.scene(), "WEBP", exif=broken, quality=95)))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_nothing_private_gets_into_a_thumbnail(file_format: str) -> None:
    source = pictures.with_all_metadata(file_format)
    assert SECRET in source
    made = thumb(source)
    assert_sound(made)
    assert SECRET not in made.data


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda p: pictures.jpeg(icc_profile=p), id="jpeg"),
        pytest.param(lambda p: pictures.save(pictures.scene(), "PNG", icc_profile=p), id="png"),
        pytest.param(lambda p: pictures.save(pictures.scene().convert("RGBA"), "PNG", icc_profile=p), id="alpha"),
        pytest.param(lambda p: pictures.save(pictures.scene().quantize(8), "PNG", icc_profile=p), id="palette"),
        pytest.param(lambda p: pictures.save(pictures.scene(), "WEBP", icc_profile=p, quality=95), id="webp"),
        pytest.param(lambda p: pictures.save(pictures.scene(), "TIFF", icc_profile=p), id="tiff"),
        pytest.param(lambda p: pictures.save(pictures.scene().convert("YCbCr"), "TIFF", icc_profile=p), id="ycbcr"),
    ],
)
def test_colours_are_converted_from_the_embedded_profile(source: Callable[[bytes], bytes]) -> None:
    made = thumb(source(pictures.swapped_profile()))
    red, green = pixel(made, 0.25, 0.25), pixel(made, 0.75, 0.25)
    assert close(red, (30, 220, 40))
    assert close(green, (160, 20, 60))


def test_a_profile_leaves_transparency_alone() -> None:
    image = Image.new("RGBA", (40, 40), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    made = thumb(pictures.save(image, "PNG", icc_profile=pictures.swapped_profile()))
    assert pixel(made, 0.2, 0.5)[3] == 0
    assert pixel(made, 0.8, 0.5)[1] > 180


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_profiles(mode: str) -> None:
    source = pictures.save(
        Image.new("L", (40, 40), 55).convert(mode), "PNG", icc_profile=pictures.linear_grey_profile()
    )
    assert close(pixel(thumb(source), 0.5, 0.5), (128, 128, 128))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "P"])
def test_a_colour_profile_counts_for_a_grey_picture_too(mode: str) -> None:
    source = pictures.save(Image.new("L", (40, 40), 55).convert(mode), "PNG", icc_profile=pictures.linear_profile())
    assert close(pixel(thumb(source), 0.5, 0.5), (128, 128, 128))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_profiles(file_format: str) -> None:
    inks = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    plain = thumb(pictures.save(inks, file_format))
    assert close(pixel(plain, 0.5, 0.5), (0, 255, 255))
    printed = thumb(pictures.save(inks, file_format, icc_profile=pictures.black_only_profile()))
    assert close(pixel(printed, 0.5, 0.5), (255, 255, 255))


@pytest.mark.parametrize("name", pictures.broken_profiles())
def test_a_broken_profile_is_ignored(name: str) -> None:
    profile = pictures.broken_profiles()[name]
    assert_scene(thumb(pictures.jpeg(icc_profile=profile)))
    assert_scene(thumb(pictures.save(pictures.scene(), "PNG", icc_profile=profile)))


# --- sizes ---


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((10_000, 1), (80, 1)),
        ((1, 10_000), (1, 80)),
        ((1, 1), (1, 1)),
        ((80, 80), (80, 80)),
        ((81, 80), (80, 79)),
        ((79, 3), (79, 3)),
        ((8_000, 99), (80, 1)),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_extreme_sizes(file_format: str, size: tuple[int, int], wanted: tuple[int, int]) -> None:
    made = thumb(pictures.save(Image.new("RGB", size, GREEN), file_format))
    assert (made.width, made.height) == wanted
    assert close(pixel(made, 0.5, 0.5), GREEN)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 500),
    height=st.integers(1, 500),
    max_edge=st.integers(1, 300),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    file_format=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF"]),
)
def test_any_size_keeps_aspect_and_colour(
    width: int, height: int, max_edge: int, colour: tuple[int, int, int], file_format: str
) -> None:
    made = thumb(pictures.save(Image.new("RGB", (width, height), colour), file_format), max_edge)
    assert (made.source_width, made.source_height) == (width, height)
    assert_sound(made, max_edge)
    assert close(pixel(made, 0.5, 0.5), colour)


@pytest.mark.parametrize("size", [(1025, 769), (4001, 3), (999, 1300)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_shrinking_in_two_steps_looks_like_shrinking_in_one(file_format: str, size: tuple[int, int]) -> None:
    random_bytes = random.Random(1).randbytes(97 * 61)  # noqa: S311 - the same picture every time
    noise = Image.frombytes("L", (97, 61), random_bytes).resize(size, Image.Resampling.BICUBIC)
    data = pictures.save(noise, file_format)
    shrunk = thumbnail.imaging._decode_and_shrink(Image.open(io.BytesIO(data)), MAX_EDGE)
    wanted = Image.open(io.BytesIO(data)).resize(shrunk.size, Image.Resampling.LANCZOS)
    pairs = zip(shrunk.tobytes(), wanted.tobytes(), strict=True)
    mean_square = statistics.fmean((a - b) ** 2 for a, b in pairs)
    assert 10 * math.log10(255**2 / mean_square) > 40  # decibels; at 40 a trained eye sees nothing


def test_details_average_out() -> None:
    """Fine black and white lines become grey and not a pattern: no row is just left out."""
    lines = Image.frombytes("L", (2000, 2000), (bytes(2000) + b"\xff" * 2000) * 1000)
    for file_format in ("PNG", "JPEG"):
        image = Image.open(io.BytesIO(thumb(pictures.save(lines, file_format)).data)).convert("L")
        assert all(120 <= value <= 136 for value in image.tobytes())


@pytest.mark.parametrize(
    "limits",
    [
        {"max_edge": 0, "max_pixels": 1},
        {"max_edge": -1, "max_pixels": 1},
        {"max_edge": 16_384, "max_pixels": 1},
        {"max_edge": 1, "max_pixels": 0},
        {"max_edge": 1, "max_pixels": 178_956_971},
    ],
)
def test_limits_that_make_no_sense(limits: Mapping[str, int]) -> None:
    with pytest.raises(ValueError, match="must be from 1 to"):
        make_thumbnail(io.BytesIO(good("jpeg")), **limits)


def test_the_same_bytes_give_the_same_bytes() -> None:
    for name in pictures.GOOD:
        assert thumb(good(name)).data == thumb(good(name)).data


def test_a_file_on_disk_is_as_good_as_memory(tmp_path: Path) -> None:
    for name in ("jpeg", "tiff-lzw", "webp", "avif"):
        path = tmp_path / name
        path.write_bytes(good(name))
        with path.open("rb") as file:
            file.seek(7)  # wherever its reader left it
            assert make_thumbnail(file, max_edge=MAX_EDGE, max_pixels=MAX_PIXELS) == thumb(good(name))
            assert not file.closed


# --- what is rejected, and how ---


@pytest.mark.parametrize("name", pictures.foreign_files())
def test_other_files_are_rejected(name: str) -> None:
    with pytest.raises(Rejected, match="not a picture in a supported format") as caught:
        thumb(pictures.foreign_files()[name])
    assert_readable(str(caught.value))
    assert caught.value.__cause__ is not None


def test_other_formats_that_pillow_knows_are_rejected() -> None:
    for file_format in ("PPM", "TGA", "JPEG2000", "ICO", "PDF", "EPS", "SGI", "PCX"):
        with pytest.raises(Rejected, match="not a picture in a supported format"):
            thumb(pictures.save(pictures.scene(), file_format))


def test_the_limit_of_pixels_is_inclusive_and_named() -> None:
    assert thumb(good("png"), max_pixels=WIDTH * HEIGHT).width == MAX_EDGE
    for name in pictures.GOOD:
        with pytest.raises(Rejected, match=r"^The picture has 64,000 pixels; the limit is 63,999\.$"):
            thumb(good(name), max_pixels=WIDTH * HEIGHT - 1)


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP"])
def test_bombs_are_rejected_by_their_header(file_format: str) -> None:
    with pytest.raises(Rejected, match=r"^The picture has 120,000,000 pixels; the limit is 50,000,000\.$"):
        thumb(pictures.bomb(file_format))
    with pytest.raises(Rejected, match=r"^The picture has too many pixels; the limit is 50,000,000\.$"):
        thumb(pictures.bomb(file_format, 400_000_000))


def test_rejection_does_not_depend_on_pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(Rejected, match="has 400,000,000 pixels"):
        thumb(pictures.bomb("BMP", 400_000_000))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)
    assert_scene(thumb(good("png")))  # nor on its warning
    assert WIDTH * HEIGHT - 1 == Image.MAX_IMAGE_PIXELS


def test_pixels_of_a_frame_larger_than_its_canvas_count() -> None:
    with pytest.raises(Rejected, match="has 100,000,000 pixels"):
        thumb(pictures.gif_with_large_frame(10_000, 10_000))
    assert_harmless(pictures.gif_with_large_frame())
    made = thumb(pictures.gif_with_large_frame(16, 40))
    assert (made.source_width, made.source_height) == (16, 40)


def test_running_out_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", fail)
    with pytest.raises(MemoryError):
        thumb(good("jpeg"))


def test_failing_to_encode_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match=r"^$"):
        thumb(good("jpeg"))


# --- damage ---


@pytest.mark.parametrize("name", pictures.GOOD)
def test_a_cut_off_picture_is_harmless(name: str) -> None:
    whole = good(name)
    ends = {*range(0, min(len(whole), 64), 7), *(len(whole) * part // 16 for part in range(16)), len(whole) - 1}
    for end in sorted(ends):
        assert_harmless(whole[:end])


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "avif", "tiff", "tiff-lzw", "bmp"])
def test_half_a_picture_is_rejected(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        thumb(good(name)[: len(good(name)) // 2])
    assert_readable(str(caught.value))
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("kind", pictures.MAGIC)
def test_a_bare_header_is_rejected(kind: str) -> None:
    with pytest.raises(Rejected) as caught:
        thumb(pictures.MAGIC[kind])
    assert_readable(str(caught.value))


DAMAGED = ["jpeg", "jpeg-progressive", "jpeg-mpo", "png", "png-palette", "gif", "webp", "webp-lossless", "avif"]
DAMAGED += ["tiff", "tiff-lzw", "tiff-jpeg", "tiff-palette", "tiff-16", "bmp", "bmp-palette"]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(DAMAGED),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    early=st.booleans(),
)
def test_flipped_bits_are_harmless(name: str, flips: list[tuple[float, int]], early: bool) -> None:  # noqa: FBT001
    data = bytearray(good(name))
    for place, bits in flips:
        # Headers decide most, so half of the examples spoil the first 200 bytes (a TIFF's last: its directory).
        index = int(place * min(200, len(data)) if early else place * len(data))
        data[-1 - index if early and name.startswith("tiff") else index] ^= bits
    assert_harmless(bytes(data))


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(pictures.MAGIC)), rest=st.binary(max_size=300))
def test_random_bytes_are_harmless(kind: str, rest: bytes) -> None:
    assert_harmless(pictures.MAGIC[kind] + rest)
    assert_harmless(rest)


@pytest.mark.parametrize("name", pictures.lying_tiffs())
def test_lying_tiffs_are_harmless(name: str) -> None:
    assert_harmless(pictures.lying_tiffs()[name])


@pytest.mark.parametrize("name", pictures.odd_floats())
def test_odd_floats_are_harmless(name: str) -> None:
    assert_sound(thumb(pictures.odd_floats()[name]))


def test_the_beginning_is_checked_wherever_the_file_was_left() -> None:
    source = io.BytesIO(pictures.tiff_with_large_exif())
    source.seek(7)
    with pytest.raises(Rejected, match="damaged"):
        make_thumbnail(source, max_edge=MAX_EDGE, max_pixels=MAX_PIXELS)


def test_an_exif_directory_must_be_found_by_an_offset() -> None:
    """In another type Pillow would find a directory that our check overlooks."""
    with pytest.raises(Rejected, match="damaged"):
        thumb(pictures.tiff([8], 1, bytes(WIDTH * HEIGHT), ">", more={34665: (pictures.SHORT, [8])}))


def test_a_tiff_that_leads_back_to_itself_ends() -> None:
    assert thumb(pictures.cyclic_tiff()).source_format == "TIFF"


def test_a_jpeg_cannot_be_refined_for_ever() -> None:
    assert thumb(pictures.jpeg_with_many_scans(100)).source_format == "JPEG"
    with pytest.raises(Rejected, match="damaged") as caught:
        thumb(pictures.jpeg_with_many_scans(101))
    assert str(caught.value.__cause__) == "101 scans"


def test_a_scan_is_counted_where_two_reads_meet() -> None:
    scan = b"\xff\xda"
    check_headers(io.BytesIO(b"\xff\xd8" + scan + bytes((1 << 20) - 1) + scan * 99))
    with pytest.raises(ValueError, match="101 scans"):
        check_headers(io.BytesIO(b"\xff\xd8" + scan + bytes((1 << 20) - 1) + scan * 100))


def test_no_warning_reaches_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for data in (
            pictures.bomb("PNG"),
            pictures.save(pictures.scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05"),
            good("jpeg-mpo").replace(b"MPF\0", b"MPF\0\xff\xff", 1),
            *pictures.lying_tiffs().values(),
        ):
            assert_harmless(data)
    assert [str(warning.message) for warning in caught] == []


# --- memory, as the operating system counts it ---

CHILD = """
import io, json, resource, struct, sys
from thumbnail.headers import check_headers
from thumbnail.imaging import Rejected, make_thumbnail

def peak():
    try:
        # Not ru_maxrss: on Linux a new process inherits that from the one that started it, and pytest is large.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2  # bytes, on macOS

def thumb(data):
    try:
        made = make_thumbnail(io.BytesIO(data), max_edge=256, max_pixels=50_000_000)
        return f"{made.width} x {made.height}"
    except Rejected as rejected:
        return str(rejected)

while size := sys.stdin.buffer.read(8):
    data = sys.stdin.buffer.read(*struct.unpack("<Q", size))
    before = peak()
    outcome = thumb(data)
    print(json.dumps([outcome, peak() - before]), flush=True)
print(json.dumps([name for name in sys.modules if name.startswith("PIL.")]))
"""


def measure(sources: list[bytes]) -> list[tuple[str, int]]:
    """What becomes of each picture, and by how many MiB it raised the peak of a process that did nothing else."""
    stdin = b"".join(struct.pack("<Q", len(source)) + source for source in sources)
    root = Path(thumbnail.imaging.__file__).parents[1]
    command = [sys.executable, "-c", CHILD]
    done = subprocess.run(command, input=stdin, cwd=root, capture_output=True, timeout=60, check=True)
    *results, modules = (json.loads(line) for line in done.stdout.splitlines())
    assert "PIL.PdfImagePlugin" not in modules, "Pillow went to look for a plugin, which costs 13 ms of each cold start"
    return [(outcome, growth) for outcome, growth in results]


@pytest.mark.slow
def test_hostile_pictures_cost_little_memory() -> None:
    """The warm-up first; then each picture may raise the peak by next to nothing, which it would by 60 MiB and more."""
    hostile = {
        "png": pictures.bomb("PNG"),
        "gif": pictures.bomb("GIF"),
        "gif frame": pictures.gif_with_large_frame(10_000, 10_000),
        "bmp": pictures.bomb("BMP"),
        "tile": pictures.tiff_with_large_tile(),
        "strips": pictures.tiff_with_many_strips(),
        "strips as bytes": pictures.tiff_with_strips_as_bytes(),
        "exif in tiff": pictures.tiff_with_large_exif(),
        "strips of 64 bits": pictures.big_tiff_with_many_strips(),
        "exif in jpeg": pictures.jpeg_with_large_exif(),
        "exif among rubbish": pictures.jpeg_with_large_exif(b"rubbish"),
        "exif among markers": pictures.jpeg_with_large_exif(b"\xff\xd0rubbish\xff\xff"),
        "exif in png": pictures.png_with_large_exif(),
        "zTXt": pictures.png_with_text_bomb(b"zTXt"),
        "iTXt": pictures.png_with_text_bomb(b"iTXt"),
        "iCCP": pictures.png_with_text_bomb(b"iCCP"),
    }
    warm_up = [good(name) for name in ("jpeg", "png", "gif", "tiff", "bmp")]
    results = measure([*warm_up, *hostile.values()])[len(warm_up) :]
    for name, (outcome, growth) in zip(hostile, results, strict=True):
        if outcome != "256 x 160":  # the size of what is harmless otherwise
            assert_readable(outcome)
        assert growth < 16, (name, growth)


def test_a_jpeg_is_shrunk_while_it_is_decoded() -> None:
    """A quarter of each edge: 24 million pixels cost 6 MiB instead of the 96 that they have in memory."""
    photo = pictures.jpeg((6000, 4000), quality=80)
    ((outcome, growth),) = measure([photo])
    assert outcome == "256 x 171"
    assert growth < 40
