"""These tests check `scripts.extract`, which copies one example into a new project with the same templates."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from scripts.extract import COMMON_FILES, ExtractionError, app_with_only, development_files_of, extract, files_of
from tests.docs.test_links import broken_links
from tests.support.apps import EVERY_STACK, STACKS, assembly, stack_name, synthesize_folders
from tests.support.documents import Document
from tests.support.folders import ROOT
from tests.support.forks import copy_project
from tools.setup.__main__ import parts
from tools.templates import NO_BUNDLING

pytestmark = pytest.mark.timeout(400)  # the fixture tries ten examples at once


@pytest.fixture(scope="module")
def extracted_folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Extract every example into an empty folder, synthesize it there and try it. Return the folders by example."""
    folders = {stem: tmp_path_factory.mktemp("extracted") / stem for stem in STACKS}
    for stem, folder in folders.items():
        extract(stem, folder)
    synthesize_folders(*folders.values(), context=NO_BUNDLING, TRY="yes")
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_an_extracted_example_has_the_same_template_and_assets(
    extracted_folders: Mapping[str, Path], profile: str, stem: str
) -> None:
    """Each *.assets.json contains hashes. If a file of an image were missing, the hash would be different."""
    folder = extracted_folders[stem] / "cdk.out" / profile
    assert [file.name for file in folder.glob("*.template.json")] == [f"{stack_name(stem)}.template.json"]
    for kind in ("template", "assets"):
        name = f"{stack_name(stem)}.{kind}.json"
        # If an asset is not bundled, its name contains the path of the folder.
        text = (folder / name).read_text().replace(str(extracted_folders[stem]), str(ROOT))
        assert text == (assembly(profile) / name).read_text()


@pytest.mark.parametrize("stem", STACKS)
def test_an_extracted_example_has_the_common_files_and_only_its_own_stack(stem: str) -> None:
    files = files_of(stem)
    assert {file.name for file in development_files_of(stem)} >= {f"test_{stem}.py", f"{stem}.md", f"{stem}.py"}
    assert {*map(Path, COMMON_FILES), Path("config.py"), Path("settings_checks.py")} <= set(files)
    stacks = {file.stem for file in files if file.parts[0] == "stacks" and file.suffix == ".py"}
    assert stacks & set(STACKS) == {stem}
    assert [other for other in STACKS if f"from stacks.{other} " in app_with_only(stem)] == [stem]


def test_the_batch_example_contains_only_the_thumbnail_modules_of_its_image() -> None:
    modules = {file.name for file in files_of("batch") if file.is_relative_to("lambda_src/thumbnail")}
    assert "imaging.py" in modules
    assert "handler.py" not in modules


@pytest.mark.parametrize(
    ("stem", "variables"),
    [
        ("thumbnail", {"log_settings", "alarm_settings", "watch_settings"}),
        ("ecr", {"log_settings", "processor_settings"}),
        (
            "fargate",
            {
                *("log_settings", "alarm_settings", "processor_settings", "network_settings"),
                *("job_settings", "web_settings"),
            },
        ),
        ("lightsail", {"alarm_settings"}),
    ],
)
def test_app_py_contains_only_the_variables_of_the_example(stem: str, variables: set[str]) -> None:
    assert set(re.findall(r"^    (\w+_settings):", app_with_only(stem), re.MULTILINE)) == variables


