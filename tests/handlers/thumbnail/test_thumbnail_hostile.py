"""Bad pictures are rejected with a readable reason, and need little memory."""

import io
import json
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import thumbnail.imaging
from tests.handlers.thumbnail import hostile, pictures
from tests.handlers.thumbnail.checks import (
    MAX_EDGE,
    MAX_PIXELS,
    assert_made_or_rejected,
    assert_readable,
    assert_rejected,
    assert_shows_scene,
    good_picture,
    thumbnail_of,
)
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH
from tests.support.fast import first_are_fast
from thumbnail.imaging import Rejected, make_thumbnail


@pytest.mark.parametrize("data", hostile.other_files().values(), ids=hostile.other_files())
def test_other_files_are_rejected(data: bytes) -> None:
    rejection = assert_rejected(data, "not a picture in a supported format")
    assert rejection.__cause__ is not None


# --- too many pixels ---


@pytest.mark.parametrize("name", pictures.GOOD_PICTURES)
def test_a_picture_with_one_pixel_too_many_is_rejected(name: str) -> None:
    reason = r"^The picture has 64,000 pixels; the limit is 63,999\.$"
    assert_rejected(good_picture(name), reason, max_pixels=WIDTH * HEIGHT - 1)
    assert thumbnail_of(good_picture(name), max_pixels=WIDTH * HEIGHT).width == MAX_EDGE


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP"])
def test_a_decompression_bomb_is_rejected_by_its_header(file_format: str) -> None:
    reason = r"^The picture has 120,000,000 pixels; the limit is 50,000,000\.$"
    assert_rejected(hostile.bomb(file_format), reason)
    too_many_for_pillow = r"^The picture has (too many|400,000,000) pixels; the limit is 50,000,000\.$"
    assert_rejected(hostile.bomb(file_format, 400_000_000), too_many_for_pillow)


def test_the_result_does_not_depend_on_pillows_own_limit_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert_rejected(hostile.bomb("BMP", 400_000_000), "has 400,000,000 pixels")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", WIDTH * HEIGHT - 1)  # above this limit, Pillow only warns
    assert_shows_scene(thumbnail_of(good_picture("png")))
    assert WIDTH * HEIGHT - 1 == Image.MAX_IMAGE_PIXELS


def test_the_limit_applies_to_a_frame_that_is_larger_than_its_gif() -> None:
    assert_rejected(hostile.gif_with_large_frame(10_000, 10_000), "has 100,000,000 pixels")
    assert_made_or_rejected(hostile.gif_with_large_frame())
    result = thumbnail_of(hostile.gif_with_large_frame(16, 40))
    assert (result.source_width, result.source_height) == (16, 40)


# --- damage: a damaged picture gets a thumbnail or is rejected, and causes no other error ---


