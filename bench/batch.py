"""Measure how many pictures a second the batch job makes, and that its memory does not grow with the number of keys.

    python bench/batch.py          print two tables
    python bench/batch.py --check  also exit with 1 if a target is missed

The whole job runs in a process of its own: lists, threads, decoders and manifest. Only S3 is replaced, and it answers
at once. For comparison, the same number of processes only decode. Both take turns, so a busy machine slows both.
"""

# ruff: noqa: PLC0415 - a measured process must not import more than it measures

import argparse
import io
import operator
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from _measure import LAMBDA_SRC, PRINT_PEAK_MIB, ROOT, Target, check_targets, print_table, run_python, show_progress
from _painting import painted_picture

sys.path[:0] = [str(ROOT / "containers" / "batch"), str(LAMBDA_SRC)]

TURNS = 3
PICTURES = 60
FEW, MANY = 1_000, 100_000
PAGE = 1_000
"""S3 returns at most this many keys in one page of a list."""
NEW_IN = 10
"""When memory is measured, one picture in so many has no thumbnail yet."""
Speeds = dict[tuple[str, int], list[float]]
"""Pictures a second in every turn, by contender and number of decoders."""
SETTINGS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def main() -> int:
    """Measure, print the results, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the batch example.")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--speed", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.speed:
        contender, vcpus, file = arguments.speed
        print(PICTURES / CONTENDERS[contender](int(vcpus), Path(file).read_bytes()))
        return 0
    if arguments.peak:
        run_job(FakeS3(arguments.peak, tiny_picture(), new_in=NEW_IN), vcpus=2)
        exec(PRINT_PEAK_MIB)  # noqa: S102 - a constant
        return 0
    try:
        turns = measure_speeds()
        peaks = {keys: run_self(f"memory of {keys:,} keys", "--peak", str(keys)) for keys in (FEW, MANY)}
    except KeyboardInterrupt:
        show_progress("")
        print("interrupted", file=sys.stderr)
        return 130
    show_progress("")
    print_results(turns, peaks)
    met = check_targets(targets(turns, peaks))
    return 1 if arguments.check and not met else 0


def measure_speeds() -> Speeds:
    turns: Speeds = {(name, vcpus): [] for vcpus in (1, 2) for name in CONTENDERS}
    file = painted_picture("JPEG")
    for turn in range(TURNS):
        for (name, vcpus), results in turns.items():
            description = f"{name}, decoders={vcpus}, turn {turn + 1} of {TURNS}"
            results.append(run_self(description, "--speed", name, str(vcpus), str(file)))
    return turns


def run_self(description: str, *arguments: str) -> float:
    """Run this program in a fresh process, and return the number that it prints."""
    show_progress(description)
    return run_python(__file__, *arguments, settings=SETTINGS, description=description)


# -- the code of a fresh process


class RawResponse(io.BytesIO):
    """The bytes of a response of S3."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class FakeS3:
    """Responses for a bucket with many keys, which all hold the same picture. One in `new_in` has no thumbnail."""

    def __init__(self, keys: int, picture: bytes, *, new_in: int = 1) -> None:
        self.keys, self.picture, self.new_in = keys, picture, new_in

    def respond(self, event_name: str, request: Any, **_: Any) -> Any:
        """Return S3's response. Botocore then sends no request."""
        from botocore.awsrequest import AWSResponse

        headers = {"ETag": '"etag"', "content-type": "application/xml"}
        body = b""
        if event_name.endswith("ListObjectsV2"):
            body = self.list_page(parse_qs(urlsplit(request.url).query)).encode()
        elif event_name.endswith("GetObject"):
            body = self.picture
            headers["Content-Length"] = str(len(body))
        elif event_name.endswith("CreateMultipartUpload"):
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        return AWSResponse(request.url, 200, headers, RawResponse(body))  # type: ignore[arg-type, unused-ignore]

    def list_page(self, query: Mapping[str, list[str]]) -> str:
        """Return one page of the list of pictures or of thumbnails."""
        folder = query.get("prefix", [""])[0]
        begin = int(query.get("continuation-token", ["0"])[0])
        end = min(begin + PAGE, self.keys)
        contents = "".join(
            f"<Contents><Key>{folder}{number:08}.jpg{'!etag.webp' * bool(folder)}</Key><Size>{len(self.picture)}</Size>"
            "<ETag>&quot;etag&quot;</ETag></Contents>"
            for number in range(begin, end)
            if not folder or number % self.new_in
        )
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>"
        return f"<ListBucketResult>{contents}{more if end < self.keys else ''}</ListBucketResult>"


