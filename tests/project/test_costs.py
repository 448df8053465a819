"""The costs follow from the templates, and the idle costs stay below the promised limits."""

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

SERVERLESS = ("thumbnail", "cron", "api")
LAMBDA = ("lambda-request", "lambda-arm64", "lambda-x86_64")
BOTH = {profile: templates(profile) for profile in PROFILES}


def month(template: Template) -> float:
    return total(idle.parts(template))


def parts_of(profile: str, stems: Iterable[str] | None = None) -> list[Part]:
    return [part for stem in stems or templates(profile) for part in idle.parts(templates(profile)[stem])]


# -- the promised limits


def test_all_sandbox_stacks_idle_below_100_dollars() -> None:
    assert 0 < total(parts_of("sandbox")) < 100


def test_the_serverless_stacks_idle_below_a_dollar_at_list_price() -> None:
    """At list price, because another stack may use up the free tiers."""
    parts = parts_of("sandbox", SERVERLESS)
    assert 0 < total(parts) < 1
    assert total(part for part in parts if part.price in LAMBDA) < 0.01


def test_the_free_tiers_cover_the_serverless_stacks_in_both_profiles() -> None:
    for profile in PROFILES:
        assert after_free_tiers(parts_of(profile, SERVERLESS)) < 0.05


def test_a_second_load_balancer_exceeds_the_limit() -> None:
    template = copy.deepcopy(templates("sandbox")["fargate"])
    (balancer,) = resources(template, "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    template["Resources"]["Second"] = balancer
    others = total(parts_of("sandbox", set(templates("sandbox")) - {"fargate"}))
    assert others + month(template) > 100


# -- the cost of a change


def _added(kind: str, **properties: Any) -> Callable[[Template], None]:
    def change(template: Template) -> None:
        template["Resources"]["Added"] = {"Type": kind, "Properties": properties}

    return change


def _set(kind: str, *path: str, value: Any) -> Callable[[Template], None]:
    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            found = resource["Properties"]
            for step in path[:-1]:
                found = found[step]
            found[path[-1]] = value

    return change


def _detach_the_address(template: Template) -> None:
    del template["Resources"]["Address"]["Properties"]["AttachedTo"]


def _watch_two_sites(template: Template) -> None:
    (schedule,) = resources(template, "AWS::Scheduler::Schedule").values()
    target = schedule["Properties"]["Target"]
    target["Input"] = json.dumps({**json.loads(target["Input"]), "urls": ["https://a/", "https://b/"]})


TWO_METRICS = [{"Id": name, "MetricStat": {"Period": 60}} for name in "ab"] + [{"Id": "e", "Expression": "a/b"}]
NETWORK = "AWS::EC2::"


@pytest.mark.parametrize(
    ("stem", "change", "more"),
    [
        pytest.param("batch", _added(f"{NETWORK}NatGateway"), 32.85, id="a NAT gateway"),
        pytest.param("batch", _added(f"{NETWORK}EIP"), 3.65, id="an Elastic IP address"),
        pytest.param(
            "batch",
            _added(f"{NETWORK}VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"]),
            14.60,
            id="an interface endpoint in two zones",
        ),
        pytest.param("thumbnail", _added("AWS::CloudWatch::Dashboard"), 3.00, id="a dashboard"),
        pytest.param(
            "thumbnail", _added("AWS::CloudWatch::Alarm", Metrics=TWO_METRICS), 0.20, id="an alarm on two metrics"
        ),
        pytest.param(
            "fargate",
            _set("AWS::ApplicationAutoScaling::ScalableTarget", "MinCapacity", value=3),
            0.3 * 730 * (0.25 * 0.03238 + 0.5 * 0.00356) + 3.65,
            id="a third task, on Spot",
        ),
        pytest.param(
            "fargate",
            _set(
                "AWS::ECS::Service", "NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp", value="DISABLED"
            ),
            -2 * 3.65,
            id="tasks without addresses",
        ),
        pytest.param(
            "fargate",
            _set("AWS::ElasticLoadBalancingV2::LoadBalancer", "Scheme", value="internal"),
            -2 * 3.65,
            id="a load balancer without addresses",
        ),
        pytest.param(
            "ecs_ec2",
            _set("AWS::AutoScaling::AutoScalingGroup", "MinSize", value="3"),
            0.0084 * 730 + 30 * 0.08 + 3.65,
            id="a third instance with disk and address",
        ),
        pytest.param("cron", _watch_two_sites, 0.30, id="a second site, without its alarm"),
        pytest.param(
            "lightsail", _set("AWS::Lightsail::Instance", "BundleId", value="small_3_0"), 7.00, id="a larger plan"
        ),
        pytest.param("lightsail", _detach_the_address, 3.65, id="an address without a server"),
        pytest.param("lightsail", _set("AWS::Lightsail::Instance", "AddOns", value=[]), -0.15, id="no snapshots"),
    ],
)
def test_a_changed_template_changes_the_monthly_cost(
    stem: str, change: Callable[[Template], None], more: float
) -> None:
    template = copy.deepcopy(templates("sandbox")[stem])
    change(template)
    assert month(template) - month(templates("sandbox")[stem]) == pytest.approx(more, abs=0.002)


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("rate(1 hour)", 730),
        ("rate(15 minutes)", 2920),
        ("rate(2 days)", 730 / 48),
        ("cron(0 3 * * ? *)", 730 / 24),
        ("cron(0/30 8-18 ? * MON-FRI *)", 730 / 24 * 22),
        ("cron(0,20,40 * * * ? *)", 730 * 3),
    ],
)
def test_runs_a_month_of_a_schedule(expression: str, runs: float) -> None:
    assert functions.runs_a_month(expression) == pytest.approx(runs)


