"""Mends of Lambda."""

import functools
import io
import os
import queue
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc

_NO_CODE = b"PK\x05\x06" + bytes(18)
"""An empty zip: https://en.wikipedia.org/wiki/ZIP_(file_format)#End_of_central_directory_record_(EOCD)"""
_PATIENCE_SECONDS = 10
_ALL_SAID = "\x04 all said"
_CALL = "            result = handler_fn(event, context)\n"
_CALL_AND_TELL = f"""\
            try:
                result = handler_fn(event, context)
            finally:
                print({_ALL_SAID!r}, file=sys.stderr, flush=True)
"""
_unpacking = threading.Lock()


def run_foreign_bundles() -> None:
    """Run Python functions whose bundle is compiled for Lambda's processor and Python.

    The engine runs them in its own interpreter. Their compiled packages are left out there, and the same versions,
    installed beside the engine, are imported instead (requirements-dev.txt; a test keeps the versions equal).
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_runnable(worker: Any) -> None:
        bundle, config = worker.code_zip, worker.config
        if config.get("Runtime", "").startswith("python"):
            with _unpacking:
                code = runnable(bundle)
            variables = config.get("Environment", {}).get("Variables", {})
            path = os.pathsep.join([str(code), *filter(None, [variables.get("PYTHONPATH")])])
            worker.code_zip = _NO_CODE
            worker.config = {**config, "Environment": {"Variables": {**variables, "PYTHONPATH": path}}}
        try:
            spawn(worker)
        finally:
            worker.code_zip, worker.config = bundle, config

    lambda_runtime.Worker._spawn = spawn_runnable


@functools.cache
def runnable(bundle: bytes) -> Path:
    """A folder with what is in the zipped bundle, but for the packages that hold compiled code.

    All environments import from it: to unpack and compile for each of them would take as long as they run.
    """
    folder = Path(tempfile.mkdtemp(prefix="code-"))
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
        source.extractall(folder, [name for name in names if name.split("/")[0] not in compiled])
    return folder


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


def log_to_the_last_line() -> None:
    """Let Python functions lose no line of their log, however busy the machine is.

    The engine waits a twentieth of a second for what a function has printed. What its thread reads later, it takes for
    the next invocation's, and drops when there is none. Here the function says when it has printed all.
    """
    drain, script = lambda_runtime.Worker._drain_stderr_bounded, lambda_runtime._PYTHON_WORKER_SCRIPT
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_CALL, _CALL_AND_TELL)
    assert script != lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: S101 - or it would wait for what nobody says

    def drain_to_the_end(worker: Any) -> str:
        if not worker.config.get("Runtime", "").startswith("python"):
            return str(drain(worker))
        lines: list[str] = []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                line = worker._stderr_queue.get(timeout=0.05)
            except queue.Empty:
                if worker._stderr_thread.is_alive():
                    continue
                break  # its process has ended before it could say so
            lines.append(line.removesuffix(_ALL_SAID))
            if line.endswith(_ALL_SAID):
                break
        return "\n".join(lines).removesuffix("\n")

    lambda_runtime.Worker._drain_stderr_bounded = drain_to_the_end


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
