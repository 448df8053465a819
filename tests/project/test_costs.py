"""`make cost` computes costs from the templates. Idle costs are the costs without any use."""

import copy
import datetime as dt
import json
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from config import PROFILES
from settings_checks import LIGHTSAIL_SIZES
from stacks import cron_watch
from tests.handlers.cron.conftest import ENVIRONMENT
from tests.support.apps import EVERY_STACK, template_with, templates
from tests.support.folders import ROOT
from tools.costs import __main__ as command
from tools.costs import functions, idle, report, work
from tools.costs.prices import FREE_TYPES, PRICES, Part, UnpricedError, after_free_tiers, total
from tools.templates import Template, resources

SERVERLESS_STEMS = ("thumbnail", "cron", "api")
LAMBDA_PRICES = ("lambda-request", "lambda-arm64", "lambda-x86_64")
TEMPLATES_BY_PROFILE = {profile: templates(profile) for profile in PROFILES}


def monthly_cost(template: Template) -> float:
    return total(idle.parts(template))


def idle_parts(profile: str, stems: Iterable[str] | None = None) -> list[Part]:
    return [part for stem in stems or templates(profile) for part in idle.parts(templates(profile)[stem])]


# -- limits of the idle costs


def test_all_sandbox_stacks_together_cost_less_than_100_dollars_a_month() -> None:
    sum_of_stacks = total(idle_parts("sandbox"))
    assert 0 < sum_of_stacks < 100, "if this cost is intended, change the limit in this test"


def test_the_serverless_stacks_together_cost_less_than_a_dollar_a_month() -> None:
    """The costs are list prices, because another stack of the account may use all free units."""
    parts = idle_parts("sandbox", SERVERLESS_STEMS)
    assert 0 < total(parts) < 1
    assert total(part for part in parts if part.price in LAMBDA_PRICES) < 0.01


def test_the_serverless_stacks_cost_nearly_nothing_with_the_free_tiers() -> None:
    for profile in PROFILES:
        assert after_free_tiers(idle_parts(profile, SERVERLESS_STEMS)) < 0.05


def test_with_a_second_load_balancer_the_stacks_cost_more_than_100_dollars() -> None:
    template = copy.deepcopy(templates("sandbox")["fargate"])
    (load_balancer,) = resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    template["Resources"]["Second"] = load_balancer
    other_stacks = total(idle_parts("sandbox", set(templates("sandbox")) - {"fargate"}))
    assert other_stacks + monthly_cost(template) > 100


# -- the cost of a changed template


def _add_resource(kind: str, **properties: Any) -> Callable[[Template], None]:
    def change(template: Template) -> None:
        template["Resources"]["Added"] = {"Type": kind, "Properties": properties}

    return change


def _set_property(kind: str, *path: str, value: Any) -> Callable[[Template], None]:
    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            parent = resource["Properties"]
            for name in path[:-1]:
                parent = parent[name]
            parent[path[-1]] = value

    return change


def _detach_the_address(template: Template) -> None:
    del template["Resources"]["Address"]["Properties"]["AttachedTo"]


def _watch_two_sites(template: Template) -> None:
    (schedule,) = resources(template, "AWS::Scheduler::Schedule").values()
    target = schedule["Properties"]["Target"]
    target["Input"] = json.dumps({**json.loads(target["Input"]), "urls": ["https://a/", "https://b/"]})


TWO_METRICS = [{"Id": name, "MetricStat": {"Period": 60}} for name in "ab"] + [{"Id": "e", "Expression": "a/b"}]
EC2 = "AWS::EC2::"


@pytest.mark.parametrize(
    ("stem", "change", "additional_cost"),
    [
        pytest.param("batch", _add_resource(f"{EC2}NatGateway"), 32.85, id="a NAT gateway"),
        pytest.param("batch", _add_resource(f"{EC2}EIP"), 3.65, id="an Elastic IP address"),
        pytest.param(
            "batch",
            _add_resource(f"{EC2}VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"]),
            14.60,
            id="an interface endpoint in two zones",
        ),
        pytest.param("thumbnail", _add_resource("AWS::CloudWatch::Dashboard"), 3.00, id="a dashboard"),
        pytest.param(
            "thumbnail",
            _add_resource("AWS::CloudWatch::Alarm", Metrics=TWO_METRICS),
            0.20,
            id="an alarm on two metrics",
        ),
        pytest.param(
            "fargate",
            _set_property("AWS::ApplicationAutoScaling::ScalableTarget", "MinCapacity", value=3),
            0.3 * 730 * (0.25 * 0.03238 + 0.5 * 0.00356) + 3.65,
            id="a third task on Spot",
        ),
        pytest.param(
            "fargate",
            _set_property(
                "AWS::ECS::Service", "NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp", value="DISABLED"
            ),
            -2 * 3.65,
            id="tasks without public addresses",
        ),
        pytest.param(
            "fargate",
            _set_property("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme", value="internal"),
            -2 * 3.65,
            id="a load balancer without public addresses",
        ),
        pytest.param(
            "ecs_ec2",
            _set_property("AWS::AutoScaling::AutoScalingGroup", "MinSize", value="3"),
            0.0084 * 730 + 30 * 0.08 + 3.65,
            id="a third instance with disk and address",
        ),
        pytest.param("cron", _watch_two_sites, 0.30, id="a second site without its alarm"),
        pytest.param(
            "lightsail",
            _set_property("AWS::Lightsail::Instance", "BundleId", value="small_3_0"),
            7.00,
            id="a larger bundle",
        ),
        pytest.param("lightsail", _detach_the_address, 3.65, id="a static address without a server"),
        pytest.param(
            "lightsail",
            _set_property("AWS::Lightsail::Instance", "AddOns", value=[]),
            -0.15,
            id="a server without snapshots",
        ),
    ],
)
def test_a_changed_template_changes_the_monthly_cost(
    stem: str, change: Callable[[Template], None], additional_cost: float
) -> None:
    template = copy.deepcopy(templates("sandbox")[stem])
    change(template)
    assert monthly_cost(template) - monthly_cost(templates("sandbox")[stem]) == pytest.approx(
        additional_cost, abs=0.002
    )


