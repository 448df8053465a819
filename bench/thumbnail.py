"""Measure the time and the memory of a thumbnail, and compare them with two other ways to make the same thumbnail.

    python -m bench.thumbnail          print a table
    python -m bench.thumbnail --check  also exit with 1 if a target is missed

The three ways are called contenders. All make a WebP of the same size, with the same settings, from the same bytes.
Times are CPU times, which other programs on a busy machine change little. Each turn runs all contenders, so a busy
machine slows all of them. A ratio is the median of the ratios of all turns. Memory and imports are measured in fresh
processes. `make bench` runs all benchmarks of this folder with --check.
"""

# ruff: noqa: PLC0415 - a measured process must not import more than it measures

import argparse
import importlib.util
import io
import operator
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench._measure import (
    LAMBDA_SRC,
    PRINT_PEAK_MIB,
    START_OF_FIRST_REQUEST,
    Target,
    check_targets,
    measure_imports,
    print_first_requests,
    print_imports,
    print_table,
    run_python,
    show_progress,
)
from bench._painting import HEIGHT, WIDTH, painted_picture

sys.path.insert(0, str(LAMBDA_SRC))
os.environ["VIPS_CONCURRENCY"] = (
    "1"  # one thread, as in the other ways; libvips reads this variable when Python loads it
)

EDGE = 256
QUALITY, METHOD = 80, 4
TURNS = 11
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "POWERTOOLS_SERVICE_NAME": "thumbnail",
    "POWERTOOLS_METRICS_NAMESPACE": "x",
    "THUMBNAILS_BUCKET": "x",
    "METADATA_TABLE": "x",
    "MAX_EDGE": "256",
    "MAX_BYTES": "50000000",
    "MAX_PIXELS": "50000000",
    "MAX_DECODING_BYTES": "1258291200",
}


def ours(data: bytes) -> bytes:
    from thumbnail.imaging import make_thumbnail

    return make_thumbnail(io.BytesIO(data), max_edge=EDGE, max_pixels=WIDTH * HEIGHT).data


