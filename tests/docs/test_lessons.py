"""Every example has a lesson: docs/<stem>.md, where the stem is the short name of the example, such as ecs_ec2.

These tests check that the outputs, alarms, settings and numbers in a lesson are correct for the stack.
"""

import re
from collections.abc import Mapping

import pytest

from config import CONTEXT_SETTINGS
from console.examples import ORDER
from cron.check import MAX_BODY_BYTES
from local.__main__ import EXERCISES
from local.project import SETTINGS
from settings_checks import MAX_URLS
from stacks import _network, _pictures, _thumbnails, api_gateway, cron, ecr, ecs_ec2, ecs_ec2_capacity
from stacks import _web_service as web
from tests.support.apps import documented_templates, properties_of, templates
from tests.support.documents import (
    DOCUMENTS,
    HEADINGS,
    Document,
    has_lesson,
    lesson,
    outputs_used_by_sh_blocks,
    section,
)
from tests.support.folders import ROOT
from tools.costs.comparisons import TASKS_PER_INSTANCE
from tools.templates import resources

STEMS = sorted(filter(has_lesson, templates("sandbox")))
WATCH = "Watch it"
every_lesson = pytest.mark.parametrize("stem", STEMS)


def _constant(file: str, name: str) -> int:
    """Return the value of a constant in a Python file. The value is a whole number."""
    assignment = re.search(rf"^{name} = (\d+)", (ROOT / file).read_text(), re.MULTILINE)
    assert assignment, f"{file} has no {name}"
    return int(assignment[1])


SERVICE = properties_of(templates("sandbox")["fargate"], "AWS::ECS::Service")
TARGET_GROUP = properties_of(templates("sandbox")["fargate"], "AWS::ElasticLoadBalancingV2::TargetGroup")
SECONDS_UNTIL_UNHEALTHY = TARGET_GROUP["UnhealthyThresholdCount"] * TARGET_GROUP["HealthCheckIntervalSeconds"]
LIMIT_SECONDS, QUIET_SECONDS, FINISH_SECONDS = (
    _constant("containers/web/web/server.py", f"{name}_SECONDS") for name in ("LIMIT", "QUIET", "FINISH")
)
"""Times in which a web server that ECS stops finishes its requests. server.py explains each of the three times."""
NUMBERS: Mapping[str, list[str]] = {
    "api": [f"{api_gateway.KEY_RATE} requests a second", f"{api_gateway.KEY_BURST} at once"],
    "cron": [
        f"up to {MAX_URLS}",
        f"{cron.TIMEOUT_SECONDS} seconds",
        f"{MAX_BODY_BYTES // 1024} KiB",
        f"{cron.KEEP_DAYS} days",
        f"{SETTINGS.seconds_per_minute} seconds",
    ],
    "ecr": [f"the last {ecr.KEPT_IMAGES}"],
    "ecs_ec2": [
        f"{_network.ZONES} to {ecs_ec2_capacity.MAX_INSTANCES} instances",
        f"{ecs_ec2.MEMORY_MIB} MiB",
        f"{ecs_ec2.CPU_UNITS} units of CPU",
        f"{ecs_ec2_capacity.DISK_GB} GB",
    ],
    "fargate": [
        f"{web.MIN_TASKS} and {web.MAX_TASKS} tasks",
        f"{web.CPU_PERCENT} %",
        f"{web.REQUESTS_PER_TASK:,}",
        f"{web.STOP_TIMEOUT.to_seconds():.0f} seconds",
        f"port {web.PORT}",
        f"{SERVICE['HealthCheckGracePeriodSeconds']} seconds",
        f"{TARGET_GROUP['TargetGroupAttributes'][0]['Value']} seconds",
        f"{SECONDS_UNTIL_UNHEALTHY} seconds",
        f"{QUIET_SECONDS} seconds",
        f"{LIMIT_SECONDS} seconds at most",
        f"within {FINISH_SECONDS} seconds",
    ],
    "thumbnail": [
        f"{_pictures.MAX_BYTES // 1024**2} MiB",
        f"{_pictures.MAX_PIXELS // 1_000_000} megapixels",
        f"{_thumbnails.MEMORY_MB:,} MB",
    ],
}
"""Numbers of the stack that the lesson must contain. Costs are missing here, because cog writes them into lessons."""


@pytest.mark.parametrize("stem", sorted(templates("sandbox")) if HEADINGS else [])
def test_every_example_has_a_lesson_with_the_headings_of_pyproject_toml(stem: str) -> None:
    found = re.findall(r"^## (.*)$", lesson(stem), flags=re.MULTILINE)
    assert [heading for heading in found if heading in HEADINGS] == HEADINGS, f"docs/{stem}.md: add these headings"


@every_lesson
def test_a_lesson_has_no_empty_section(stem: str) -> None:
    headings = re.findall(r"^## (.*)$", lesson(stem), flags=re.MULTILINE)
    empty = [heading for heading in headings if not section(lesson(stem), heading).strip()]
    if empty:
        pytest.fail(f"docs/{stem}.md: write the section {' and the section '.join(map(repr, empty))}", pytrace=False)