def run_job(s3: FakeS3, *, vcpus: int) -> float:
    """Return the seconds that the job takes, without the start of its decoders."""
    import boto3

    from batch.buckets import Buckets
    from batch.decoders import Decoders
    from batch.job import Child
    from batch.manifest import Manifest
    from thumbnail.limits import Limits

    client = boto3.client("s3")
    client.meta.events.register("before-send.s3", s3.respond)
    limits = Limits(max_edge=256, max_bytes=50 << 20, max_pixels=50_000_000, max_decoding_bytes=1200 << 20)
    decoders = Decoders(vcpus, limits)
    for _ in range(vcpus):
        decoders.thumbnail(s3.picture)  # a decoder starts with its first picture
    child = Child(
        prefix="",
        index=0,
        children=1,
        vcpus=vcpus,
        buckets=Buckets(client, pictures="input", thumbnails="output", folder="thumbnails/256/"),
        limits=limits,
        decoders=decoders,
        manifest=Manifest(client, "output", "manifests/bench"),
        stopping=threading.Event(),
    )
    started = time.perf_counter()
    if not child.run() or child.manifest.counts["made"] != -(-s3.keys // s3.new_in):
        sys.exit(f"the job did not make every new thumbnail: {child.manifest.counts}")
    child.manifest.close()
    seconds = time.perf_counter() - started
    decoders.close()
    return seconds


def job_alone(vcpus: int, photo: bytes) -> float:
    """Return the seconds that the job takes for PICTURES."""
    return run_job(FakeS3(PICTURES, photo), vcpus=vcpus)


def decoding_alone(vcpus: int, photo: bytes) -> float:
    """Return the seconds in which processes without a job make the same number of thumbnails."""
    from multiprocessing import get_context

    with get_context("forkserver").Pool(vcpus, _set_photo, [photo]) as pool:
        pool.map(_make_thumbnail, range(vcpus), chunksize=1)  # a process starts with its first picture
        started = time.perf_counter()
        pool.map(_make_thumbnail, range(PICTURES), chunksize=1)
        return time.perf_counter() - started


_photo = b""
"""The picture of a process without a job."""


def _set_photo(photo: bytes) -> None:
    global _photo  # noqa: PLW0603 - the initializer of a process sets its state
    _photo = photo


def _make_thumbnail(_: int) -> None:
    from thumbnail.imaging import make_thumbnail

    make_thumbnail(io.BytesIO(_photo), max_edge=256, max_pixels=50_000_000)


CONTENDERS: Mapping[str, Callable[[int, bytes], float]] = {"decoding": decoding_alone, "job": job_alone}


def tiny_picture() -> bytes:
    """Return a very small JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    return file.getvalue()


# -- results


def ratio(turns: Speeds, one: tuple[str, int], other: tuple[str, int]) -> float:
    """Return how many times as fast the one is as the other: the median of all turns."""
    return statistics.median(a / b for a, b in zip(turns[one], turns[other], strict=True))


def print_results(turns: Speeds, peaks: Mapping[int, float]) -> None:
    table = [["12 MP JPEGs a second", "job", "decoding alone"]]
    table += [
        [f"decoders={vcpus}", *(f"{statistics.median(turns[name, vcpus]):.1f}" for name in ("job", "decoding"))]
        for vcpus in (1, 2)
    ]
    print_table(table)
    print(f"Two decoders are {ratio(turns, ('job', 2), ('job', 1)):.2f}x as fast as one. Two idle processors allow 2x.")
    print_table([["keys", "peak MiB"], *([f"{keys:,}", f"{peak:.0f}"] for keys, peak in peaks.items())])
    print(
        "The peak is that of the job's own process, without its decoders. It holds up to 5 MiB of the manifest, twice."
    )


def targets(turns: Speeds, peaks: Mapping[int, float]) -> list[Target]:
    return [
        *(
            (
                f"speed of the job, divided by decoding alone, decoders={vcpus}: at least",
                ratio(turns, ("job", vcpus), ("decoding", vcpus)),
                0.75,
                operator.ge,
            )
            for vcpus in (1, 2)
        ),
        (f"MiB more for {MANY:,} keys than for {FEW:,}: at most", peaks[MANY] - peaks[FEW], 16, operator.le),
    ]


if __name__ == "__main__":
    sys.exit(main())