def load_and_resize(data: bytes) -> bytes:
    from PIL import Image

    image = Image.open(io.BytesIO(data))
    image.load()
    small = image.resize((EDGE, EDGE * HEIGHT // WIDTH), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=METHOD)
    return file.getvalue()


def libvips(data: bytes) -> bytes:
    import pyvips  # type: ignore[import-untyped, import-not-found, unused-ignore]

    pyvips.cache_set_max(0)  # without this line, libvips would return the second thumbnail from its cache
    small = pyvips.Image.thumbnail_buffer(data, EDGE, size="down")
    return bytes(small.webpsave_buffer(Q=QUALITY, effort=METHOD, keep="none"))


CONTENDERS: Mapping[str, Callable[[bytes], bytes]] = {"ours": ours, "load+resize": load_and_resize, "libvips": libvips}

HANDLER = "import thumbnail.handler"
CLIENTS = "import boto3; boto3.client('s3'); boto3.client('dynamodb')"
LIBRARIES = (
    "import botocore.session; session = botocore.session.get_session()\n"
    "session.create_client('s3'); session.create_client('dynamodb')\n"
    "from aws_lambda_powertools import Logger, Metrics\n"
    "from PIL import Image, ImageCms, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin"
)
"""The libraries that every event with a JPEG needs. Without them, the function cannot be faster."""
MEMORY_MB = 1769
"""As in stacks/thumbnail.py."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The results for one picture. The keys are the names of the contenders."""

    file_format: str
    picture_bytes: int
    """The size of the file."""
    turns: Mapping[str, list[float]]
    """Milliseconds of CPU time of every turn."""
    peaks: Mapping[str, float]
    """Peak memory in MiB."""

    def ratio(self, first: str, second: str) -> float | None:
        """Return the time of the first contender divided by the time of the second; None if one is not installed."""
        if first not in self.turns or second not in self.turns:
            return None
        return statistics.median(a / b for a, b in zip(self.turns[first], self.turns[second], strict=True))


def main() -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the thumbnail example.")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        contender, file = arguments.peak
        CONTENDERS[contender](Path(file).read_bytes())
        exec(PRINT_PEAK_MIB)  # noqa: S102 - a constant
        return 0
    try:
        imports = measure_imports([HANDLER, CLIENTS, LIBRARIES], SETTINGS)
        picture = str(painted_picture("JPEG"))
        requests = {
            f"import and first picture of 12 MP, {name}": f"{START_OF_FIRST_REQUEST}make_thumbnail({picture!r}, "
            f"sampled={sampled})"
            for name, sampled in (("not sampled", False), ("sampled", True))
        }
        first_requests = measure_imports(requests.values(), SETTINGS)
        rows = [measure(file_format) for file_format in ("JPEG", "PNG", "WEBP")]
    except KeyboardInterrupt:
        show_progress("")
        print("interrupted", file=sys.stderr)
        return 130
    show_progress("")
    print_rows(rows)
    print_imports(imports)
    print_first_requests(requests, first_requests, MEMORY_MB)
    met = check_targets(targets(*rows, import_ratio=imports[HANDLER] / imports[CLIENTS]))
    return 1 if arguments.check and not met else 0


def measure(file_format: str) -> Row:
    file = painted_picture(file_format)
    data = file.read_bytes()
    installed = {name: run for name, run in CONTENDERS.items() if run is not libvips or has_libvips()}
    for run in installed.values():
        run(data)
    turns: dict[str, list[float]] = {name: [] for name in installed}
    for turn in range(TURNS):
        show_progress(f"12 MP {file_format}: turn {turn + 1} of {TURNS}")
        for name, run in installed.items():
            started = time.process_time()
            run(data)
            turns[name].append((time.process_time() - started) * 1000)
    show_progress(f"12 MP {file_format}: memory")
    bare_python = run_python("-c", PRINT_PEAK_MIB, settings=SETTINGS, description="memory of Python")
    peaks = {
        name: run_python("-m", "bench.thumbnail", "--peak", name, str(file), settings=SETTINGS, description=name)
        - bare_python
        for name in installed
    }
    return Row(file_format=file_format, picture_bytes=len(data), turns=turns, peaks=peaks)


def has_libvips() -> bool:
    return importlib.util.find_spec("pyvips") is not None


def print_rows(rows: list[Row]) -> None:
    table = [["12 MP", "MiB", *(f"{name} ms" for name in CONTENDERS), "speed-up", "vs libvips"]]
    table[0] += [f"{name} MiB" for name in CONTENDERS]
    for row in rows:
        medians = {name: statistics.median(times) for name, times in row.turns.items()}
        table.append(
            [
                row.file_format,
                f"{row.picture_bytes / 1024**2:.1f}",
                *(format_cell(medians.get(name), ".1f") for name in CONTENDERS),
                format_cell(row.ratio("load+resize", "ours"), ".2f", "x"),
                format_cell(row.ratio("ours", "libvips"), ".2f", "x"),
                *(format_cell(row.peaks.get(name), ".0f") for name in CONTENDERS),
            ]
        )
    print_table(table)
    print("speed-up: the time of load+resize divided by our time. vs libvips: our time divided by the time of libvips.")
    print("MiB: first the size of the file, then each contender's peak memory minus that of bare Python.")


def format_cell(number: float | None, spec: str, unit: str = "") -> str:
    return "not installed" if number is None else f"{number:{spec}}{unit}"


def targets(jpeg: Row, png: Row, webp: Row, *, import_ratio: float) -> list[Target]:
    """Return the targets. `import_ratio` is the import time of the handler divided by the time of `CLIENTS`.

    docs/performance.md says why the limits of JPEG and PNG are not 1.00 and 1.15, and that of the import not 1.05.
    """
    limits = ((jpeg, 1.12, 40), (png, 2.1, 85), (webp, 0.95, 40))
    return [
        (
            "JPEG, time of load+resize divided by our time: at least",
            jpeg.ratio("load+resize", "ours"),
            2.0,
            operator.ge,
        ),
        *(
            (
                f"{row.file_format}, our time divided by the time of libvips: at most",
                row.ratio("ours", "libvips"),
                ratio,
                operator.le,
            )
            for row, ratio, _ in limits
        ),
        *(
            (f"{row.file_format}, our peak MiB minus that of bare Python: at most", row.peaks["ours"], mib, operator.le)
            for row, _, mib in limits
        ),
        ("import of the handler, divided by boto3 and its clients: at most", import_ratio, 1.15, operator.le),
    ]


if __name__ == "__main__":
    sys.exit(main())