def test_the_error_for_an_unknown_example_lists_all_examples(tmp_path: Path) -> None:
    names = ", ".join(sorted(STACKS))
    with pytest.raises(ExtractionError, match=rf"^'lambda' is not an example. Use one of: {names}\.$"):
        extract("lambda", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_files_is_an_error_and_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ExtractionError, match="is not an empty folder"):
        extract("cron", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_prints_the_files_and_the_next_step(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    command = [sys.executable, "-m", "scripts.extract", "cron", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    files = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    counts = Counter(file.parts[0] for file in files)
    names = [name if Path(name) in files else f"{name}/  {count} files" for name, count in counts.items()]
    assert sorted(run.stdout.partition("\n\n")[0].splitlines()) == sorted(names)
    assert "`make local` tries the example on this machine" in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_the_tests_and_the_local_aws_of_an_extracted_example_work(
    extracted_folders: Mapping[str, Path], stem: str
) -> None:
    """pytest imports all tests, and runs those of the stack. For ecr, which has the fewest tests, it runs all."""
    tests, local = ((extracted_folders[stem].parent / name).read_text() for name in ("pytest.txt", "local.txt"))
    assert re.search(r"^\d+ passed", tests, re.MULTILINE), tests
    assert tests.endswith("exit status 0\n"), tests
    assert "'architecture'" in local, local
    assert f"image of the function: {stem == 'function_image'}" in local, local
    assert "no local AWS is running" in local, local


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_the_documents_of_an_extracted_example_have_no_broken_link(
    extracted_folders: Mapping[str, Path], stem: str
) -> None:
    for name in ("README.md", f"docs/{stem}.md"):
        text = (extracted_folders[stem] / name).read_text()
        assert broken_links(Document(extracted_folders[stem] / name)) == []
        assert "[[[" not in text, "the new folder has no program that writes tables and diagrams"


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_the_makefile_of_an_extracted_example_has_every_target_that_a_text_names(
    extracted_folders: Mapping[str, Path], stem: str
) -> None:
    """The texts are all files, with the comments in them. A command that does not exist there confuses a reader."""
    folder = extracted_folders[stem]
    targets = _targets(folder)
    files = {*files_of(stem), *development_files_of(stem), Path("Makefile"), Path("README.md")}
    named = {
        (name.as_posix(), target)
        for name in files
        if name.suffix not in {".jpg", ".webp"}
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", (folder / name).read_text())
        if target in _targets(ROOT)
    }
    assert {target for _, target in named} >= {"local", "local-down", "test", "synth", "deploy", "destroy"}
    assert sorted((name, target) for name, target in named if target not in targets) == []
    assert ("submit" in targets) == (stem == "batch")


@pytest.mark.slow
@pytest.mark.parametrize("stem", STACKS)
def test_the_makefile_of_an_extracted_example_runs_only_what_exists(
    extracted_folders: Mapping[str, Path], stem: str
) -> None:
    folder = extracted_folders[stem]
    options = ("PREFIX=mine", f"STACK=mine-{stem}")
    # --always-make also prints the commands of the set-up.
    run = subprocess.run(
        ["make", "--dry-run", "--always-make", *sorted(_targets(folder) - {"help"}), *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    for tool in ("deploy", "destroy"):
        assert f"cdk {tool} mine-{stem} -c profile=sandbox -c prefix=mine" in run.stdout
    assert "install -m 755 tools/aws.sh .venv/bin/aws" in run.stdout
    modules = {
        name.replace(".", "/") for name in re.findall(r"-m ((?:local|scripts|stacks|tools)\b[\w.]*)", run.stdout)
    }
    assert {"local", "local/watch", "scripts/check_profile", "scripts/doctor", "scripts/recover"} <= modules
    files = {next(iter(folder.glob(f"{name}.py")), folder / name / "__main__.py") for name in modules}
    files |= {folder / name for name in re.findall(r"\btools/[\w./]+\b", run.stdout)}
    assert [file for file in files if not file.is_file()] == []


def test_the_example_of_a_fork_without_lessons_is_extracted_without_a_lesson(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_project(tmp_path / "fork")
    (tmp_path / "fork" / "docs" / "cron.md").unlink()
    monkeypatch.setattr("scripts.extract.ROOT", tmp_path / "fork")
    files = extract("cron", tmp_path / "new")
    assert Path("docs/cron.md") not in files
    assert not (tmp_path / "new" / "docs").exists()
    readme = (tmp_path / "new" / "README.md").read_text()
    assert "docs/" not in readme
    assert "one example.\n\nYou need Python" in readme


@pytest.mark.parametrize("stem", STACKS)
def test_the_set_up_of_an_extracted_example_starts_only_modules_that_it_has(stem: str) -> None:
    """If this fails, add the module to DEVELOPMENT_FILES in scripts/extract.py."""
    commands = [part.command for part in parts()]
    modules = [command[command.index("-m") + 1] for command in commands if "-m" in command]
    files = {Path(*module.split(".")).with_suffix(".py") for module in modules}
    assert Path("tools/setup/constructs.py") in files
    assert files - set(development_files_of(stem)) - set(files_of(stem)) == set()


@cache
def _targets(folder: Path) -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (folder / "Makefile").read_text(), re.MULTILINE))
