"""JPEG files with other data behind the picture, without their end, and of kinds that the decoder lacks."""

import io
import random
from typing import Any

import pytest

from tests.handlers.thumbnail import hostile, pictures, profiles
from tests.handlers.thumbnail.checks import assert_rejected, assert_shows_scene, is_close, pixel, thumbnail_of
from tests.handlers.thumbnail.raw import SIZE
from tests.support.fast import first_are_fast
from thumbnail.pictures.jpeg import open_jpeg

_OTHER_DATA = {
    "random": random.Random(1).randbytes(9 << 20),  # noqa: S311 - as the video of a motion photo
    "zeros": bytes(9 << 20),
    "markers": b"\xff\xda" * 100_000,
    "other-pictures": pictures.jpeg(progressive=True) * 30,
    "segments": b"\0\0" + b"\xff\xda\0\2" * 200,
    "text": b"<html>" * 1000,
    "half-a-marker": b"\xff",
}


@pytest.mark.parametrize("other_data", _OTHER_DATA.values(), ids=_OTHER_DATA)
@pytest.mark.parametrize("is_progressive", [False, True], ids=["baseline", "progressive"])
def test_other_data_behind_the_picture_is_ignored(other_data: bytes, is_progressive: bool) -> None:  # noqa: FBT001
    assert_shows_scene(thumbnail_of(pictures.jpeg(progressive=is_progressive) + other_data))


def test_the_bytes_of_a_marker_in_a_segment_are_not_counted() -> None:
    comment = b"\xff\xfe\xff\xf0" + b"\xff\xda" * (0xFFEE // 2)
    assert_shows_scene(thumbnail_of(pictures.jpeg().replace(b"\xff\xdb", comment + b"\xff\xdb", 1)))
    whole = pictures.jpeg(progressive=True)
    last_scan = whole.rindex(b"\xff\xda")
    assert_shows_scene(thumbnail_of(whole[:last_scan] + comment + whole[last_scan:]))


# --- segments that a thumbnail does not need ---


@pytest.mark.parametrize("marker", first_are_fast(2, [0xE0, 0xE1, 0xE2, 0xE3, 0xED, 0xEE, 0xEF, 0xFE]), ids=hex)
@pytest.mark.parametrize("content", [b"", b"JFIF\0", b"Exif", b"Adobe", b"ICC_PROFILE\0", b"MPF\0", b"Photoshop 3.0\0"])
def test_a_wrong_application_segment_is_ignored(marker: int, content: bytes) -> None:
    segment = bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content
    whole = pictures.jpeg()
    assert_shows_scene(thumbnail_of(whole[:2] + segment + whole[2:]))
    assert_shows_scene(thumbnail_of(whole.replace(b"\xff\xdb", segment + b"\xff\xdb", 1)))


def test_large_xmp_metadata_is_ignored() -> None:
    """Phones store depth maps of several MiB in the metadata XMP, which has the same marker as EXIF."""
    content = b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000)
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content
    whole = pictures.jpeg()
    assert_shows_scene(thumbnail_of(whole[:2] + segment * 30 + whole[2:]))


@pytest.mark.parametrize(
    "invalid", [b"rubbish", b"\xff\0", b"\xff\xc8", b"\xff\xd0", b"\xff\xf0", b"\xff\xff", b"\xff\xfe\0\0"]
)
def test_invalid_bytes_between_segments_are_ignored(invalid: bytes) -> None:
    whole = pictures.jpeg()
    for name in (b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda"):
        assert_shows_scene(thumbnail_of(whole.replace(name, invalid + name)))


def test_a_profile_behind_the_frame_is_used() -> None:
    profile = b"ICC_PROFILE\0\1\1" + profiles.swapped_profile()
    segment = b"\xff\xe2" + (len(profile) + 2).to_bytes(2) + profile
    result = thumbnail_of(pictures.jpeg().replace(b"\xff\xda", segment + b"\xff\xda", 1))
    assert is_close(pixel(result, 0.25, 0.25), (30, 220, 40))  # RED with red and green exchanged


@pytest.mark.parametrize(
    "segment", [b"\xff\xdd\0\4\0\0", b"\xff\xe3\0\4\0\0", b"\xff\xd0"], ids=["used", "ignored", "empty"]
)
def test_a_jpeg_with_too_many_markers_is_rejected(segment: bytes) -> None:
    whole = pictures.jpeg()
    assert_rejected(whole[:2] + segment * 20_000 + whole[2:], "is a kind of JPEG that is not supported")


def test_a_marker_may_lie_across_two_blocks_of_the_file() -> None:
    """The program reads blocks of 4,096 bytes. Fill bytes (0xFF) may come before the second byte of a marker."""
    start, tables, rest = pictures.jpeg().partition(b"\xff\xdb")
    for count in (*range(4066, 4100), 9000):
        for filling in (b"\xff" * count, bytes(count)):
            assert_shows_scene(thumbnail_of(start + filling + tables + rest))


# --- the end of the file is missing ---


@pytest.mark.parametrize("max_edge", first_are_fast(1, [80, 320]), ids=["shrunk", "same-size"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 2}])
@pytest.mark.parametrize("end", [b"", b"\xff", b"\xff\xff"], ids=["nothing", "half-a-marker", "filling"])
def test_a_picture_whose_end_marker_is_missing_is_complete(options: dict[str, Any], end: bytes, max_edge: int) -> None:
    whole = pictures.jpeg(**options)
    result = thumbnail_of(whole.removesuffix(b"\xff\xd9") + end, max_edge)
    assert result == thumbnail_of(whole, max_edge)