def test_every_schedule_is_counted_whatever_its_target() -> None:
    schedule = {"ScheduleExpression": "rate(1 day)", "Target": {"Arn": {"Fn::GetAtt": ["Report", "Arn"]}}}
    report_function = {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 256}}
    nightly = {"Type": "AWS::Scheduler::Schedule", "Properties": schedule}
    parts = idle.parts({"Resources": {"Report": report_function, "Nightly": nightly}})
    assert {part.price for part in parts} == {"schedule-run", "lambda-x86_64", "lambda-request"}
    schedule["Target"] = {"Arn": "arn:aws:scheduler:::aws-sdk:batch:submitJob"}
    assert {part.price for part in idle.parts({"Resources": {"Nightly": nightly}})} == {"schedule-run"}


def test_a_metric_costs_only_the_hours_in_which_it_is_written() -> None:
    template = copy.deepcopy(templates("sandbox")["cron"])
    for schedule in resources(template, "AWS::Scheduler::Schedule").values():
        schedule["Properties"]["ScheduleExpression"] = "rate(1 day)"
    (metrics,) = [part for part in idle.parts(template) if part.price == "metric"]
    assert metrics.quantity == pytest.approx(1 / 24)


def test_each_metric_of_a_site_is_in_the_template() -> None:
    of_sites = [part.quantity for part in parts_of("production", ["cron"]) if part.price == "metric"]
    assert of_sites == [len(cron_watch.METRICS)]


def test_lightsail_settings_have_prices() -> None:
    settings = {"lightsail_disk": "true", "lightsail_bucket": "true", "lightsail_database": "postgres_16"}
    more = month(template_with("lightsail", **settings)) - month(templates("sandbox")["lightsail"])
    assert more == pytest.approx(0.80 + 1.00 + 15.00)
    assert {f"lightsail-server-{size}" for size in LIGHTSAIL_SIZES} <= set(PRICES)


def test_mails_and_a_budget_cost_nothing() -> None:
    mailing = template_with("batch", alarm_email="me@example.com")
    assert {"AWS::SNS::Topic", "AWS::Budgets::Budget"} <= {one["Type"] for one in mailing["Resources"].values()}
    assert month(mailing) == pytest.approx(month(templates("sandbox")["batch"]))


# -- the price table


def test_every_price_has_a_source_and_a_date_of_the_last_check_or_false() -> None:
    for name, price in PRICES.items():
        assert price.source.startswith("https://aws.amazon.com/"), name
        assert price.usd > 0, name
        assert price.unit, name
        assert price.checked is False or isinstance(price.checked, dt.date), name


def test_every_resource_type_is_either_billed_or_free() -> None:
    kinds = {
        one["Type"] for stacks in BOTH.values() for found in stacks.values() for one in found["Resources"].values()
    }
    assert not set(FREE_TYPES) & set(idle.BILLED)
    assert kinds <= set(FREE_TYPES) | set(idle.BILLED)
    assert all(FREE_TYPES.values())


def test_free_tiers_count_once_for_the_account() -> None:
    alarms = [Part("alarms", 8, "alarm")]
    assert after_free_tiers(alarms) == 0
    assert after_free_tiers([*alarms, *alarms]) == pytest.approx(0.60)


def test_an_unknown_type_is_reported_with_the_files_to_change() -> None:
    template = {"Resources": {"Search": {"Type": "AWS::OpenSearchService::Domain"}}}
    with pytest.raises(UnpricedError) as raised:
        idle.parts(template)
    assert "Search: AWS::OpenSearchService::Domain has no price" in str(raised.value)
    assert "tools/costs/idle.py" in str(raised.value)
    assert "tools/costs/prices.toml" in str(raised.value)


# -- the printed tables


def test_the_table_has_each_stack_each_unit_of_work_and_the_sums() -> None:
    lines = list(report.table(BOTH))
    assert max(map(len, lines)) <= 92
    for stem in BOTH["sandbox"]:
        assert any(line.split()[:1] == [stem] for line in lines), stem
        assert all(any(unit.name in line for line in lines) for unit in work.units(stem, BOTH["sandbox"][stem]))
    (together,) = [line.split() for line in lines if line.startswith("together")]
    assert together[1] == f"{total(parts_of('sandbox')):.2f}"
    assert together[4] == f"{after_free_tiers(parts_of('production')):.2f}"


@pytest.mark.parametrize(("profile", "stem"), EVERY_STACK)
def test_the_details_add_up_to_the_total(profile: str, stem: str) -> None:
    lines = list(report.details(stem, {profile: templates(profile)}))
    assert lines[1].startswith(f"{stem}, {profile}")
    (first, *_) = [line for line in lines if line.startswith("  together")]
    usd = month(templates(profile)[stem])
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


def test_the_cron_tests_use_the_metrics_that_are_counted() -> None:
    assert ENVIRONMENT["METRICS"].split(",") == list(cron_watch.METRICS)


def test_the_command_prints_the_table_or_one_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_templates", lambda settings: templates(settings["profile"]))
    command.main(["--all"])
    assert "together" in capsys.readouterr().out
    command.main(["compute-ecs-ec2"])
    assert "ecs_ec2, production: a month without use" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="'compute-none' is not a stack"):
        command.main(["compute-none"])


def test_the_command_reports_a_wrong_setting_in_one_line() -> None:
    with pytest.raises(SystemExit, match=r"^error: alarm_email: 'me' is not"):
        command.main(["-c", "alarm_email=me"])


def test_make_cost_takes_the_settings_of_make_deploy() -> None:
    run = subprocess.run(
        ["make", "--dry-run", "cost", "STACK=compute-ecr", "CONTEXT=-c architecture=x86_64"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-m tools.costs compute-ecr -c architecture=x86_64" in run.stdout
