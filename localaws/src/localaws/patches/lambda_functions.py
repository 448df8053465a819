"""Patches of Lambda. The patches of a function's permissions are in iam.py."""

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

_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
"""https://en.wikipedia.org/wiki/ZIP_(file_format)#End_of_central_directory_record_(EOCD)"""
_LOG_SECONDS = 10
"""The longest wait for the end of a function's log."""
_END_OF_LOG = "\x04 end of log"
_CALL = "            result = handler_fn(event, context)\n"
_CALL_AND_END_LOG = f"""\
            try:
                result = handler_fn(event, context)
            finally:
                print({_END_OF_LOG!r}, file=sys.stderr, flush=True)
"""
_unpacking = threading.Lock()


def run_bundles_for_other_processors() -> None:
    """Run a Python function whose bundle is compiled for Lambda's processor and Python version.

    Stock engine: imports the bundle with its own interpreter, so compiled packages for another processor fail.
    AWS: runs the bundle on the processor and Python that it is made for. Here compiled packages are left out of the
    bundle. The packages that are installed beside the engine are imported instead; keep their versions equal.
    Upstream issue: none known.
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_with_unpacked_code(worker: Any) -> None:
        bundle, config = worker.code_zip, worker.config
        if config.get("Runtime", "").startswith("python"):
            with _unpacking:
                code = unpack_without_compiled_packages(bundle)
            variables = config.get("Environment", {}).get("Variables", {})
            path = os.pathsep.join([str(code), *filter(None, [variables.get("PYTHONPATH")])])
            worker.code_zip = _EMPTY_ZIP
            worker.config = {**config, "Environment": {"Variables": {**variables, "PYTHONPATH": path}}}
        try:
            spawn(worker)
        finally:
            worker.code_zip, worker.config = bundle, config

    lambda_runtime.Worker._spawn = spawn_with_unpacked_code


@functools.cache
def unpack_without_compiled_packages(bundle: bytes) -> Path:
    """Return a folder with the content of the zipped bundle, without packages that hold compiled code.

    All environments of a function share the folder: unpacking and compiling for each of them would take as long as
    they run.
    """
    folder = Path(tempfile.mkdtemp(prefix="code-"))
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
        source.extractall(folder, [name for name in names if name.split("/")[0] not in compiled])
    return folder


def limit_environments(at_once: int = 8) -> None:
    """Limit the environments of a function. A request waits while all of them are busy.

    Stock engine: starts one more process for each request that finds all others busy.
    AWS: does the same, up to the account's limit. On a machine with a few processors, fifty processes that start at
    once take longer than eight that serve fifty requests.
    Upstream issue: none.
    """
    acquire, release = lambda_runtime.acquire_worker, lambda_runtime.release_worker
    released = threading.Condition()

    def acquire_or_wait(*arguments: Any, **options: Any) -> Any:
        with released:
            while True:
                worker, reason = acquire(*arguments, **{**options, "max_concurrency": at_once})
                if worker:
                    return worker, reason
                released.wait()

    def release_and_notify(worker: Any) -> None:
        release(worker)
        with released:
            released.notify_all()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_or_wait, release_and_notify


def keep_last_log_lines() -> None:
    """Wait until a Python function has printed its whole log.

    Stock engine: waits 0.05 s after an invocation. It takes later lines for the next invocation's, and drops them if
    there is none.
    AWS: loses no line. Here the function prints an end mark, and the engine waits for it.
    Upstream issue: the wait came with https://github.com/ministackorg/ministack/pull/449; the loss has no known issue.
    """
    drain, script = lambda_runtime.Worker._drain_stderr_bounded, lambda_runtime._PYTHON_WORKER_SCRIPT
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_CALL, _CALL_AND_END_LOG)
    assert script != lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: S101 - otherwise no function prints the mark

    def drain_to_the_end(worker: Any) -> str:
        if not worker.config.get("Runtime", "").startswith("python"):
            return str(drain(worker))
        lines: list[str] = []
        deadline = time.monotonic() + _LOG_SECONDS
        while time.monotonic() < deadline:
            try:
                line = worker._stderr_queue.get(timeout=0.05)
            except queue.Empty:
                if worker._stderr_thread.is_alive():
                    continue
                break  # the process ended before it could print the mark
            lines.append(line.removesuffix(_END_OF_LOG))
            if line.endswith(_END_OF_LOG):
                break
        return "\n".join(lines).removesuffix("\n")

    lambda_runtime.Worker._drain_stderr_bounded = drain_to_the_end


def never_recreate_log_groups() -> None:
    """Write a function's log into its configured log group only while that exists.

    Stock engine: creates a deleted log group again when a function still runs, or is retried, after its stack's end.
    AWS: creates no log group that a function's LoggingConfig names; the log is lost.
    Upstream issue: none known.
    """
    emit = lambda_svc._emit_lambda_logs

    def emit_if_group_exists(function: Any, *arguments: Any, **options: Any) -> None:
        group = (function.get("config", function).get("LoggingConfig") or {}).get("LogGroup")
        if group is None or group in cloudwatch_logs._log_groups:
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_if_group_exists
