"""The readers: our code and two independent programs. Each turns a file into a small upright sRGB picture.

A reader raises an exception if it does not read the file. The message says why.
"""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageCms

from stacks._pictures import MAX_BYTES, MAX_DECODING_BYTES, MAX_PIXELS
from thumbnail.limits import Limits
from thumbnail.memory import limit_memory
from thumbnail.pictures.encoding import encode

EDGE = 256
"""The longest edge of a thumbnail in pixels. A smaller picture keeps its size."""
MAGICK_SECONDS = 30
_LIMITS = Limits(max_edge=EDGE, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS, max_decoding_bytes=MAX_DECODING_BYTES)

# ImageMagick also runs scripts and other programs that a file names. This policy allows only formats of pictures.
_MAGICK_POLICY = """<policymap>
  <policy domain="delegate" rights="none" pattern="*"/>
  <policy domain="coder" rights="none" pattern="*"/>
  <policy domain="coder" rights="read | write" pattern="{JPEG,PNG,PNG32,GIF,WEBP,TIFF,TIFF64,BMP,HEIC,HEIF,AVIF}"/>
</policymap>"""

Reader = Callable[[bytes], Image.Image]


def installed_readers(magick: str | None, folder: Path) -> tuple[Mapping[str, Reader], Mapping[str, str]]:
    """Return the readers on this machine by name, with ours first, and the reasons why others are absent.

    Args:
        magick: the program of ImageMagick; None for the first on PATH
        folder: an empty folder for the settings of ImageMagick

    """
    readers: dict[str, Reader] = {"ours": read_ours}
    absent = {}
    if find_spec("pyvips"):
        readers["vips"] = read_vips
    else:
        absent["vips"] = "pyvips is not installed (requirements-bench.txt)"
    if program := _find_magick(magick):
        (folder / "policy.xml").write_text(_MAGICK_POLICY)
        (folder / "srgb.icc").write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        readers["magick"] = partial(read_magick, program=program, folder=folder)
    else:
        absent["magick"] = f"{magick or 'magick or convert on PATH'} is not ImageMagick"
    return readers, absent


def read_ours(data: bytes) -> Image.Image:
    """Return our thumbnail."""
    _LIMITS.check_size("", len(data))
    return Image.open(io.BytesIO(_LIMITS.make_thumbnail(io.BytesIO(data)).data)).convert("RGBA")


def read_vips(data: bytes) -> Image.Image:
    """Return the thumbnail of libvips."""
    import pyvips  # type: ignore[import-untyped, import-not-found, unused-ignore] # noqa: PLC0415 - may be absent

    pyvips.cache_set_max(0)
    with limit_memory(MAX_DECODING_BYTES):
        # With fail_on, libvips also rejects damaged pictures, as our code does.
        small = pyvips.Image.thumbnail_buffer(
            data, EDGE, height=EDGE, size="down", output_profile="srgb", fail_on="error"
        )
        small = small.colourspace("srgb").cast("uchar")
        if not small.hasalpha():
            small = small.bandjoin(255)
        return _through_webp(Image.frombytes("RGBA", (small.width, small.height), small.write_to_memory()))


def read_magick(data: bytes, program: str, folder: Path) -> Image.Image:
    """Return the thumbnail of ImageMagick."""
    # The first frame of a GIF can be smaller than the picture. -coalesce puts it in its place.
    full_size = ["-coalesce"] if data.startswith(b"GIF8") else []
    # Without `-alpha set`, ImageMagick 6 writes random alpha for an opaque picture.
    command = [program, "-[0]", *full_size, "-alpha", "set", "-auto-orient", "-profile", str(folder / "srgb.icc")]
    command += ["-colorspace", "sRGB", "-resize", f"{EDGE}x{EDGE}>", "-strip", "-depth", "8", "png32:-"]
    environment = {**os.environ, "MAGICK_CONFIGURE_PATH": str(folder), "MAGICK_THREAD_LIMIT": "1"}
    with limit_memory(MAX_DECODING_BYTES):
        run = subprocess.run(
            command, input=data, capture_output=True, env=environment, timeout=MAGICK_SECONDS, check=False
        )
    messages = run.stderr.decode(errors="replace").splitlines()
    # The exit code is 1 for unknown tags, too, so the kind of the messages decides.
    errors = [message for message in messages if "@ error/" in message]
    if errors or not run.stdout:
        reason = next(iter(errors or messages), "no output")
        raise OSError(re.sub(r" [`@].*", "", reason))  # without the name of a temporary file
    return _through_webp(Image.open(io.BytesIO(run.stdout)).convert("RGBA"))


def _through_webp(picture: Image.Image) -> Image.Image:
    """Return the picture after it was encoded as our thumbnails are.

    In a tiny picture with strong colours, the WebP encoder alone changes a channel by up to 100. This loss is no error
    of a reader, so all readers have it.
    """
    is_opaque = picture.getchannel("A").getextrema() == (255, 255)
    return Image.open(io.BytesIO(encode(picture.convert("RGB") if is_opaque else picture))).convert("RGBA")


def _find_magick(wanted: str | None) -> str | None:
    """Return the path of ImageMagick. Other programs are named `convert`, too, so the version is read."""
    for name in (wanted,) if wanted else ("magick", "convert"):
        program = shutil.which(name)
        if program:
            run = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
            if run.stdout.startswith("Version: ImageMagick"):
                return program
    return None