@pytest.mark.parametrize(
    ("expression", "monthly_runs"),
    [
        ("rate(1 hour)", 730),
        ("rate(15 minutes)", 2920),
        ("rate(2 days)", 730 / 48),
        ("cron(0 3 * * ? *)", 730 / 24),
        ("cron(0/30 8-18 ? * MON-FRI *)", 730 / 24 * 22),
        ("cron(0,20,40 * * * ? *)", 730 * 3),
    ],
)
def test_the_number_of_runs_follows_from_the_schedule(expression: str, monthly_runs: float) -> None:
    assert functions.runs_a_month(expression) == pytest.approx(monthly_runs)


def test_the_runs_of_a_schedule_cost_money_whatever_its_target_is() -> None:
    schedule = {"ScheduleExpression": "rate(1 day)", "Target": {"Arn": {"Fn::GetAtt": ["Report", "Arn"]}}}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 256}}
    nightly = {"Type": "AWS::Scheduler::Schedule", "Properties": schedule}
    parts = idle.parts({"Resources": {"Report": function, "Nightly": nightly}})
    assert {part.price for part in parts} == {"schedule-run", "lambda-x86_64", "lambda-request"}
    schedule["Target"] = {"Arn": "arn:aws:scheduler:::aws-sdk:batch:submitJob"}
    assert {part.price for part in idle.parts({"Resources": {"Nightly": nightly}})} == {"schedule-run"}


def test_a_metric_costs_money_only_in_hours_with_a_value() -> None:
    template = copy.deepcopy(templates("sandbox")["cron"])
    for schedule in resources(template, "AWS::Scheduler::Schedule").values():
        schedule["Properties"]["ScheduleExpression"] = "rate(1 day)"
    (metrics,) = [part for part in idle.parts(template) if part.price == "metric"]
    assert metrics.quantity == pytest.approx(1 / 24)


def test_all_metrics_of_a_site_are_counted() -> None:
    quantities = [part.quantity for part in idle_parts("production", ["cron"]) if part.price == "metric"]
    assert quantities == [len(cron_watch.METRICS)]


def test_every_lightsail_setting_has_a_price() -> None:
    settings = {"lightsail_disk": "true", "lightsail_bucket": "true", "lightsail_database": "postgres_16"}
    additional_cost = monthly_cost(template_with("lightsail", **settings)) - monthly_cost(
        templates("sandbox")["lightsail"]
    )
    assert additional_cost == pytest.approx(0.80 + 1.00 + 15.00)
    assert {f"lightsail-server-{size}" for size in LIGHTSAIL_SIZES} <= set(PRICES)


def test_mails_and_budgets_cost_nothing() -> None:
    template = template_with("batch", alarm_email="me@example.com", batch_monthly_budget="5")
    assert {"AWS::SNS::Topic", "AWS::Budgets::Budget"} <= {one["Type"] for one in template["Resources"].values()}
    assert monthly_cost(template) == pytest.approx(monthly_cost(templates("sandbox")["batch"]))


@pytest.mark.parametrize("stem", sorted(templates("sandbox")))
def test_every_example_has_a_price_of_some_work(stem: str) -> None:
    if not work.units(stem, templates("sandbox")[stem]):
        message = f"{stem}: add a function to UNITS in tools/costs/work.py, and run `make docs`"
        pytest.fail(f"{message}. It says what some work of the example costs.", pytrace=False)


