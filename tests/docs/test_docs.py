"""What the documents say is true: the lessons' commands run, headings and rows are there, figures are the stacks'."""

import re

import pytest

from config import CONTEXT_SETTINGS
from cron.check import MAX_BODY_BYTES
from local.project import SETTINGS
from settings_checks import MAX_URLS
from stacks import _pictures, api_gateway, cron, thumbnail
from tests.support.apps import templates
from tests.support.folders import ROOT
from tools.templates import resources

STEMS = sorted(templates("sandbox"))
HEADINGS = [
    "What the notes say",
    "What is deployed",
    "Deploy it",
    "Try it",
    "Break it",
    "Watch it",
    "What it costs",
    "Clean up",
    "Towards production",
]
every_lesson = pytest.mark.parametrize("stem", STEMS)


def lesson(stem: str) -> str:
    return (ROOT / "docs" / f"{stem}.md").read_text()


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]


def asked_outputs(text: str) -> set[str]:
    """The outputs of its stack that a lesson's commands ask for, in those that a test runs."""
    blocks = re.findall(r"```sh\n(.*?)```", section(text, "Try it") + section(text, "Break it"), re.DOTALL)
    return set(re.findall(r"\$\(output (\w+)\)", "\n".join(blocks)))


@every_lesson
def test_the_outputs_and_resources_that_commands_name_exist(stem: str) -> None:
    template = templates("sandbox")[stem]
    assert asked_outputs(lesson(stem)) <= set(template["Outputs"])
    assert set(re.findall(r"--logical-resource-id (\w+)", lesson(stem))) <= set(template["Resources"])


@every_lesson
def test_every_stack_has_a_lesson_with_all_headings(stem: str) -> None:
    assert re.findall(r"^## (.*)$", lesson(stem), flags=re.MULTILINE) == HEADINGS
    assert "```mermaid" in section(lesson(stem), "What is deployed")


def test_every_stack_and_nothing_else_has_its_row_in_the_readme() -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(docs/\1\.md\) \| .+ \| works \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(rows) == STEMS
    lessons = {path.stem for path in (ROOT / "docs").glob("*.md") if f"\n## {HEADINGS[0]}\n" in path.read_text()}
    assert lessons == {*STEMS}


def test_the_thumbnail_lessons_figures_are_the_stacks() -> None:
    text = lesson("thumbnail")
    assert f"each up to {_pictures.MAX_BYTES // 1024**2} MiB and {_pictures.MAX_PIXELS // 1_000_000} megapixels" in text
    assert f"comes with {thumbnail.MEMORY_MB:,} MB" in text


def test_the_api_lessons_figures_are_the_stacks() -> None:
    text = lesson("api")
    assert f"{api_gateway.KEY_RATE} requests a second and {api_gateway.KEY_BURST} at once" in text


def test_the_api_lesson_lists_what_the_document_promises() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /\S+)` \| (.*) \|$", lesson("api"), re.MULTILINE)
    promised = {
        (f"{method.upper()} {path}", operation["summary"])
        for path, item in api_gateway.OPENAPI["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert {*rows} == promised


def test_the_cron_lessons_figures_are_the_stacks() -> None:
    text = lesson("cron")
    words = " ".join(text.split())
    assert f"up to {MAX_URLS}, all at once" in words
    assert f"2xx status within {cron.TIMEOUT_SECONDS} seconds" in words
    assert f"the first {MAX_BODY_BYTES // 1024} KiB of the page" in words
    assert f"After {cron.KEEP_DAYS} days DynamoDB deletes it" in words
    assert f"a minute lasts {SETTINGS.seconds_a_minute} seconds" in words
    assert set(re.findall(r"^\| `(cron_\w+)`", text, re.MULTILINE)) == {
        name for name in CONTEXT_SETTINGS if name.startswith("cron_")
    }


@pytest.mark.parametrize("stem", ["thumbnail", "cron", "api"])
def test_every_alarm_is_told_of(stem: str) -> None:
    alarms = resources(templates("production")[stem], "AWS::CloudWatch::Alarm")
    told = re.findall(r"^\| ([A-Z]\w+) \|", section(lesson(stem), "Watch it"), re.MULTILINE)
    assert {re.sub(r"(https\w+|Alarm)[0-9A-F]{8}$", "", name) for name in alarms} == set(told)
