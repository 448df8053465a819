"""The README has an exercise for newcomers: change a line of the thumbnail function, and see a grey thumbnail."""

import io
import re
import types

from PIL import Image

from tests.support.folders import ROOT

EXERCISE = re.compile(r"In (lambda_src/\S+), replace `(.+?)` with\s+`(.+?)`")


def _saturation(picture: Image.Image) -> int:
    """Return the highest saturation of a pixel, from 0 (grey) to 255."""
    return max(picture.convert("HSV").getchannel("S").tobytes())


def test_the_exercise_makes_a_grey_thumbnail_of_the_photo() -> None:
    exercise = EXERCISE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert exercise
    file, old, new = exercise.groups()
    source = (ROOT / file).read_text(encoding="utf-8")
    assert source.count(old) == 1
    photo = ROOT / "local" / "photo.jpg"
    saturation = {}
    for name, text in {"before": source, "after": source.replace(old, new)}.items():
        module = types.ModuleType("changed_imaging")
        exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - the text is a file of this project
        thumbnail = module.make_thumbnail(io.BytesIO(photo.read_bytes()), max_edge=256, max_pixels=1_000_000)
        with Image.open(io.BytesIO(thumbnail.data)) as picture:
            saturation[name] = _saturation(picture)
    assert saturation["before"] > 200
    assert saturation["after"] < 10