def test_polling_an_empty_queue_costs_a_quarter_of_a_dollar_a_month() -> None:
    """Five requests at once, three times a minute: 657,000 requests a month. A million are free."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
    source = {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    template = {
        "Resources": {"Queue": queue, "Poller": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": source}}
    }
    assert monthly_cost(template) == pytest.approx(657_000 * 0.40 / 1_000_000)
    assert after_free_tiers(idle.parts(template)) == 0


@pytest.mark.parametrize(
    "mapping",
    [
        {"EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]}},
        {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "ProvisionedPollerConfig": {"MinimumPollers": 2}},
    ],
    ids=["a stream", "provisioned pollers"],
)
def test_another_event_source_has_no_price(mapping: dict[str, Any]) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    poller = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}
    with pytest.raises(UnpricedError, match=r"Add the price to tools/costs/idle\.py"):
        idle.parts({"Resources": {"Queue": queue, "Poller": poller}})


# -- the price table


def test_every_price_has_a_source_a_unit_and_information_about_its_last_check() -> None:
    for name, price in PRICES.items():
        assert price.source.startswith("https://aws.amazon.com/"), name
        assert price.usd > 0, name
        assert price.unit, name
        assert price.checked is False or isinstance(price.checked, dt.date), name


def test_no_resource_type_is_billed_and_free() -> None:
    """The contract `priced` checks that every type of the stacks has a price."""
    assert not set(FREE_TYPES) & set(idle.BILLED)
    assert all(FREE_TYPES.values())


def test_all_stacks_of_the_account_share_the_free_units() -> None:
    alarms = [Part("alarms", 8, "alarm")]
    assert after_free_tiers(alarms) == 0
    assert after_free_tiers([*alarms, *alarms]) == pytest.approx(0.60)


def test_the_error_for_an_unknown_resource_type_names_the_files_to_change() -> None:
    template = {"Resources": {"Search": {"Type": "AWS::OpenSearchService::Domain"}}}
    with pytest.raises(UnpricedError) as raised:
        idle.parts(template)
    assert "Search: AWS::OpenSearchService::Domain has no price" in str(raised.value)
    assert "tools/costs/idle.py" in str(raised.value)
    assert "tools/costs/prices.toml" in str(raised.value)


# -- the printed tables


def test_the_table_contains_every_stack_every_unit_of_work_and_the_sums() -> None:
    lines = list(report.table(TEMPLATES_BY_PROFILE))
    assert max(map(len, lines)) <= 92
    for stem in TEMPLATES_BY_PROFILE["sandbox"]:
        assert any(line.split()[:1] == [stem] for line in lines), stem
        assert all(
            any(unit.name in line for line in lines) for unit in work.units(stem, TEMPLATES_BY_PROFILE["sandbox"][stem])
        )
    (totals,) = [line.split() for line in lines if line.startswith("total")]
    assert totals[1] == f"{total(idle_parts('sandbox')):.2f}"
    assert totals[4] == f"{after_free_tiers(idle_parts('production')):.2f}"


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_the_sum_of_the_details_is_the_monthly_cost(profile: str, stem: str) -> None:
    lines = list(report.details(stem, {profile: templates(profile)}))
    assert lines[1].startswith(f"{stem}, {profile}")
    (first, *_) = [line for line in lines if line.startswith("  total")]
    usd = monthly_cost(templates(profile)[stem])
    assert float(first.split()[1]) == pytest.approx(usd, abs=0.005)
    assert max(map(len, lines)) <= 100


def test_a_larger_function_makes_thumbnails_more_expensive() -> None:
    template = copy.deepcopy(templates("sandbox")["thumbnail"])
    (before, _) = work.units("thumbnail", template)
    for function in resources(template, "AWS::Lambda::Function").values():
        function["Properties"].update(MemorySize=3538, Architectures=["x86_64"])
    (after, _) = work.units("thumbnail", template)
    assert total(after.parts) - total(before.parts) == pytest.approx(
        1000 * 0.3 * (3538 * 0.0000166667 - 1769 * 0.0000133334) / 1024
    )


def test_the_tests_of_the_cron_function_use_the_counted_metrics() -> None:
    assert ENVIRONMENT["METRICS"].split(",") == list(cron_watch.METRICS)


def test_the_command_prints_the_table_or_the_details_of_one_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_templates", lambda settings: templates(settings["profile"]))
    command.main(["--all"])
    assert "total" in capsys.readouterr().out
    command.main(["compute-ecs-ec2"])
    assert "ecs_ec2, production: a month without use" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="'compute-none' is not a stack"):
        command.main(["compute-none"])


def test_the_command_prints_one_line_about_a_wrong_setting() -> None:
    with pytest.raises(SystemExit, match=r"^error: alarm_email: 'me' is not"):
        command.main(["-c", "alarm_email=me"])


def test_make_cost_has_the_same_parameters_as_make_deploy() -> None:
    run = subprocess.run(
        ["make", "--dry-run", "cost", "STACK=compute-ecr", "CONTEXT=-c architecture=x86_64"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-m tools.costs compute-ecr -c architecture=x86_64" in run.stdout
