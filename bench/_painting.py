"""The test picture of the benchmarks, which this module paints."""

# ruff: noqa: PLC0415 - a benchmark measures this process, so the process imports only what it uses

import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench._measure import ROOT, show_progress

if TYPE_CHECKING:
    from PIL import Image

WIDTH, HEIGHT = 4000, 3000


def painted_picture(file_format: str) -> Path:
    """Return the file of the picture in this format. The file stays in .build, because painting takes seconds."""
    file = ROOT / ".build" / "bench" / f"thumbnail.{file_format.lower()}"
    if not file.exists():
        show_progress(f"12 MP {file_format}: painting the picture, only in the first run")
        file.parent.mkdir(parents=True, exist_ok=True)
        options: Mapping[str, Any] = {"quality": 90, "method": 2}  # a format ignores the options that it does not have
        unfinished = file.with_suffix(".unfinished")
        _paint().save(unfinished, file_format, **options)
        unfinished.replace(file)
    return file


def _paint() -> "Image.Image":
    """Return 12 megapixels that resemble a photo: soft and fine structures, edges, text, and the noise of a sensor."""
    from PIL import Image, ImageDraw

    generator = random.Random(12)  # noqa: S311 - a fixed seed paints the same picture every time
    size = (WIDTH, HEIGHT)
    gradient = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", [gradient, Image.eval(gradient, lambda value: 160 - value // 2), gradient.rotate(180)])
    for scale, weight in ((500, 0.4), (120, 0.3), (30, 0.25), (8, 0.15), (2, 0.1), (1, 0.06)):
        small = (WIDTH // scale, HEIGHT // scale)
        noise = Image.frombytes("RGB", small, generator.randbytes(small[0] * small[1] * 3))
        image = Image.blend(image, noise.resize(size, Image.Resampling.BICUBIC), weight)
    draw = ImageDraw.Draw(image)
    for number in range(150):
        x, y = generator.randrange(WIDTH), generator.randrange(HEIGHT)
        colour = (generator.randrange(256), generator.randrange(256), generator.randrange(256))
        box = (x, y, x + generator.randrange(20, 400), y + generator.randrange(20, 300))
        draw.rectangle(box, outline=colour, width=generator.randrange(2, 12))
        draw.text((y, x // 2), f"Thumbnail {number}", fill=colour, font_size=generator.randrange(20, 120))
    return image
