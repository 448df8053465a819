"""How many pictures a second the batch job makes, and that its memory does not grow with the number of keys.

    python bench/batch.py          two tables
    python bench/batch.py --check  the same, and exit 1 where a target is missed

The job is the whole one, in a process of its own: lists, threads, decoders, manifest. S3 alone is played, and answers
at once. Beside it as many processes do nothing but decode; they take turns, so that a busy machine slows all.
"""

# ruff: noqa: PLC0415 - a measured process imports what it measures and no more

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

from _measure import LAMBDA_SRC, PEAK, ROOT, Target, all_met, print_table, progress, run_python
from _painting import picture

sys.path[:0] = [str(ROOT / "containers" / "batch"), str(LAMBDA_SRC)]

TURNS = 3
PICTURES = 60
FEW, MANY = 1_000, 100_000
PAGE = 1_000
"""Keys that S3 lists at once."""
NEW = 10
"""Where there are many keys, one in so many has no thumbnail yet."""
Speeds = dict[tuple[str, int], list[float]]
SETTINGS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def main() -> int:
    """Measure, print, and say which targets are met."""
    parser = argparse.ArgumentParser(description="Measure the batch example.")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--speed", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.speed:
        contender, vcpus, file = arguments.speed
        print(PICTURES / CONTENDERS[contender](int(vcpus), Path(file).read_bytes()))
        return 0
    if arguments.peak:
        run(S3(arguments.peak, tiny(), new=NEW), vcpus=2)
        exec(PEAK)  # noqa: S102 - a constant
        return 0
    try:
        turns = speeds()
        peaks = {keys: of_child(f"memory of {keys:,} keys", "--peak", str(keys)) for keys in (FEW, MANY)}
    except KeyboardInterrupt:
        progress("")
        print("interrupted", file=sys.stderr)
        return 130
    progress("")
    print_all(turns, peaks)
    met = all_met(targets(turns, peaks))
    return 1 if arguments.check and not met else 0


def speeds() -> Speeds:
    """Pictures a second, by contender and number of decoders: one for each turn."""
    turns: Speeds = {(name, vcpus): [] for vcpus in (1, 2) for name in CONTENDERS}
    file = picture("JPEG")
    for turn in range(TURNS):
        for (name, vcpus), found in turns.items():
            what = f"{name}, {vcpus} decoders, turn {turn + 1} of {TURNS}"
            found.append(of_child(what, "--speed", name, str(vcpus), str(file)))
    return turns


def of_child(what: str, *arguments: str) -> float:
    progress(what)
    return run_python(__file__, *arguments, settings=SETTINGS, what=what)


# -- in a process of its own


class Raw(io.BytesIO):
    """The bytes of an answer."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class S3:
    """A bucket with so many keys, all the same picture; thumbnails are there but for one in `new`."""

    def __init__(self, keys: int, picture: bytes, *, new: int = 1) -> None:
        self.keys, self.picture, self.new = keys, picture, new

    def answer(self, event_name: str, request: Any, **_: Any) -> Any:
        """S3's part; botocore sends nothing when it is given an answer before."""
        from botocore.awsrequest import AWSResponse

        headers = {"ETag": '"etag"', "content-type": "application/xml"}
        body = b""
        if event_name.endswith("ListObjectsV2"):
            body = self.page(parse_qs(urlsplit(request.url).query)).encode()
        elif event_name.endswith("GetObject"):
            body = self.picture
            headers["Content-Length"] = str(len(body))
        elif event_name.endswith("CreateMultipartUpload"):
            body = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        return AWSResponse(request.url, 200, headers, Raw(body))  # type: ignore[arg-type, unused-ignore]

    def page(self, query: Mapping[str, list[str]]) -> str:
        """A page of one of the two lists."""
        folder = query.get("prefix", [""])[0]
        begin = int(query.get("continuation-token", ["0"])[0])
        end = min(begin + PAGE, self.keys)
        listed = "".join(
            f"<Contents><Key>{folder}{number:08}.jpg{'!etag.webp' * bool(folder)}</Key><Size>{len(self.picture)}</Size>"
            "<ETag>&quot;etag&quot;</ETag></Contents>"
            for number in range(begin, end)
            if not folder or number % self.new
        )
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>"
        return f"<ListBucketResult>{listed}{more if end < self.keys else ''}</ListBucketResult>"


