"""Animations whose first frame does not cover the canvas."""

import struct

import pytest
from PIL import Image

from tests.handlers.thumbnail.checks import assert_shows_scene, is_close, open_rgba, pixel, thumbnail_of
from tests.handlers.thumbnail.pictures import RED, save, scene
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH

LEFT, TOP, FRAME_WIDTH, FRAME_HEIGHT = 80, 50, 160, 100
"""The rectangle of the small frame: the middle of the canvas."""
CORNERS = [(0.05, 0.05), (0.95, 0.05), (0.05, 0.95), (0.95, 0.95)]


def gif_with_small_frame(
    *, background: int = 0, frame: tuple[int, int] = (LEFT, TOP), transparent: bool = False
) -> bytes:
    """Return a GIF with a red frame in the middle of the canvas. Its palette begins with a green background."""
    image = Image.new("P", (FRAME_WIDTH, FRAME_HEIGHT), 1)
    if transparent:
        image.paste(2, (0, 0, FRAME_WIDTH // 2, FRAME_HEIGHT))
    image.putpalette([0, 255, 0, *RED, 0, 0, 255, 255, 255, 255])
    options = {"transparency": 2} if transparent else {}
    whole = bytearray(save(image, "GIF", **options))
    whole[6:10] = struct.pack("<HH", WIDTH, HEIGHT)
    whole[11] = background
    start = whole.index(b",\0\0\0\0")
    whole[start + 1 : start + 5] = struct.pack("<HH", *frame)
    return bytes(whole)


@pytest.mark.parametrize("max_edge", [80, WIDTH], ids=["shrunk", "same-size"])
@pytest.mark.parametrize("background", [0, 1, 3])
def test_the_canvas_around_the_first_frame_of_a_gif_is_transparent(background: int, max_edge: int) -> None:
    result = thumbnail_of(gif_with_small_frame(background=background), max_edge)
    assert (result.source_width, result.source_height) == (WIDTH, HEIGHT)
    assert is_close(pixel(result, 0.5, 0.5), (*RED, 255))
    assert [pixel(result, x, y)[3] for x, y in CORNERS] == [0] * 4


def test_transparent_pixels_within_the_first_frame_of_a_gif_stay_transparent() -> None:
    result = thumbnail_of(gif_with_small_frame(transparent=True))
    assert is_close(pixel(result, 0.6, 0.5), (*RED, 255))
    assert [pixel(result, x, y)[3] for x, y in [*CORNERS, (0.4, 0.5)]] == [0] * 5


@pytest.mark.parametrize("frame", [(0, 0), (WIDTH - FRAME_WIDTH, HEIGHT - FRAME_HEIGHT)], ids=str)
def test_a_frame_in_a_corner_of_a_gif_stays_there(frame: tuple[int, int]) -> None:
    result = thumbnail_of(gif_with_small_frame(frame=frame))
    opposite = (0.95, 0.95) if frame == (0, 0) else (0.05, 0.05)
    assert is_close(pixel(result, 1 - opposite[0], 1 - opposite[1]), (*RED, 255))
    assert pixel(result, *opposite)[3] == 0


def webp_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<L", len(content)) + content + bytes(len(content) % 2)


def webp_with_small_frame(canvas: tuple[int, int], left: int, top: int, *, has_alpha: bool) -> bytes:
    """Return an animated WebP whose only frame is the scene at this place of the canvas, on a green background."""
    image = save(scene(), "WEBP", quality=95)[12:]  # without the header of the file
    frame = b"".join(value.to_bytes(3, "little") for value in (left // 2, top // 2, WIDTH - 1, HEIGHT - 1, 100))
    size = b"".join((value - 1).to_bytes(3, "little") for value in canvas)
    body = webp_chunk(b"VP8X", bytes((0x02 | 0x10 * has_alpha, 0, 0, 0)) + size)
    body += webp_chunk(b"ANIM", bytes((0, 255, 0, 255, 0, 0))) + webp_chunk(b"ANMF", frame + b"\0" + image)
    return b"RIFF" + struct.pack("<L", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("has_alpha", [True, False])
@pytest.mark.parametrize("max_edge", [80, 2 * WIDTH], ids=["shrunk", "same-size"])
def test_the_canvas_around_the_first_frame_of_a_webp_is_transparent(max_edge: int, has_alpha: bool) -> None:  # noqa: FBT001
    result = thumbnail_of(
        webp_with_small_frame((2 * WIDTH, 2 * HEIGHT), WIDTH // 2, HEIGHT // 2, has_alpha=has_alpha), max_edge
    )
    assert is_close(pixel(result, 0.35, 0.35), (*RED, 255))
    assert [pixel(result, x, y)[3] for x, y in CORNERS] == [0] * 4


@pytest.mark.parametrize("size_of_other_chunk", [0, 5], ids=["even", "odd"])
def test_the_edges_of_the_first_frame_of_a_webp_are_exact(size_of_other_chunk: int) -> None:
    whole = webp_with_small_frame((WIDTH + 100, HEIGHT + 100), 60, 20, has_alpha=False)
    chunk = webp_chunk(b"ICCP", bytes(size_of_other_chunk))
    body = whole[12:30] + chunk + whole[30:]
    result = thumbnail_of(b"RIFF" + struct.pack("<L", 4 + len(body)) + b"WEBP" + body, 2 * WIDTH)
    assert open_rgba(result).getchannel("A").getbbox() == (60, 20, 60 + WIDTH, 20 + HEIGHT)


def test_a_frame_that_covers_the_whole_webp_is_opaque() -> None:
    result = thumbnail_of(webp_with_small_frame((WIDTH, HEIGHT), 0, 0, has_alpha=False))
    assert_shows_scene(result)
