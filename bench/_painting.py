"""The picture that the benchmarks measure with."""

# ruff: noqa: PLC0415 - a measured process must not import more than it measures

import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _measure import ROOT, show_progress

if TYPE_CHECKING:
    from PIL import Image

WIDTH, HEIGHT = 4000, 3000


def painted_picture(file_format: str) -> Path:
    """Return the file of the painting in a format. It stays in .build, because painting takes seconds."""
    file = ROOT / ".build" / "bench" / f"thumbnail.{file_format.lower()}"
    if not file.exists():
        show_progress(f"12 MP {file_format}: painting it, only this time")
        file.parent.mkdir(parents=True, exist_ok=True)
        options: Mapping[str, Any] = {"quality": 90, "method": 2}  # each format ignores options that it does not have
        unfinished = file.with_suffix(".unfinished")
        _paint().save(unfinished, file_format, **options)
        unfinished.replace(file)
    return file


def _paint() -> "Image.Image":
    """Return 12 megapixels like a photo's: soft and fine structures, edges, text, and the noise of a sensor."""
    from PIL import Image, ImageDraw

    chance = random.Random(12)  # noqa: S311 - a fixed seed paints the same picture every time
    size = (WIDTH, HEIGHT)
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", [ramp, Image.eval(ramp, lambda value: 160 - value // 2), ramp.rotate(180)])
    for scale, weight in ((500, 0.4), (120, 0.3), (30, 0.25), (8, 0.15), (2, 0.1), (1, 0.06)):
        small = (WIDTH // scale, HEIGHT // scale)
        noise = Image.frombytes("RGB", small, chance.randbytes(small[0] * small[1] * 3))
        image = Image.blend(image, noise.resize(size, Image.Resampling.BICUBIC), weight)
    draw = ImageDraw.Draw(image)
    for number in range(150):
        x, y = chance.randrange(WIDTH), chance.randrange(HEIGHT)
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        box = (x, y, x + chance.randrange(20, 400), y + chance.randrange(20, 300))
        draw.rectangle(box, outline=colour, width=chance.randrange(2, 12))
        draw.text((y, x // 2), f"Thumbnail {number}", fill=colour, font_size=chance.randrange(20, 120))
    return image
