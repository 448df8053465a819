"""These tests make a new example in a copy of the project, as `python3 -m scripts.new worker` does for a user.

Only the decisions of the user may be left: each is one failure, whose message says what to do and where.
"""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from localaws.aws import LocalAws
from scripts.new.writing import SkeletonError, write_skeleton
from stacks import _requirements
from tests.support.apps import PREFIX
from tests.support.documents import RUN_SECTIONS, sh_blocks
from tests.support.folders import ROOT

COPIED = (
    *("app.py", "bench", "cdk.json", "config.py", "console", "containers", "docs", "findings", "lambda_src", "local"),
    "localaws",
    *(
        "Makefile",
        "package.json",
        "package-lock.json",
        "pyproject.toml",
        "README.md",
        "requirements-dev.txt",
        "requirements-local.txt",
        "requirements-uv.txt",
        "requirements.txt",
    ),
    *("scripts", "settings_checks.py", "stacks", "tests", "tools", ".github"),
)
SET_UP = (".venv", "node_modules")
"""Folders with installed packages. The copy uses the packages of this project."""
TESTS = (
    *(
        "tests/contracts/test_contracts.py",
        "tests/contracts/test_checkers.py",
        "tests/contracts/test_least_privilege.py",
    ),
    *("tests/docs", "tests/handlers/worker", "tests/stacks/test_app.py", "tests/stacks/test_bundling.py"),
    *("tests/stacks/test_snapshots.py", "tests/stacks/test_worker.py", "tests/project/test_costs.py"),
)
"""The tests that check every example. `-k` below selects what they say about the new one."""
SELECTED = "worker or readme or README or current or findings or every_finding or reason or cost or price or exist"
DECISIONS = {
    "test_contracts.py::test_a_stack_follows_a_contract[least_privilege-worker]": (
        "worker: Role1ABCC5F0 is granted sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ReceiveMessage on "
        "${Messages804FA4EB}, and does not use this in the local AWS: remove the grant from the stack, or add a Reason "
        "to REASONS in tests/contracts/unused_permissions.py"
    ),
    "test_costs.py::test_every_example_has_a_price_of_some_work[worker]": (
        "worker: add a function to UNITS in tools/costs/work.py, and run `make docs`. It says what some work of the "
        "example costs."
    ),
    "test_lessons.py::test_a_lesson_has_no_empty_section[worker]": (
        "docs/worker.md: write the section 'The service in short'"
    ),
}
"""The tests that fail until the user has decided, and their messages."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project. Its packages are installed, so that the copy needs no network."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, copy / name)
    for name in SET_UP:
        (copy / name).symlink_to(ROOT / name)
    return copy


def _run(
    project: Path, *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TESTS_"))}
    settings = {"CDK_VALIDATION": "false"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={**inherited, **settings, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def _reuse_bundles(project: Path) -> None:
    # The new function has the same packages as the ecr function, so uv does not need to install them again.
    with pytest.MonkeyPatch.context() as patch:
        installed = {lock.parent.name: _requirements.install_requirements(lock.parent) for lock in _locks(ROOT)}
        patch.setattr(_requirements, "ROOT", project)
        for lock in _locks(project):
            folder = project / ".build" / "bundles" / _requirements.digest(lock)[:16]
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(installed.get(lock.parent.name, installed["ecr"]))


def _locks(project: Path) -> list[Path]:
    return sorted((project / "lambda_src").glob("*/requirements.txt"))


@pytest.mark.fork
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_new_example_fails_only_the_tests_of_the_decisions_that_are_left(project: Path) -> None:
    made = _run(project, "-m", "scripts.new", "worker")
    assert made.returncode == 0, made.stdout + made.stderr
    _reuse_bundles(project)
    run = _run(project, "-m", "pytest", "-q", "-n2", "-k", SELECTED, "-m", "not slow and not local", "-rN", *TESTS)
    reports = re.findall(r"^_+ (\S+) _+\n(?:\[gw.*\n)?(.*)$", run.stdout, re.MULTILINE)
    assert dict(reports) == {name.partition("::")[2]: message for name, message in DECISIONS.items()}, run.stdout
    assert f"\n{len(DECISIONS)} failed, " in run.stdout
    for decision in re.findall(r"^\d\. (\S+): ", made.stdout, re.MULTILINE):
        assert (project / decision).exists()
        assert any(decision in message for message in DECISIONS.values())
    written = re.findall(r"^\S+\.py$", made.stdout, re.MULTILINE)
    assert {"app.py", "stacks/worker.py", "lambda_src/worker/handler.py", "local/worker.py"} <= set(written)
    assert {"tests/smoke/test_worker.py", "tests/local/test_lessons.py"} <= set(written)
    assert _run(project, "-m", "ruff", "check", "--quiet", *written).stdout == ""
    assert _run(project, "-m", "ruff", "format", "--quiet", "--diff", *written).stdout == ""


@pytest.mark.local
@pytest.mark.fork
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_new_example_its_smoke_tests_and_its_lesson_work_in_the_local_aws(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_skeleton("worker", project)
    _reuse_bundles(project)
    monkeypatch.setenv("LOCAL_CONTAINERS", "none")
    aws = LocalAws(project / ".local")
    try:
        up = _run(project, "-m", "local", "up", "--stack", f"{PREFIX}-worker")
        assert up.returncode == 0, up.stdout + up.stderr
        assert "    the function processed a message of the queue\n" in up.stdout
        engine = aws.running_engine()
        assert engine
        local_aws = {"AWS_ENDPOINT_URL": engine.endpoint, **aws.environment(engine)}
        smoke = _run(
            project, "-m", "pytest", "-q", "-n0", "--live", "tests/smoke/test_worker.py", environment=local_aws
        )
        assert "2 passed" in smoke.stdout, smoke.stdout
        lesson = _run_lesson(project, aws)
        assert lesson.returncode == 0, lesson.stdout + lesson.stderr
        expected = _output_of_watch_it(project, "worker")
        assert len(expected) == 2
        assert [line for line in expected if not re.search(line, lesson.stdout)] == [], lesson.stdout
    finally:
        aws.stop()


def _run_lesson(project: Path, aws: LocalAws) -> subprocess.CompletedProcess[str]:
    text = (project / "docs" / "worker.md").read_text(encoding="utf-8")
    blocks = [block for heading in RUN_SECTIONS for block in sh_blocks(text, heading)]
    script = "\n".join([f". {shlex.quote(str(aws.env_file))}", "set -eu", *blocks])
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    return subprocess.run(
        ["bash", "-c", script], cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _output_of_watch_it(project: Path, stem: str) -> list[str]:
    tree = ast.parse((project / "tests" / "local" / "test_lessons.py").read_text(encoding="utf-8"))
    (patterns,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "OUTPUT_OF_WATCH_IT" and node.value
    )
    return list(ast.literal_eval(patterns)[stem])


@pytest.mark.parametrize(
    ("stem", "fault"),
    [
        ("Worker", "'Worker' cannot be the name of an example"),
        ("my-worker", "'my-worker' cannot be the name of an example"),
        ("class", "'class' cannot be the name of an example"),
        ("w" * 31, "cannot be the name of an example"),
        ("cron", "stacks/cron.py already exists"),
        ("tools", "tools already exists"),
        ("web", "local/web.py already exists"),
        ("queue", "Python has a module queue"),
        ("log", "the setting log_retention in config.py would belong to this example"),
    ],
)
def test_a_name_that_would_not_work_is_an_error(project: Path, stem: str, fault: str) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(SkeletonError, match=fault):
        write_skeleton(stem, project)
    assert sorted(project.rglob("*")) == before


def test_a_fork_chooses_the_headings_of_its_lessons(project: Path) -> None:
    _set_headings(project, '["Purpose", "Try it"]')
    written = write_skeleton("mail_sender", project)
    lesson = (project / "docs" / "mail_sender.md").read_text()
    assert re.findall(r"^#+ .*$", lesson, re.MULTILINE) == [
        "# Mail sender: a queue invokes a function",
        "## Purpose",
        "## Try it",
    ]
    assert written.empty_sections == ["Purpose"]
    assert 'MailSenderStack(**stack_parameters("mail_sender"), **watch_settings)' in (project / "app.py").read_text()


def test_a_fork_without_headings_needs_no_lesson(project: Path) -> None:
    _set_headings(project, "[]")
    written = write_skeleton("worker", project)
    assert not (project / "docs" / "worker.md").exists()
    assert Path("docs/worker.md") not in written.files
    assert written.empty_sections == []


def _set_headings(project: Path, headings: str) -> None:
    file = project / "pyproject.toml"
    text, count = re.subn(
        r"^headings = \[.*?^\]", f"headings = {headings}", file.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert count == 1
    file.write_text(text)
