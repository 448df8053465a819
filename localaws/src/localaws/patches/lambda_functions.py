"""Patches of Lambda functions. The patches of their permissions are in iam.py.

A *bundle* is the zip file with the code of a function. An *environment* is a process that runs one invocation at a
time.
"""

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
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from localaws.bundles import compiled_packages

_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
"""A zip file without files.

https://en.wikipedia.org/wiki/ZIP_(file_format)#End_of_central_directory_record_(EOCD)
"""
MAX_ENVIRONMENTS = 8
"""The maximum number of environments of a function."""
_LOG_SECONDS = 10
"""The maximum time that the engine waits for the end of a function's log."""
_LATEST = "$LATEST"
"""The version of a function whose code and configuration can change."""
_END_OF_LOG = "\x04 end of log"
"""The mark that a function prints at the end of each invocation. It begins with a control character."""
_CALL = "            result = handler_fn(event, context)\n"
"""The line of ministack's script that calls the handler of a Python function."""
_CALL_AND_END_LOG = f"""\
            try:
                result = handler_fn(event, context)
            finally:
                print({_END_OF_LOG!r}, file=sys.stderr, flush=True)
"""
"""The lines that replace `_CALL`. They also print the mark, even if the handler raises an exception."""
_unpacking_lock = threading.Lock()
_pool_changed = threading.Condition()
"""Notifies requests that wait for an environment."""


def run_bundles_for_other_processors() -> None:
    """Run a Python function whose bundle contains packages compiled for Lambda's processor and Python version.

    Stock engine: imports the bundle with the Python of this machine. Compiled packages for another processor or Python
    version cannot be imported.
    AWS: uses the processor and the Python version in the settings of the function (Architectures, Runtime). If the
    packages in the bundle were compiled for another one, their import fails.
    This patch removes compiled packages from the bundle, so the function imports the packages that are installed with
    the engine. Install the same versions as in the bundle. A bundle for the wrong processor or Python version does not
    fail, so this mistake shows only on AWS.
    Upstream issue: none known.
    """
    stock_spawn = lambda_runtime.Worker._spawn

    def spawn_with_unpacked_code(worker: Any) -> None:
        bundle, config = worker.code_zip, worker.config
        if config.get("Runtime", "").startswith("python"):
            with _unpacking_lock:
                code_folder = unpack_without_compiled_packages(bundle)
            variables = config.get("Environment", {}).get("Variables", {})
            path = os.pathsep.join([str(code_folder), *filter(None, [variables.get("PYTHONPATH")])])
            worker.code_zip = _EMPTY_ZIP
            worker.config = {**config, "Environment": {"Variables": {**variables, "PYTHONPATH": path}}}
        try:
            stock_spawn(worker)
        finally:
            worker.code_zip, worker.config = bundle, config

    lambda_runtime.Worker._spawn = spawn_with_unpacked_code


@functools.cache
def unpack_without_compiled_packages(bundle: bytes) -> Path:
    """Return a folder with the files of the bundle, without packages that contain compiled code.

    All environments of a function share one folder, because unpacking and compiling takes about as long as an
    invocation.
    """
    folder = Path(tempfile.mkdtemp(prefix="code-"))
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = compiled_packages(names)
        source.extractall(folder, [name for name in names if name.split("/")[0] not in compiled])
    return folder


def limit_environments() -> None:
    """Allow at most MAX_ENVIRONMENTS environments for each function. A request waits while all environments are busy.

    Stock engine: starts a new process when a request arrives and all processes are busy.
    AWS: starts a new environment, up to the limit of the account. This patch differs from AWS on purpose. On a machine
    with few processors, eight processes answer fifty requests sooner than fifty processes, because each start is slow.
    Upstream issue: none.
    """
    stock_acquire, stock_release = lambda_runtime.acquire_worker, lambda_runtime.release_worker

    def acquire_or_wait(name: str, config: Any, code: bytes, qualifier: str = _LATEST) -> Any:
        with _pool_changed:
            while True:
                function = lambda_svc._functions.get(name)
                if function and qualifier == _LATEST:  # the function may change while a request waits
                    config = {**function["config"], "FunctionArn": config["FunctionArn"]}
                    code = function["code_zip"]
                worker, reason = stock_acquire(name, config, code, qualifier, max_concurrency=MAX_ENVIRONMENTS)
                if worker:
                    return worker, reason
                _pool_changed.wait()

    def release_and_notify(worker: Any) -> None:
        stock_release(worker)
        with _pool_changed:
            _pool_changed.notify_all()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_or_wait, release_and_notify


def finish_running_invocations() -> None:
    """Let the running invocations of a function end when its code or configuration changes.

    Stock engine: ends every environment of the function at once, so the running invocations fail.
    AWS: a function can be invoked during an update. Running invocations end in their environment. When the update is
    complete, new invocations get a new environment.
    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    Upstream issue: none known.
    """
    stock_invalidate, stock_release = lambda_svc.invalidate_worker, lambda_svc.release_worker
    ending: set[Any] = set()

    def invalidate(name: str, qualifier: str | None = None, **scope: Any) -> None:
        if qualifier != _LATEST:
            stock_invalidate(name, qualifier, **scope)  # the function or a version is deleted
            return
        with _pool_changed, lambda_runtime._lock:
            key = f"{get_account_id()}:{get_region()}:{name}:{_LATEST}"
            environments = lambda_runtime._workers.pop(key, [])
            busy = [environment for environment in environments if environment.in_use]
            ending.update(busy)
            _pool_changed.notify_all()
        lambda_runtime.kill_workers([environment for environment in environments if environment not in busy])

    def release(worker: Any) -> None:
        stock_release(worker)
        if worker in ending:
            ending.discard(worker)
            lambda_runtime.kill_workers([worker])

    lambda_svc.invalidate_worker, lambda_svc.release_worker = invalidate, release


def keep_last_log_lines() -> None:
    """Wait until the engine has received the whole log of an invocation of a Python function.

    Stock engine: waits for 0.05 s after an invocation. Lines that arrive later become part of the next invocation's
    log, or are lost if there is no next invocation.
    AWS: keeps every line. With this patch, the function prints a mark at the end, and the engine waits for the mark.
    Upstream issue: none known for the lost lines. The following pull request added the wait of 0.05 s:
    https://github.com/ministackorg/ministack/pull/449
    """
    stock_drain, stock_script = lambda_runtime.Worker._drain_stderr_bounded, lambda_runtime._PYTHON_WORKER_SCRIPT
    lambda_runtime._PYTHON_WORKER_SCRIPT = stock_script.replace(_CALL, _CALL_AND_END_LOG)
    assert stock_script != lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: S101 - if equal, no function prints the mark

    def drain_to_the_end(worker: Any, **pauses: float) -> str:
        if not worker.config.get("Runtime", "").startswith("python"):
            return str(stock_drain(worker, **pauses))
        lines: list[str] = []
        deadline = time.monotonic() + _LOG_SECONDS
        while time.monotonic() < deadline:
            try:
                line = worker._stderr_queue.get(timeout=0.05)
            except queue.Empty:
                if worker._stderr_thread.is_alive():
                    continue
                break  # the process has ended, perhaps before it printed the mark
            lines.append(line.removesuffix(_END_OF_LOG))
            if line.endswith(_END_OF_LOG):
                break
        return "\n".join(lines).removesuffix("\n")

    lambda_runtime.Worker._drain_stderr_bounded = drain_to_the_end
