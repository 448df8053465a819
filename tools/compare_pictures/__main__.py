"""Compare our thumbnails of a folder of pictures with those of libvips and ImageMagick.

    python -m tools.compare_pictures FOLDER

The exit code is 1 if a picture crashes our code, or if a thumbnail is silently wrong. Silently wrong means that it
differs from the thumbnails of both other programs.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tools.compare_pictures import report
from tools.compare_pictures.differences import Reading, Verdict, compare, judge
from tools.compare_pictures.processes import Processes
from tools.compare_pictures.readers import Reader, installed_readers
from tools.compare_pictures.report import Result

SECONDS = 60
"""Time limit for one reader and one file, as in the Batch job (containers/batch/batch/decoders.py)."""
_LINE_AFTER = 200
"""In a pipe, a line shows the progress after this number of files. A terminal has a progress bar."""
_FAILURES = {Verdict.CRASHED, Verdict.WRONG, Verdict.DISPUTED}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all files, print the results, and return the exit code."""
    options = _parse(arguments)
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as settings:
        readers, absent = installed_readers(options.magick, Path(settings))
        with closing(Processes(options.processes, SECONDS)) as processes:
            read = partial(_read, readers=readers, processes=processes)
            results = report.sort_worst_first(_in_threads(partial(_compare_file, read), files, options))
            if options.html:
                worst = [result for result in results if result.verdict is not Verdict.REJECTED][: options.worst]
                rows = [(result, read(options.folder / result.file)) for result in worst]
                report.write_page(options.html, rows, list(readers))
    report.print_results(results, list(readers), with_good=options.all)
    print("\n".join(report.summary(results, absent)))
    if options.json:
        report.write_json(options.json, results)
    return int(any(result.verdict in _FAILURES for result in results))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.compare_pictures", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="the folder of pictures; its subfolders are read, too")
    parser.add_argument("--all", action="store_true", help="also print the files without a problem")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all results to this file")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with the worst thumbnails")
    parser.add_argument("--worst", type=int, default=100, help="number of files on the page (100)")
    parser.add_argument("--magick", metavar="PROGRAM", help="ImageMagick, if it is not `magick` or `convert` on PATH")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="one for each processor by default")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    return options


def _in_threads(
    compare_one: Callable[[Path, Path], Result], files: Sequence[Path], options: argparse.Namespace
) -> Iterator[Result]:
    """Yield the result of each file, and show the progress on the error output."""
    with ThreadPoolExecutor(options.processes) as executor:
        done = as_completed(executor.submit(compare_one, file, options.folder) for file in files)
        console = Console(stderr=True)
        for number, future in enumerate(track(done, "comparing", total=len(files), console=console), 1):
            yield future.result()
            if not console.is_terminal and number % _LINE_AFTER == 0:
                print(f"{number} of {len(files)} files", file=sys.stderr, flush=True)


def _compare_file(read: Callable[[Path], Mapping[str, Reading]], path: Path, folder: Path) -> Result:
    readings = read(path)
    others = {name: reading for name, reading in readings.items() if name != "ours"}
    differences = compare(readings["ours"], others)
    return Result(
        file=str(path.relative_to(folder)),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        verdict=judge(readings["ours"], others, differences),
        sizes={name: reading.picture.size for name, reading in readings.items() if reading.picture},
        reasons={name: reading.reason for name, reading in readings.items() if not reading.picture},
        differences=differences,
    )


def _read(path: Path, readers: Mapping[str, Reader], processes: Processes) -> Mapping[str, Reading]:
    data = path.read_bytes()
    return {name: processes.read(reader, data) for name, reader in readers.items()}


if __name__ == "__main__":
    sys.exit(main())
