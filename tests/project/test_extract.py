"""Each example stands alone: the extracted project synthesizes the same bytes."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.extract import ALWAYS, ExtractionError, app_with, extract, files_of
from tests.support.apps import EVERY_STACK, STACKS, assembly, stack_name, synthesize_folders
from tests.support.folders import ROOT
from tools.templates import NO_BUNDLING


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A synthesized project for each example, which could import nothing of this one."""
    folders = {stem: tmp_path_factory.mktemp("extracted") / stem for stem in STACKS}
    for stem, folder in folders.items():
        extract(stem, folder)
    synthesize_folders(*folders.values(), context=NO_BUNDLING)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_an_extracted_example_has_the_same_template_and_assets(
    extracted: Mapping[str, Path], profile: str, stem: str
) -> None:
    """The assets' hashes are compared: an image without one of its files would have another."""
    folder = extracted[stem] / "cdk.out" / profile
    assert [file.name for file in folder.glob("*.template.json")] == [f"{stack_name(stem)}.template.json"]
    for kind in ("template", "assets"):
        name = f"{stack_name(stem)}.{kind}.json"
        # An asset that is not bundled is named by its path.
        text = (folder / name).read_text().replace(str(extracted[stem]), str(ROOT))
        assert text == (assembly(profile) / name).read_text()


@pytest.mark.parametrize("stem", STACKS)
def test_an_example_has_what_all_need_and_nothing_of_another(stem: str) -> None:
    files = files_of(stem)
    assert {*map(Path, ALWAYS), Path("config.py"), Path("settings_checks.py")} <= set(files)
    stacks = {file.stem for file in files if file.parts[0] == "stacks" and file.suffix == ".py"}
    assert stacks & set(STACKS) == {stem}
    assert [other for other in STACKS if f"from stacks.{other} " in app_with(stem)] == [stem]


def test_batch_takes_only_the_thumbnail_modules_of_its_image() -> None:
    modules = {file.name for file in files_of("batch") if file.is_relative_to("lambda_src/thumbnail")}
    assert "imaging.py" in modules
    assert "handler.py" not in modules


@pytest.mark.parametrize(
    ("stem", "variables"),
    [
        ("thumbnail", {"log_settings", "alarm_settings", "watch_settings"}),
        ("ecr", {"log_settings", "processor"}),
        ("fargate", {"log_settings", "alarm_settings", "processor", "web_settings"}),
        ("lightsail", {"alarm_settings"}),
    ],
)
def test_app_py_loses_the_variables_of_other_stacks(stem: str, variables: set[str]) -> None:
    every = {"log_settings", "alarm_settings", "watch_settings", "processor", "web_settings"}
    assert {name for name in every if f"    {name}:" in app_with(stem)} == variables


def test_an_unknown_example_is_refused_with_a_list(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match=r"^'lambda' is not an example. Use one of: api, batch, .*thumbnail\.$"):
        extract("lambda", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_with_files_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ExtractionError, match="is not an empty folder"):
        extract("cron", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_lists_the_files_and_the_next_step(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    command = [sys.executable, "-m", "scripts.extract", "cron", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    listed = run.stdout.partition("\n\n")[0].splitlines()
    assert listed == sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert "npx cdk synth" in run.stdout