@pytest.mark.parametrize("name", first_are_fast(5, sorted(pictures.GOOD_PICTURES, key=lambda name: "-" in name)))
def test_a_cut_off_picture_is_harmless(name: str) -> None:
    whole = good_picture(name)
    ends = {*range(0, min(len(whole), 64), 7), *(len(whole) * part // 16 for part in range(16)), len(whole) - 1}
    for end in sorted(ends):
        assert_made_or_rejected(whole[:end])


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "avif", "heic", "tiff", "tiff-lzw", "bmp"])
def test_half_a_picture_is_rejected(name: str) -> None:
    rejection = assert_rejected(good_picture(name)[: len(good_picture(name)) // 2])
    assert rejection.__cause__ is not None


PICTURES_TO_DAMAGE = [
    "jpeg",
    "jpeg-progressive",
    "jpeg-mpo",
    "png",
    "png-palette",
    "gif",
    "webp",
    "webp-lossless",
    "avif",
    "heic",
]
PICTURES_TO_DAMAGE += [
    "tiff",
    "tiff-lzw",
    "tiff-jpeg",
    "tiff-palette",
    "tiff-16",
    "tiff-16-alpha",
    "bmp",
    "bmp-palette",
]


@pytest.mark.slow
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(PICTURES_TO_DAMAGE),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    in_header=st.booleans(),
)
def test_flipped_bits_are_harmless(name: str, flips: list[tuple[float, int]], in_header: bool) -> None:  # noqa: FBT001
    data = bytearray(good_picture(name))
    for position, bits in flips:
        # Half of the examples damage the first 200 bytes (in a TIFF the last 200), because the header is there.
        index = int(position * min(200, len(data)) if in_header else position * len(data))
        data[-1 - index if in_header and name.startswith("tiff") else index] ^= bits
    assert_made_or_rejected(bytes(data))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(first_bytes=st.sampled_from([b"", *hostile.MAGIC_BYTES]), rest=st.binary(max_size=300))
def test_random_bytes_are_harmless(first_bytes: bytes, rest: bytes) -> None:
    assert_made_or_rejected(first_bytes + rest)


@pytest.mark.parametrize("data", hostile.contradictory_tiffs().values(), ids=hostile.contradictory_tiffs())
def test_contradictory_tiffs_are_harmless(data: bytes) -> None:
    assert_made_or_rejected(data)


def test_pillows_warnings_do_not_reach_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        for data in (
            hostile.bomb("PNG"),
            pictures.save(pictures.scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05"),
            good_picture("jpeg-mpo").replace(b"MPF\0", b"MPF\0\xff\xff", 1),
            *hostile.contradictory_tiffs().values(),
        ):
            assert_made_or_rejected(data)
    assert [str(warning.message) for warning in caught_warnings] == []


# --- headers ---


def test_headers_are_checked_from_the_beginning_of_the_file() -> None:
    source = io.BytesIO(hostile.jpeg_with_large_exif())
    source.seek(7)
    with pytest.raises(Rejected, match="is a kind of JPEG that is not supported"):
        make_thumbnail(source, max_edge=MAX_EDGE, max_pixels=MAX_PIXELS)


def test_a_cyclic_tiff_is_read_once() -> None:
    assert thumbnail_of(hostile.cyclic_tiff()).source_format == "TIFF"


def test_a_jpeg_with_more_than_100_scans_is_rejected() -> None:
    assert thumbnail_of(hostile.jpeg_with_many_scans(100)).source_format == "JPEG"
    rejection = assert_rejected(hostile.jpeg_with_many_scans(101), "is a kind of JPEG that is not supported")
    assert str(rejection.__cause__) == "more than 100 scans"
    assert_rejected(hostile.jpeg_with_many_scans(101) + bytes(1 << 20), "is a kind of JPEG that is not supported")


def test_the_scans_of_single_channels_count_even_if_the_jpeg_is_not_progressive() -> None:
    rejection = assert_rejected(hostile.jpeg_with_many_scans_of_one_channel(101), "is a kind of JPEG that is not supp")
    assert str(rejection.__cause__) == "more than 100 scans"


def test_a_jpeg_with_one_complete_scan_is_read_only_once() -> None:
    """The decoder ignores everything after the scan, so counting the scans would only cost time."""
    data, read = pictures.jpeg((2000, 1000), quality=95) + bytes(1 << 20), 0

    class CountingFile(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            block = super().read(size)
            read += len(block)
            return block

    make_thumbnail(CountingFile(data), max_edge=MAX_EDGE, max_pixels=MAX_PIXELS)
    assert read < 1 << 20


# --- memory, measured by the operating system ---

CHILD_PROGRAM = """
import io, json, resource, struct, sys
from thumbnail.imaging import Rejected, make_thumbnail

def peak_mib():
    try:
        # On Linux, ru_maxrss would be wrong: a process inherits it from its parent, and pytest needs much memory.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2  # in bytes, on macOS

while size := sys.stdin.buffer.read(8):
    data = sys.stdin.buffer.read(*struct.unpack("<Q", size))
    before = peak_mib()
    try:
        made = make_thumbnail(io.BytesIO(data), max_edge=256, max_pixels=50_000_000)
        outcome = f"{made.width} x {made.height}"
    except Rejected as rejected:
        outcome = str(rejected)
    print(json.dumps([outcome, peak_mib() - before]), flush=True)
print(json.dumps(sorted(sys.modules)))
"""


def measure_peaks(sources: list[bytes]) -> list[tuple[str, int]]:
    """Make thumbnails in a new process. For each picture, return the outcome and the additional peak memory (MiB)."""
    stdin = b"".join(struct.pack("<Q", len(source)) + source for source in sources)
    root = Path(thumbnail.imaging.__file__).parents[1]
    command = [sys.executable, "-c", CHILD_PROGRAM]
    process = subprocess.run(command, input=stdin, cwd=root, capture_output=True, timeout=60, check=True)
    *results, modules = (json.loads(line) for line in process.stdout.splitlines())
    assert "PIL.PdfImagePlugin" not in modules, "Pillow imported all plugins, which adds 10 ms to each cold start"
    assert {"thumbnail.pictures.heif", "pillow_heif"}.isdisjoint(modules), "only an AVIF or a HEIC needs these modules"
    return [(outcome, growth) for outcome, growth in results]


@pytest.mark.slow
def test_hostile_pictures_need_little_memory() -> None:
    """Each picture raises the peak by less than 16 MiB. Without our checks, each picture needs 60 MiB or more."""
    sources = {
        **{file_format: hostile.bomb(file_format) for file_format in ("PNG", "GIF", "BMP")},
        **{kind.decode(): hostile.png_with_text_bomb(kind) for kind in (b"zTXt", b"iTXt", b"iCCP")},
        "gif-frame": hostile.gif_with_large_frame(10_000, 10_000),
        "tile": hostile.tiff_with_large_tile(),
        "strips": hostile.tiff_with_many_strips(),
        "strips-as-bytes": hostile.tiff_with_strips_as_bytes(),
        "exif-in-tiff": hostile.tiff_with_large_exif(),
        "strips-in-big-tiff": hostile.big_tiff_with_many_strips(),
        "exif-in-jpeg": hostile.jpeg_with_large_exif(),
        "exif-among-invalid-bytes": hostile.jpeg_with_large_exif(b"rubbish"),
        "exif-among-markers": hostile.jpeg_with_large_exif(b"\xff\xd0rubbish\xff\xff"),
        "exif-in-png": hostile.png_with_large_exif(),
        "chunk-in-png": hostile.png_with_large_chunk(),
    }
    first_pictures = [
        good_picture(name) for name in ("jpeg", "png", "gif", "tiff", "bmp")
    ]  # these pictures load the decoders, which need memory, too
    results = measure_peaks([*first_pictures, *sources.values()])[len(first_pictures) :]
    for name, (outcome, growth) in zip(sources, results, strict=True):
        if outcome != "256 x 160":  # Pillow ignores some of these tags and makes the usual thumbnail
            assert_readable(outcome)
        assert growth < 16, (name, growth)


LARGE_PICTURES = {
    "JPEG": lambda: pictures.jpeg((6000, 4000), quality=80),
    "WEBP": lambda: pictures.save(Image.new("RGB", (6000, 4000), pictures.RED), "WEBP", method=0),
}


@pytest.mark.slow  # makes large pictures
@pytest.mark.parametrize("file_format", LARGE_PICTURES)
def test_a_picture_is_shrunk_while_it_is_decoded(file_format: str) -> None:
    """If both edges shrink to a quarter, 24 million pixels of 4 bytes need 6 MiB instead of 96 MiB."""
    ((outcome, growth),) = measure_peaks([LARGE_PICTURES[file_format]()])
    assert outcome == "256 x 171"
    assert growth < 40