def run(s3: S3, *, vcpus: int) -> float:
    """The seconds that the job takes, less its start."""
    import boto3

    from batch.buckets import Buckets
    from batch.decoders import Decoders
    from batch.job import Job
    from batch.manifest import Manifest
    from thumbnail.limits import Limits

    client = boto3.client("s3")
    client.meta.events.register("before-send.s3", s3.answer)
    limits = Limits(max_edge=256, max_bytes=50 << 20, max_pixels=50_000_000, max_decoding_bytes=1200 << 20)
    decoders = Decoders(vcpus, limits)
    for _ in range(vcpus):
        decoders.thumbnail(s3.picture)  # they start with their first picture
    job = Job(
        prefix="",
        child=0,
        children=1,
        vcpus=vcpus,
        buckets=Buckets(client, pictures="input", thumbnails="output", folder="thumbnails/256/"),
        limits=limits,
        decoders=decoders,
        manifest=Manifest(client, "output", "manifests/bench"),
        stopping=threading.Event(),
    )
    started = time.perf_counter()
    if not job.run() or job.manifest.counts["made"] != -(-s3.keys // s3.new):
        sys.exit(f"not what was wanted: {job.manifest.counts}")
    job.manifest.close()
    took = time.perf_counter() - started
    decoders.close()
    return took


def job_alone(vcpus: int, photo: bytes) -> float:
    """The job's seconds for PICTURES."""
    return run(S3(PICTURES, photo), vcpus=vcpus)


def decoding_alone(vcpus: int, photo: bytes) -> float:
    """The seconds in which processes without a job make as many thumbnails."""
    from multiprocessing import get_context

    with get_context("forkserver").Pool(vcpus, _hold, [photo]) as pool:
        pool.map(_make, range(vcpus), chunksize=1)  # they start with their first picture
        started = time.perf_counter()
        pool.map(_make, range(PICTURES), chunksize=1)
        return time.perf_counter() - started


held = b""


def _hold(photo: bytes) -> None:
    global held  # noqa: PLW0603 - what the initializer of a process is for
    held = photo


def _make(_: int) -> None:
    from thumbnail.imaging import make_thumbnail

    make_thumbnail(io.BytesIO(held), max_edge=256, max_pixels=50_000_000)


CONTENDERS: Mapping[str, Callable[[int, bytes], float]] = {"decoding": decoding_alone, "job": job_alone}


def tiny() -> bytes:
    """The least of all pictures."""
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (8, 8)).save(made, "JPEG")
    return made.getvalue()


# -- what was measured


def ratio(turns: Speeds, one: tuple[str, int], other: tuple[str, int]) -> float:
    """How many times as fast: the median of the turns' ratios."""
    return statistics.median(a / b for a, b in zip(turns[one], turns[other], strict=True))


def print_all(turns: Speeds, peaks: Mapping[int, float]) -> None:
    table = [["12 MP JPEGs a second", "job", "decoding alone"]]
    table += [
        [f"{vcpus} decoders", *(f"{statistics.median(turns[name, vcpus]):.1f}" for name in ("job", "decoding"))]
        for vcpus in (1, 2)
    ]
    print_table(table)
    print(f"two decoders over one: {ratio(turns, ('job', 2), ('job', 1)):.2f}x; 2 takes two idle processors")
    print_table([["keys", "peak MiB"], *([f"{keys:,}", f"{peak:.0f}"] for keys, peak in peaks.items())])
    print("The peak is the job's own process, without its decoders; it holds up to 5 MiB of the manifest, twice.")


def targets(turns: Speeds, peaks: Mapping[int, float]) -> list[Target]:
    return [
        *(
            (
                f"the job over decoding alone, {vcpus}: at least",
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