@pytest.mark.skipif("Try it" not in HEADINGS, reason="the lessons of this fork have other sections")
@every_lesson
def test_the_try_section_says_once_what_its_commands_need(stem: str) -> None:
    needs = (
        "The commands below need bash and curl. If your shell is zsh, as on macOS, first run `bash`. To run the "
        "commands against the local AWS, run `. .local/env`. To run them against your account, open another terminal, "
        "and run `. .venv/bin/activate` there."
    )
    before_the_commands = section(lesson(stem), "Try it").partition("```sh")[0]
    assert needs in " ".join(before_the_commands.split())
    assert lesson(stem).count("need bash") == 1


@every_lesson
def test_a_lesson_has_a_diagram_and_a_cost_table(stem: str) -> None:
    if "What is deployed" in HEADINGS:
        assert f'```mermaid\n%% [[[cog diagram("{stem}") ]]]' in section(lesson(stem), "What is deployed")
    if "What it costs" in HEADINGS:
        assert "<!-- [[[cog cost." in section(lesson(stem), "What it costs")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_document_has_no_code_that_a_reader_cannot_look_up(document: Document) -> None:
    """Such codes numbered the statements of course notes that no reader has: (L1), (F2, S4)."""
    text = document.path.read_text(encoding="utf-8")
    assert re.findall(r"\([A-Z]\d+(?:, [A-Z]\d+)*\)", text) == []


def test_the_readme_has_one_row_for_each_example() -> None:
    rows = re.findall(r"^\| (?:\[(\w+)\]\(docs/\1\.md\)|(\w+)) \|.*\$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(linked or name for linked, name in rows) == sorted(templates("sandbox")), "run: make docs"


@pytest.mark.parametrize("order", [ORDER, tuple(EXERCISES)], ids=["console", "make local"])
def test_the_examples_have_the_order_of_the_readme(order: tuple[str, ...]) -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(docs/", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [stem for stem in order if stem in rows] == [stem for stem in rows if stem in order]


@every_lesson
def test_the_outputs_and_resources_that_commands_name_exist(stem: str) -> None:
    template = documented_templates("sandbox")[stem]
    assert outputs_used_by_sh_blocks(lesson(stem)) <= set(template["Outputs"])
    assert set(re.findall(r"--logical-resource-id (\w+)", lesson(stem))) <= set(template["Resources"])


@pytest.mark.parametrize("stem", NUMBERS)
def test_a_lesson_contains_the_numbers_of_its_stack(stem: str) -> None:
    words = " ".join(lesson(stem).split())
    assert [number for number in NUMBERS[stem] if number not in words] == []


@every_lesson
def test_the_watch_section_has_a_row_for_each_alarm(stem: str) -> None:
    template = documented_templates("production")[stem]
    alarms = {**resources(template, "AWS::CloudWatch::Alarm"), **resources(template, "AWS::Lightsail::Alarm")}
    if WATCH not in HEADINGS and not section(lesson(stem), WATCH):
        return
    rows = set(re.findall(r"^\| ([A-Z]\w+) \|", section(lesson(stem), WATCH), re.MULTILINE))
    needed_rows = {re.sub(r"(https\w+)?(Alarm)?([0-9A-F]{8})?$", "", name) for name in alarms}
    assert needed_rows == rows, f"docs/{stem}.md needs a row for each alarm"


def _settings_of(stem: str) -> set[str]:
    return {name for name in CONTEXT_SETTINGS if name.startswith(f"{stem}_")}


@pytest.mark.parametrize(
    ("stem", "settings"),
    [
        ("function_image", {"architecture", "function_image_name", "thumbnail_max_edge"}),
        ("batch", {*_settings_of("batch"), "architecture", "availability_zones", "vpc", "thumbnail_max_edge"}),
        ("cron", _settings_of("cron")),
        ("lightsail", _settings_of("lightsail")),
        (
            "fargate",
            {"web_image", "architecture", "web_certificate_arn", "container_insights", "availability_zones", "vpc"},
        ),
    ],
)
def test_the_deploy_section_has_a_row_for_each_setting(stem: str, settings: set[str]) -> None:
    assert set(re.findall(r"^\| `(\w+)`", section(lesson(stem), "Deploy it"), re.MULTILINE)) == settings
    assert settings <= set(CONTEXT_SETTINGS)


def test_the_api_lesson_has_a_row_for_each_operation() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /\S+)` \| (.*) \|$", lesson("api"), re.MULTILINE)
    assert {*rows} == {
        (f"{method.upper()} {path}", operation["summary"])
        for path, item in api_gateway.OPENAPI["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }


def test_both_container_lessons_have_the_same_comparison() -> None:
    ec2, fargate = (
        re.findall(r"^\| .*\| .* \| .* \|$", section(lesson(stem), "What is deployed"), re.MULTILINE)
        for stem in ("ecs_ec2", "fargate")
    )
    assert ec2 == fargate != []


def test_the_code_in_the_ecs_ec2_lesson_is_in_the_stack() -> None:
    code = re.search(r"```python\n(.*?)\n```", lesson("ecs_ec2"), re.DOTALL)
    assert code
    assert code[1] in (ROOT / "stacks/ecs_ec2.py").read_text()


def test_the_instances_have_room_for_the_old_and_new_tasks_of_a_deployment() -> None:
    assert ecs_ec2_capacity.MAX_INSTANCES * TASKS_PER_INSTANCE >= 2 * web.MAX_TASKS


def test_the_load_balancer_stops_sending_requests_before_a_stopped_task_ends() -> None:
    assert SECONDS_UNTIL_UNHEALTHY < LIMIT_SECONDS