@pytest.mark.parametrize("missing", [12, 100, 400])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_picture_whose_last_rows_are_missing_is_incomplete(options: dict[str, Any], missing: int) -> None:
    assert_rejected(noisy_jpeg(**options)[:-missing], r"^The picture is damaged or incomplete\.$")


def test_a_picture_that_ends_within_a_stored_byte_is_incomplete() -> None:
    """In the data of a scan, the byte 0xFF is stored as two bytes."""
    whole = noisy_jpeg()
    assert_rejected(whole[: whole.rindex(b"\xff\0", 0, -400) + 1], r"^The picture is damaged or incomplete\.$")


def noisy_jpeg(**options: Any) -> bytes:
    """Return a JPEG in which every block has other pixels."""
    noise = pictures.scene().effect_spread(20)
    return pictures.save(noise, "JPEG", quality=95, **options)


# --- kinds of JPEG ---


def with_frame(marker: int = 0xC0, depth: int = 8, height: int = 200, channels: int = 3) -> bytes:
    """Return a JPEG whose frame header says this."""
    whole = pictures.jpeg()
    start = whole.index(b"\xff\xc0")
    header = bytearray(whole[start : start + 10])
    header[1], header[4], header[9] = marker, depth, channels
    header[5:7] = height.to_bytes(2)
    return whole[:start] + header + whole[start + 10 :]


@pytest.mark.parametrize(
    "frame",
    [
        {"marker": 0xC5},  # hierarchical
        {"marker": 0xC7},
        {"marker": 0xCB},
        {"marker": 0xCF},
        {"marker": 0xDE},
        {"depth": 12},
        {"depth": 16},
        {"height": 0},  # the height comes behind the first scan
        {"channels": 2},
    ],
    ids=str,
)
def test_a_kind_of_jpeg_without_decoder_is_not_supported(frame: dict[str, int]) -> None:
    assert_shows_scene(thumbnail_of(with_frame()))
    assert_rejected(with_frame(**frame), r"^The picture is a kind of JPEG that is not supported\.$")


def test_an_extended_jpeg_of_8_bits_is_shown() -> None:
    assert_shows_scene(thumbnail_of(with_frame(0xC1)))


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCA], ids=["lossless", "arithmetic", "arithmetic-progressive"])
def test_a_rare_kind_of_jpeg_reaches_the_decoder(marker: int) -> None:
    """Pillow cannot write these kinds, so the test opens a file, and does not decode it."""
    picture = open_jpeg(io.BytesIO(with_frame(marker)))
    assert picture.size == SIZE
    assert picture.info["is_lossless"] == (marker == 0xC3)


def test_a_large_exif_segment_is_not_supported() -> None:
    assert_rejected(hostile.jpeg_with_large_exif(), r"^The picture is a kind of JPEG that is not supported\.$")


# --- orientation ---

_XMP = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"></x:xmpmeta>'


@pytest.mark.parametrize("max_edge", [80, 320], ids=["shrunk", "same-size"])
@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_an_orientation_in_xmp_alone_does_not_turn_the_picture(file_format: str, max_edge: int) -> None:
    """Pillow turns the picture, but browsers do not."""
    assert_shows_scene(thumbnail_of(pictures.save(pictures.scene(), file_format, xmp=_XMP, quality=95), max_edge))
