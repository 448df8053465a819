"""Each example stands alone: taken out of the project by the README's command, it synthesizes to the same bytes."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.extract import ExtractionError, app_with, extract, files_of
from tests.support.apps import EVERY_STACK, assembly, stack_name, synthesize_folders, templates
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING

pytestmark = pytest.mark.slow

STEMS = tuple(templates("sandbox"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A project for each example, synthesized where nothing of this one can be imported."""
    folders = {stem: tmp_path_factory.mktemp("alone") / stem for stem in STEMS}
    for stem, folder in folders.items():
        extract(stem, folder)
    synthesize_folders(*folders.values(), context=NO_BUNDLING)
    return folders


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_an_example_alone_is_the_same_as_among_the_others(alone: Mapping[str, Path], profile: str, stem: str) -> None:
    """Template, and assets by their hashes: an image that lacked a file would have another."""
    synthesized = alone[stem] / "cdk.out" / profile
    assert [file.name for file in synthesized.glob("*.template.json")] == [f"{stack_name(stem)}.template.json"]
    for kind in ("template", "assets"):
        name = f"{stack_name(stem)}.{kind}.json"
        # What is not bundled is named by its path.
        found = (synthesized / name).read_text().replace(str(alone[stem]), str(ROOT))
        assert found == (assembly(profile) / name).read_text()


@pytest.mark.parametrize("stem", STEMS)
def test_nothing_of_another_example_comes_along(stem: str) -> None:
    stacks = {file.stem for file in files_of(stem) if file.parts[0] == "stacks" and file.suffix == ".py"}
    assert stacks & set(STEMS) == {stem}
    assert [other for other in STEMS if f"from stacks.{other} " in app_with(stem)] == [stem]


def test_what_every_example_needs_comes_along() -> None:
    for stem in STEMS:
        assert {Path("cdk.json"), Path("config.py"), Path("requirements.txt"), Path("package-lock.json")} <= {
            *files_of(stem)
        }


def test_the_job_takes_those_modules_of_the_function_along_that_its_image_has() -> None:
    taken = {file.name for file in files_of("batch") if file.is_relative_to("lambda_src/thumbnail")}
    assert "imaging.py" in taken
    assert "handler.py" not in taken


def test_settings_that_only_others_take_are_left_out() -> None:
    assert "    web:" in app_with("fargate")
    assert "    web:" not in app_with("thumbnail")
    assert "    logged:" not in app_with("lightsail")


def test_an_unknown_example_is_a_line_that_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match=r"^'lambda' is not one of: api, batch, cron, .*thumbnail$"):
        extract("lambda", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ExtractionError, match="is not an empty folder"):
        extract("cron", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_says_what_is_there_and_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.extract", "cron", str(tmp_path / "mine")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    listed = run.stdout.partition("\n\n")[0].splitlines()
    assert listed == sorted(
        str(file.relative_to(tmp_path / "mine")) for file in (tmp_path / "mine").rglob("*") if file.is_file()
    )
    assert "npx cdk synth" in run.stdout
