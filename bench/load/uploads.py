"""Measure 10,000 uploads at once: `aws s3 sync` of a folder. `make local` must have run before. It takes some minutes.

    python -m bench.load.uploads --uploads 10000 --rounds 2

Each round uploads small pictures, waits until each one has an item and a thumbnail, and removes all of them again. The
program prints the speed, and the memory of the engine. It exits with 1 if a picture has no thumbnail, if a picture has
two, or if an event became a dead letter. The second round shows whether the memory grows without stored pictures.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from bench._measure import print_table, show_progress
from bench.load._local import ROOT, Deployment, print_machine
from localaws.environment import client_variables

PREFIX = "bench/"
SETTLED_SECONDS = 3600
"""The program waits at most this time for the thumbnails of one round."""
POLL_SECONDS = 2


class Example:
    """The buckets, the table and the queue of the deployed example."""

    def __init__(self, deployment: Deployment) -> None:
        """Find the names in the outputs of the stack."""
        self._deployment = deployment
        outputs = deployment.outputs
        self.uploads, self._thumbnails = outputs["UploadsBucketName"], outputs["ThumbnailsBucketName"]
        self._table, self._queue = outputs["MetadataTableName"], outputs["DeadLetterQueueUrl"]
        self._s3, self._dynamodb = deployment.client("s3"), deployment.client("dynamodb")
        self._sqs = deployment.client("sqs")

    def aws(self, *arguments: str) -> None:
        """Run the AWS CLI."""
        engine = self._deployment.engine
        environment = {**os.environ, **client_variables(engine.endpoint, ROOT / ".local")}
        subprocess.run([str(ROOT / ".venv" / "bin" / "aws"), *arguments], env=environment, check=True)

    def count_items(self) -> int:
        """Return the number of items. Each one describes an upload that the function has processed."""
        return self._count(self._dynamodb.get_paginator("scan"), "Count", TableName=self._table, Select="COUNT")

    def count_thumbnails(self) -> int:
        """Return the number of thumbnails."""
        return self._count(self._s3.get_paginator("list_objects_v2"), "KeyCount", Bucket=self._thumbnails)

    def count_dead_letters(self) -> int:
        """Return the number of events whose three attempts have failed."""
        name = "ApproximateNumberOfMessages"
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=[name])
        return int(found["Attributes"][name])

    @staticmethod
    def _count(paginator: Any, name: str, **request: Any) -> int:
        return sum(page[name] for page in paginator.paginate(**request))


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure many uploads at once.")
    parser.add_argument("--uploads", type=int, default=10_000, help="number of pictures in each round")
    parser.add_argument("--rounds", type=int, default=2, help="number of rounds")
    arguments = parser.parse_args()
    deployment = Deployment("thumbnail")
    example = Example(deployment)
    items, thumbnails, letters = example.count_items(), example.count_thumbnails(), example.count_dead_letters()
    table = [["round", "upload s", "settled s", "a second", "MiB before", "with pictures", "after removal"]]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        _write_pictures(Path(folder), arguments.uploads)
        for number in range(1, arguments.rounds + 1):
            before, started = deployment.engine_mib(), time.monotonic()
            example.aws("s3", "sync", "--quiet", folder, f"s3://{example.uploads}/{PREFIX}")
            uploaded = time.monotonic() - started
            _wait_for(example, items + arguments.uploads)
            settled = time.monotonic() - started
            made, lost = example.count_thumbnails() - thumbnails, example.count_dead_letters() - letters
            print(f"round {number}: {made:,} thumbnails of {arguments.uploads:,} uploads, {lost} dead letters")
            failed |= made != arguments.uploads or lost > 0
            full = deployment.engine_mib()
            example.aws("s3", "rm", "--quiet", "--recursive", f"s3://{example.uploads}/{PREFIX}")
            _wait_for(example, items)
            times = [f"{uploaded:.0f}", f"{settled:.0f}", f"{arguments.uploads / settled:.0f}"]
            table.append([str(number), *times, *(f"{mib:.0f}" for mib in (before, full, deployment.engine_mib()))])
    show_progress("")
    print_table(table)
    print("MiB: the memory of the engine's own process.")
    print_machine()
    return 1 if failed else 0


def _write_pictures(folder: Path, count: int) -> None:
    # Each picture has another colour, so their files differ.
    for number in range(count):
        file = io.BytesIO()
        Image.new("RGB", (320, 240), (number % 251, number // 251 % 251, 128)).save(file, "JPEG")
        (folder / f"{number:05}.jpg").write_bytes(file.getvalue())


def _wait_for(example: Example, items: int) -> None:
    deadline = time.monotonic() + SETTLED_SECONDS
    while (found := example.count_items()) != items:
        if time.monotonic() > deadline:
            sys.exit(f"the table has {found:,} items after {SETTLED_SECONDS} s, but {items:,} were expected")
        show_progress(f"{found:,} of {items:,} items")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
