"""Mends of Lambda."""

import io
import zipfile
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


def runnable(bundle: bytes) -> bytes:
    """The zipped bundle without the packages that hold compiled code, or itself where there are none."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
        if not compiled:
            return bundle
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as target:
            for name in names:
                if name.split("/")[0] not in compiled:
                    target.writestr(source.getinfo(name), source.read(name))
    return kept.getvalue()


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
