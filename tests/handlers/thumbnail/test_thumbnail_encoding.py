"""Drawings are encoded without loss if that makes them smaller, and photos are encoded with loss."""

import io
import random

import pytest
from PIL import Image, ImageChops

from tests.handlers.thumbnail.checks import open_rgba, thumbnail_of
from tests.handlers.thumbnail.pictures import save, scene
from thumbnail.pictures.encoding import encode


def is_lossless(webp: bytes) -> bool:
    """Whether the pixels are in a chunk VP8L, which has no loss."""
    return b"VP8L" in webp[:64]


def pixel_art(size: int = 200) -> Image.Image:
    """Return a drawing of small squares in 16 colours."""
    colours = random.Random(1).randbytes(48)  # noqa: S311 - the same drawing in every test run
    image = Image.frombytes("P", (25, 25), bytes(value % 16 for value in random.Random(2).randbytes(625)))  # noqa: S311
    image.putpalette(colours)
    return image.convert("RGB").resize((size, size), Image.Resampling.NEAREST)


def heat_map() -> Image.Image:
    """Return a drawing with 400 colours."""
    colours = random.Random(1).randbytes(1200)  # noqa: S311 - the same drawing in every test run
    return Image.frombytes("RGB", (20, 20), colours).resize((240, 240), Image.Resampling.NEAREST)


def photo(size: tuple[int, int] = (1000, 800)) -> Image.Image:
    """Return a picture with noise, as a camera makes it."""
    gradient = Image.linear_gradient("L").resize(size)
    noise = Image.effect_noise(size, 30)
    return Image.merge("RGB", [ImageChops.add(gradient, noise, 2), gradient, ImageChops.invert(gradient)])


@pytest.mark.parametrize("drawing", [pixel_art(), scene(), heat_map()], ids=["pixel-art", "scene", "heat-map"])
def test_a_drawing_is_exact_and_smaller_than_with_loss(drawing: Image.Image) -> None:
    result = thumbnail_of(save(drawing, "PNG"), max_edge=256)
    assert is_lossless(result.data)
    shrunk = drawing.convert("RGB")
    shrunk.thumbnail((256, 256), Image.Resampling.LANCZOS)
    assert len(result.data) <= len(save(shrunk, "WEBP", quality=80))


def test_a_picture_of_few_colours_that_is_smaller_with_loss_is_encoded_with_loss() -> None:
    grey_photo = photo((256, 256)).convert("L").convert("RGB")
    assert not is_lossless(encode(grey_photo))


def test_the_colours_of_pixel_art_do_not_change() -> None:
    result = thumbnail_of(save(pixel_art(), "PNG"), max_edge=256)
    assert open_rgba(result).convert("RGB").tobytes() == pixel_art().tobytes()


def test_an_icon_is_exact_even_if_it_is_a_photo() -> None:
    icon = photo((64, 64))
    assert Image.open(io.BytesIO(encode(icon))).convert("RGB").tobytes() == icon.tobytes()


@pytest.mark.slow  # makes large pictures
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_photo_is_encoded_only_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding without loss would take as long as everything else together."""
    encoded: list[object] = []
    save_image = Image.Image.save

    def record(image: Image.Image, *arguments: object, **options: object) -> None:
        encoded.append(options)
        save_image(image, *arguments, **options)  # type: ignore[arg-type]

    picture = photo()
    picture.paste((90, 140, 250), (0, 0, 1000, 400))  # a sky without clouds
    data = save(picture.convert(mode), "PNG")
    monkeypatch.setattr(Image.Image, "save", record)
    assert not is_lossless(thumbnail_of(data, max_edge=256).data)
    assert len(encoded) == 1
