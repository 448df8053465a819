"""WebP pictures that libwebp shrinks while it decodes them, and those that Pillow decodes at their full size."""

import functools
import io
import random

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.handlers.thumbnail.checks import assert_shows_scene, assert_valid, good_picture, open_rgba, thumbnail_of
from tests.handlers.thumbnail.pictures import save
from thumbnail.pictures import webp


@functools.cache
def fine_structures(size: tuple[int, int]) -> Image.Image:
    """Return a picture with structures of several sizes, as in a photo."""
    generator = random.Random(7)  # noqa: S311 - the same picture in each run
    image = Image.new("RGB", size, (128, 128, 128))
    for scale in (100, 20, 5):
        small = (size[0] // scale, size[1] // scale)
        noise = Image.frombytes("RGB", small, generator.randbytes(small[0] * small[1] * 3))
        image = Image.blend(image, noise.resize(size, Image.Resampling.BICUBIC), 0.4)
    return image


@pytest.mark.slow  # makes large pictures
@pytest.mark.parametrize("lossless", [False, True], ids=["lossy", "lossless"])
@pytest.mark.parametrize("size", [(1200, 900), (901, 1203), (3000, 8), (479, 481), (100, 60)], ids=str)
def test_a_webp_gets_the_same_thumbnail_as_a_png_with_its_pixels(size: tuple[int, int], lossless: bool) -> None:  # noqa: FBT001
    data = save(fine_structures(size), "WEBP", quality=90, lossless=lossless, method=0)
    png = save(Image.open(io.BytesIO(data)).convert("RGB"), "PNG", compress_level=1)
    result, expected = thumbnail_of(data), thumbnail_of(png)
    assert_valid(result)
    assert (result.width, result.height) == (expected.width, expected.height)
    difference = ImageChops.difference(open_rgba(result), open_rgba(expected))
    # Most of the difference is the loss of the thumbnail's own format. A wrong picture would have 30 and more.
    assert max(ImageStat.Stat(difference).mean) < 6


@pytest.mark.parametrize("lossless", [False, True], ids=["lossy", "lossless"])
@pytest.mark.parametrize(
    "size", [(150, 90), *(pytest.param(size, marks=pytest.mark.slow) for size in ((300, 200), (1, 1)))], ids=str
)
def test_libwebp_mixes_all_pixels_that_become_one_pixel(size: tuple[int, int], lossless: bool) -> None:  # noqa: FBT001
    source = io.BytesIO(save(fine_structures((600, 400)), "WEBP", quality=90, lossless=lossless))
    picture = Image.open(source)
    shrunk = webp.decode_small(picture, source, size)
    assert shrunk is not None
    assert (shrunk.mode, shrunk.size) == ("RGB", size)
    expected = picture.convert("RGB").resize(size, Image.Resampling.BOX)
    assert max(ImageStat.Stat(ImageChops.difference(shrunk, expected)).mean) < 3


@pytest.mark.parametrize("size", [(301, 1), (1, 201), (600, 400), (2000, 2000)], ids=str)
def test_libwebp_does_not_shrink_a_picture_by_less_than_the_half(size: tuple[int, int]) -> None:
    """The colours of most files have half the resolution. libwebp would have to enlarge them, which blurs them."""
    source = io.BytesIO(save(fine_structures((600, 400)), "WEBP"))
    assert webp.decode_small(Image.open(source), source, size) is None


def test_libwebp_does_not_shrink_transparent_pictures() -> None:
    source = io.BytesIO(save(Image.new("RGBA", (600, 400), (200, 0, 0, 100)), "WEBP"))
    assert webp.decode_small(Image.open(source), source, (6, 4)) is None


@pytest.mark.parametrize("name", ["webp", "webp-lossless", "webp-animated"])
def test_pillow_decodes_a_webp_if_it_does_not_offer_the_functions_of_libwebp(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webp, "_libwebp", lambda: None)
    assert_shows_scene(thumbnail_of(good_picture(name)))
