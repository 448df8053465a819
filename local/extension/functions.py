"""Mends of Lambda."""

import compileall
import functools
import io
import py_compile
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc


def run_foreign_bundles() -> None:
    """Run Python functions whose bundle is compiled for Lambda's processor and Python.

    The engine runs them in its own interpreter. Their compiled packages are left out there, and the same versions,
    installed beside the engine, are imported instead (requirements-dev.txt; a test keeps the versions equal).
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_runnable(worker: Any) -> None:
        if worker.config.get("Runtime", "").startswith("python"):
            worker.code_zip = runnable(worker.code_zip)
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_runnable


@functools.cache
def runnable(bundle: bytes) -> bytes:
    """The zipped bundle without the packages that hold compiled code, and with the bytecode of the others.

    Each environment has a copy of its own, and would compile it anew when it starts.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(bundle)) as source:
            names = source.namelist()
            compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
            source.extractall(folder, [name for name in names if name.split("/")[0] not in compiled])
        compileall.compile_dir(
            folder,
            quiet=2,
            stripdir=folder,
            prependdir="/var/task",  # as Lambda's tracebacks have it
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as target:
            for path in sorted(Path(folder).rglob("*")):
                target.write(path, path.relative_to(folder))
    return kept.getvalue()


def bound_environments(at_once: int = 8) -> None:
    """Let no function have more environments than that. Who comes when all are at work waits for the first free one.

    AWS would start another. On a machine with a few processors fifty that start at once take longer than eight that
    then serve fifty requests.
    """
    acquire, release = lambda_runtime.acquire_worker, lambda_runtime.release_worker
    freed = threading.Condition()

    def acquire_or_wait(*arguments: Any, **options: Any) -> Any:
        with freed:
            while True:
                worker, reason = acquire(*arguments, **{**options, "max_concurrency": at_once})
                if worker:
                    return worker, reason
                freed.wait()

    def release_and_tell(worker: Any) -> None:
        release(worker)
        with freed:
            freed.notify_all()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_or_wait, release_and_tell


def make_no_log_groups() -> None:
    """Let functions write to a log group that they are given only while it exists, for their roles may make none.

    The engine makes it again when a function is still at work, or retried, after its stack was deleted.
    """
    emit = lambda_svc._emit_lambda_logs

    def emit_where_a_group_is(function: Any, *arguments: Any, **options: Any) -> None:
        group = (function.get("config", function).get("LoggingConfig") or {}).get("LogGroup")
        if group is None or group in cloudwatch_logs._log_groups:
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_where_a_group_is
