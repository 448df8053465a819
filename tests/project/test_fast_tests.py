"""`make test-fast` runs the tests that a change can affect. No fast test reads files that do not count as a change."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localaws.process_groups import end_process_group
from tests.support.folders import ROOT
from tools import fast_tests


def affected(path: str) -> set[str]:
    """Return the groups of tests that run after a change of the file. `a` and `b` are functions."""
    return {group for group in ("a", "b", "stacks") if fast_tests.can_affect(path, group)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("lambda_src/a/handler.py", {"a", "stacks"}),
        ("lambda_src/a/pictures/png.py", {"a", "stacks"}),
        ("tests/handlers/a/test_a.py", {"a"}),
        ("stacks/a.py", {"stacks"}),
        ("config.py", {"stacks"}),
        ("containers/web/Dockerfile", {"a", "b", "stacks"}),
        ("tests/conftest.py", {"a", "b", "stacks"}),
        ("tests/handlers/lambda_function.py", {"a", "b", "stacks"}),
        ("lambda_src/new_file.py", {"a", "b", "stacks"}),
        ("requirements-dev.txt", {"a", "b", "stacks"}),
        ("tools/fast_tests.py", {"a", "b", "stacks"}),
        ("docs/a.md", set()),
        ("docs/lightsail.md", {"stacks"}),
        ("lambda_src/a/.handler.py.swp", set()),
        ("stacks/.DS_Store", set()),
        ("containers/web/.dockerignore", {"a", "b", "stacks"}),
        ("tests/docs/test_links.py", set()),
    ],
)
def test_a_change_runs_the_tests_that_it_can_affect(path: str, expected: set[str]) -> None:
    assert affected(path) == expected


def test_every_fast_test_belongs_to_a_group() -> None:
    arguments = [ROOT / argument for group in fast_tests.groups().values() for argument in group]
    for folder in ("handlers", "stacks"):
        for file in (ROOT / "tests" / folder).rglob("test_*.py"):
            assert sum(argument in (file, *file.parents) for argument in arguments) == 1, file


def test_a_folder_of_handlers_with_tests_is_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_tests, "ROOT", tmp_path)
    for path in ("a/test_a.py", "b/deep/test_b.py", "c/checks.py", "test_all.py"):
        (tmp_path / "tests" / "handlers" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / "handlers" / path).touch()
    assert fast_tests.groups() == {
        "stacks": ["tests/stacks", "tests/handlers/test_all.py"],
        "a": ["tests/handlers/a"],
        "b": ["tests/handlers/b"],
    }


def fingerprint(group: str) -> str:
    """Return the fingerprint of a group with the present files."""
    return fast_tests.fingerprint(group, fast_tests.hashes())


def test_a_change_of_a_file_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_tests, "ROOT", tmp_path)
    file = tmp_path / "lambda_src" / "a" / "x.json"
    file.parent.mkdir(parents=True)
    fingerprints = [fingerprint("a")]
    for content in ("{}", "[]"):
        file.write_text(content)
        fingerprints.append(fingerprint("a"))
    file.chmod(0o700)
    fingerprints.append(fingerprint("a"))
    file.rename(file.with_name("y.json"))
    fingerprints.append(fingerprint("a"))
    assert len({*fingerprints}) == 5
    assert fingerprint("b") == fingerprints[0]


@pytest.mark.parametrize(
    "create",
    [
        lambda folder: (folder / "link.py").symlink_to("missing"),
        lambda folder: (folder / ".#handler.py").symlink_to("user@machine.123"),
        lambda folder: os.mkfifo(folder / "pipe"),
        lambda folder: (folder / ".handler.py.swp").touch(),
        lambda folder: (folder / "dist").mkdir() or (folder / "dist" / "a.py").touch(),
        lambda folder: (
            [(folder / "env" / "lib").mkdir(parents=True)]
            + [(folder / "env" / name).touch() for name in ("pyvenv.cfg", "lib/a.py")]
        ),
    ],
    ids=["broken link", "lock of Emacs", "pipe", "file of vim", "build", "virtual environment"],
)
def test_other_files_do_not_change_the_fingerprint(
    create: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_tests, "ROOT", tmp_path)
    folder = tmp_path / "lambda_src" / "a"
    folder.mkdir(parents=True)
    before = fingerprint("a")
    create(folder)
    assert fingerprint("a") == before


def test_a_file_that_another_program_deletes_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_tests, "ROOT", tmp_path)
    (tmp_path / "a.py").touch()
    monkeypatch.setattr(Path, "is_file", lambda path: path.unlink() is None)
    assert fast_tests.hashes() == {}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project with the groups `stacks` and `a`, which have one test each."""
    for name in ("tools/fast_tests.py", "tests/support/read_files.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest]\naddopts = ["--disable-plugin-autoload", "-phypothesispytest"]\nmarkers = ["slow", "local"]\n'
    )
    (tmp_path / "tests" / "conftest.py").write_text("import hypothesis\nhypothesis.settings.register_profile('fast')\n")
    for path in ("tests/stacks/test_stacks.py", "tests/handlers/a/test_a.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("def test_it():\n    pass\n")
    return tmp_path


@contextlib.contextmanager
def start(project: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the groups of the small project. It is the leader of a process group, as in a terminal."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.fast_tests"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end_process_group(process.pid, process)


def run(project: Path) -> tuple[int, str]:
    """Run the groups of the small project. Return the status and the output, without times."""
    with start(project) as process:
        output, _ = process.communicate()
    return process.returncode, re.sub(r" in [\d.]+s", "", output)


@pytest.mark.slow
def test_a_group_runs_again_after_a_change_or_a_failure(project: Path) -> None:
    test = project / "tests" / "handlers" / "a" / "test_a.py"
    status, output = run(project)
    assert (status, sorted(output.splitlines())) == (
        0,
        ["a: 1 passed", "running, two at a time: stacks, a", "stacks: 1 passed"],
    )
    test.write_text("def test_it():\n    assert not 'the reason'\n")
    for _ in range(2):
        status, output = run(project)
        assert status == 1
        assert output.startswith("passed before with the same files: stacks\nrunning, two at a time: a\n")
        assert "the reason" in output
    test.write_text("import pytest\n@pytest.mark.slow\ndef test_it():\n    pass\n")
    assert run(project) == (
        0,
        "passed before with the same files: stacks\nrunning, two at a time: a\na: 1 deselected\n",
    )
    assert run(project) == (0, "passed before with the same files: stacks, a\n")


@pytest.mark.slow
def test_a_group_whose_files_change_during_its_tests_runs_again(project: Path) -> None:
    test = project / "tests" / "handlers" / "a" / "test_a.py"
    test.write_text("def test_it():\n    open(__file__, 'a').write('# a change')\n")
    run(project)
    assert "running, two at a time: a\n" in run(project)[1]


@pytest.mark.slow
def test_ctrl_c_ends_without_the_output_of_pytest(project: Path) -> None:
    os.mkfifo(project / "started")
    waiting = (
        f"import signal\ndef test_it():\n    open({str(project / 'started')!r}, 'w').close()\n    signal.pause()\n"
    )
    (project / "tests" / "handlers" / "a" / "test_a.py").write_text(waiting)
    (project / "tests" / "stacks" / "test_stacks.py").unlink()
    (project / "tests" / "stacks").rmdir()
    with start(project) as process:
        (project / "started").read_bytes()
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "file", "readers"),
    [
        ("a", "app.py", '["a", "stacks"]'),
        ("a", "lambda_src/b/handler.py", '["a", "stacks"]'),
        ("stacks", "docs/x.md", '["stacks"]'),
        ("a", "pyproject.toml", None),
    ],
)
def test_a_group_that_reads_a_file_of_other_groups_fails_until_the_suggested_line_is_added(
    group: str, file: str, readers: str | None, project: Path
) -> None:
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).touch()
    (test,) = project.glob(f"tests/**/test_{group}.py")
    test.write_text(f"def test_it():\n    open({str(project / file)!r}).close()\n")
    status, output = run(project)
    assert status == (1 if readers else 0), output
    if readers:
        report = output.rpartition("\nFAILED: ")[2]
        assert report.startswith(f"the tests of the group {group} read {file}. ")
        line = f'    "{file}": {readers},\n'
        assert line in report
        program = project / "tools" / "fast_tests.py"
        lines = re.sub(rf'\n    "{file}": .*', "", program.read_text())
        program.write_text(lines.replace("= {\n", "= {\n" + line, 1))
        assert run(project)[0] == 0
