"""Tests of the patches of Lambda. Each test fails if a patch does not work or is no longer necessary."""

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Client
from helpers import create_function, wait_for, zip_of
from ministack.core import lambda_runtime

from localaws import PORT
from localaws.environment import engine_variables
from localaws.patches.lambda_functions import (
    keep_last_log_lines,
    run_bundles_for_other_processors,
    unpack_without_compiled_packages,
)

# -- run_bundles_for_other_processors

BUNDLE = {
    "index.py": "import psutil\ndef handler(event, context): return psutil.__version__",
    "psutil/__init__.py": "from psutil._psutil import x",
    "psutil/_psutil.cpython-314-aarch64-linux-gnu.so": "for another processor",
    "psutil.libs/libc.so.6": "for another processor",
}


def invoke_foreign_bundle(client: Client) -> Any:
    """Create a function with the bundle, and return its answer."""
    create_function(client, "foreign", BUNDLE)
    return json.loads(client("lambda").invoke(FunctionName="foreign")["Payload"].read())


def test_a_bundle_for_another_processor_runs(stock: Client, patched: Client) -> None:
    assert "errorMessage" in invoke_foreign_bundle(stock)
    assert invoke_foreign_bundle(patched) == version("psutil")


def test_only_packages_with_compiled_code_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = unpack_without_compiled_packages(zip_of(BUNDLE))
    assert [path.name for path in folder.rglob("*")] == ["index.py"]
    python_bundle = {"index.py": "", "package/__init__.py": ""}
    folder = unpack_without_compiled_packages(zip_of(python_bundle))
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.py")} == {*python_bundle}


@pytest.fixture
def close_pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the pipes of ministack's workers after the test, because open pipes cause warnings in later tests."""
    workers: list[subprocess.Popen[str]] = []

    class RecordedPopen(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            workers.append(self)

    monkeypatch.setattr(subprocess, "Popen", RecordedPopen)
    yield
    for worker in workers:
        for pipe in (worker.stdin, worker.stdout, worker.stderr):
            if pipe:
                pipe.close()


def invoke(code: str, **variables: str) -> dict[str, Any]:
    """Run a handler with this body in a new environment. Return ministack's result, a dict with `result` and `log`."""
    config = {
        "FunctionName": "here",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:here",
        "Runtime": "python3.14",
        "Handler": "index.handler",
        "Environment": {"Variables": variables},
    }
    source = f"import os\ndef handler(event, context): {code}"
    worker = lambda_runtime.Worker("here", config, zip_of({"index.py": source}))
    try:
        return dict(worker.invoke({}, "1"))
    finally:
        worker.kill()


@pytest.mark.usefixtures("close_pipes")
def test_the_environments_of_a_function_share_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "return __file__ + ' ' + os.environ['PYTHONPATH'].split(os.pathsep)[-1]"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(lambda_runtime.Worker, "_spawn", lambda_runtime.Worker._spawn)
    variables = engine_variables(PORT, tmp_path, tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", variables["PYTHONDONTWRITEBYTECODE"])
    first, second = (invoke(code, PYTHONPATH="/function/path")["result"] for _ in range(2))
    assert first != second
    run_bundles_for_other_processors()
    first, second = (invoke(code, PYTHONPATH="/function/path")["result"] for _ in range(2))
    assert first == second
    assert first.endswith("/index.py /function/path")
    assert [*tmp_path.glob("code-*/__pycache__/index.*.pyc")], "the compiled code is stored for the next environment"


# -- limit_environments

RETURN_PROCESS_ID = "import os, time\ndef handler(event, context):\n    time.sleep(0.3)\n    return os.getpid()"


def count_environments(requests: int, client: Client) -> int:
    """Send simultaneous requests to a function, and return the number of environments that answer."""
    create_function(client, "process", {"index.py": RETURN_PROCESS_ID}, Timeout=30)
    functions = client("lambda")
    with ThreadPoolExecutor(requests) as pool:
        answers = pool.map(lambda _: functions.invoke(FunctionName="process")["Payload"].read(), range(requests))
        return len({*answers})


def test_a_function_has_at_most_eight_environments(stock: Client, patched: Client) -> None:
    assert count_environments(12, stock) > 8
    assert count_environments(12, patched) <= 8


# -- finish_running_invocations

WAIT_FOR_FILE = """
import os, pathlib, time
def handler(event, context):
    folder = pathlib.Path(event["folder"])
    (folder / f"begun-{context.aws_request_id}").touch()
    while not (folder / "end").exists():
        time.sleep(0.05)
    return [VERSION, os.environ["STAGE"], os.getpid()]
"""


def change_while_running(client: Client, folder: Path, requests: int) -> tuple[list[Any], Any]:
    """Change the code and the environment of a function while as many requests are sent as `requests`.

    Return their answers, and the answer of a later request.
    """
    name, functions = folder.name, client("lambda")
    source = {"index.py": WAIT_FOR_FILE.replace("VERSION", "'old'")}
    create_function(client, name, source, Timeout=30, Environment={"Variables": {"STAGE": "old"}})
    folder.mkdir()

    def answer(_: int = 0) -> Any:
        payload = json.dumps({"folder": str(folder)})
        return json.loads(functions.invoke(FunctionName=name, Payload=payload)["Payload"].read())

    with ThreadPoolExecutor(requests) as pool:
        answers = pool.map(answer, range(requests))
        wait_for(lambda: len([*folder.glob("begun-*")]) == min(requests, 8))
        new_source = {"index.py": WAIT_FOR_FILE.replace("VERSION", "'new'")}
        functions.update_function_code(FunctionName=name, ZipFile=zip_of(new_source))
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"STAGE": "new"}})
        (folder / "end").touch()
        return [*answers], answer()


def test_running_invocations_end_in_their_environment(stock: Client, patched: Client, tmp_path: Path) -> None:
    (failure,), later = change_while_running(stock, tmp_path / "stock", 1)
    assert (failure["errorMessage"], later[:2]) == ("Worker process died", ["new", "new"])
    ((*old, old_process),), later = change_while_running(patched, tmp_path / "patched", 1)
    assert (old, later[:2]) == (["old", "old"], ["new", "new"])
    wait_for(lambda: not psutil.pid_exists(old_process))


def test_a_waiting_request_gets_the_new_code(patched: Client, tmp_path: Path) -> None:
    answers, later = change_while_running(patched, tmp_path / "waiting", 10)
    assert sorted(answer[0] for answer in answers) == [*["new"] * 2, *["old"] * 8]
    assert later[:2] == ["new", "new"]


# -- keep_last_log_lines


@pytest.mark.usefixtures("close_pipes")
def test_the_log_contains_lines_that_the_engine_reads_late(monkeypatch: pytest.MonkeyPatch) -> None:
    read_stderr, reading_allowed = lambda_runtime.Worker._read_stderr, threading.Event()

    def read_late(worker: Any) -> None:
        reading_allowed.wait()
        read_stderr(worker)

    monkeypatch.setattr(lambda_runtime.Worker, "_read_stderr", read_late)
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", lambda_runtime._PYTHON_WORKER_SCRIPT)
    monkeypatch.setattr(lambda_runtime.Worker, "_drain_stderr_bounded", lambda_runtime.Worker._drain_stderr_bounded)
    code = "print('begun'); print('end', end='')"
    assert invoke(code)["log"] == ""
    keep_last_log_lines()
    threading.Timer(1, reading_allowed.set).start()
    assert invoke(code)["log"] == "begun\nend"
    assert invoke("raise ValueError(print('begun'))")["log"] == "begun"
    assert invoke("print('begun', flush=True); os._exit(1)")["log"] == "begun"
