"""These tests check the most important properties of the cron stack. test_snapshots.py compares its whole template."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

import settings_checks
from cron import events
from stacks.cron import FUNCTION_SECONDS, TIMEOUT_SECONDS
from tests.support.apps import get_att, only_resource, properties_of, template_with
from tools.templates import Template, resources

HOURLY = {"cron_schedule": "rate(1 hour)", "cron_longest_gap": "", "cron_time_zone": settings_checks.UTC}
"""The schedule of these tests. A fork may have another one in config.py."""
SANDBOX = template_with("cron", **HOURLY)
PRODUCTION = template_with("cron", profile="production", **HOURLY)
in_both_profiles = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
ACCOUNT = {"Ref": "AWS::AccountId"}


# -- the schedule


@in_both_profiles
def test_the_schedule_runs_every_hour_with_a_delay_of_at_most_five_minutes(template: Template) -> None:
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["State"] == "ENABLED"
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    assert json.loads(schedule["Target"]["Input"]) == {
        "scheduled_at": "<aws.scheduler.scheduled-time>",  # identifies a run, even if Scheduler starts it twice
        "urls": ["https://example.com/"],
    }


@in_both_profiles
def test_scheduler_retries_until_the_next_run_and_then_sends_a_dead_letter(template: Template) -> None:
    target = properties_of(template, "AWS::Scheduler::Schedule")["Target"]
    assert target["Arn"] == get_att(template, "Function")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": get_att(template, "DeadLetters")}


@in_both_profiles
def test_lambda_retries_until_the_next_run_and_then_sends_a_dead_letter(template: Template) -> None:
    retries = properties_of(template, "AWS::Lambda::EventInvokeConfig")
    assert retries["DestinationConfig"] == {"OnFailure": {"Destination": get_att(template, "DeadLetters")}}
    assert retries["MaximumRetryAttempts"] == 2
    assert retries["MaximumEventAgeInSeconds"] == 3600


@in_both_profiles
def test_the_schedule_starts_after_its_grants_and_the_dead_letter_queue_exist(template: Template) -> None:
    dependencies = {
        *resources(template, "AWS::Lambda::EventInvokeConfig"),
        *(name for name in resources(template, "AWS::IAM::Policy") if name.startswith("SchedulerRole")),
    }
    assert len(dependencies) == 2
    assert dependencies <= set(only_resource(template, "AWS::Scheduler::Schedule")["DependsOn"])


@in_both_profiles
def test_only_schedules_of_this_account_can_use_the_role(template: Template) -> None:
    role = properties_of(template, "AWS::IAM::Role", "SchedulerRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cron_schedule": "rate(1 minute)"}, {"window": None, "max_age": 60, "period": 300}),
        ({"cron_schedule": "rate(12 minutes)"}, {"window": 1, "max_age": 720, "period": 720}),
        ({"cron_schedule": "rate(3 days)"}, {"window": 5, "max_age": 86400, "period": 259_200}),
        (
            {
                "cron_schedule": "cron(0 8-18 ? * MON-FRI *)",
                "cron_time_zone": "Europe/Vienna",
                "cron_longest_gap": "3780",
            },
            {"window": None, "max_age": 3600, "period": 226_800},  # during the day, the next run follows after 3,600 s
        ),
    ],
    ids=lambda value: value.get("cron_schedule", ""),
)
def test_the_schedule_settings_change_the_flexible_window_the_retries_and_the_alarm(
    settings: Mapping[str, str], expected: Mapping[str, Any]
) -> None:
    template = template_with("cron", **settings)
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == settings["cron_schedule"]
    assert schedule["ScheduleExpressionTimezone"] == settings.get("cron_time_zone", "Etc/UTC")
    assert schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes") == expected["window"]
    assert schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == expected["max_age"]
    lambda_max_age = properties_of(template, "AWS::Lambda::EventInvokeConfig")["MaximumEventAgeInSeconds"]
    assert lambda_max_age == max(360, min(expected["max_age"], 6 * 3600)), "the second retry comes after three minutes"
    (runs, filled_runs) = properties_of(template, "AWS::CloudWatch::Alarm", "MissedRun")["Metrics"][::-1]
    assert runs["MetricStat"]["Period"] == expected["period"]
    assert filled_runs["Expression"] == "FILL(runs, 0)"


def test_settings_change_the_schedule_and_the_function() -> None:
    template = template_with("cron", cron_urls="https://a.example/,http://b.example/?x=1", cron_allow_private="true")
    urls = json.loads(properties_of(template, "AWS::Scheduler::Schedule")["Target"]["Input"])["urls"]
    assert urls == ["https://a.example/", "http://b.example/?x=1"]
    assert properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]["ALLOW_PRIVATE"] == "true"


# -- the function


@in_both_profiles
def test_the_function_rejects_private_addresses_by_default(template: Template) -> None:
    assert properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]["ALLOW_PRIVATE"] == "false"


def test_a_run_takes_less_than_half_of_the_timeout_of_the_function() -> None:
    """The function checks all URLs at once. A write to DynamoDB has three tries of 5 s, with pauses of 1 and 2 s."""
    assert TIMEOUT_SECONDS + 3 * 5 + 3 < FUNCTION_SECONDS / 2


def test_the_function_accepts_every_list_of_urls_that_the_settings_allow() -> None:
    assert settings_checks.MAX_URLS == events.MAX_URLS
    assert settings_checks.MAX_URL_LENGTH <= events.MAX_URL_LENGTH


@in_both_profiles
def test_the_key_of_a_result_is_its_url_and_time_and_results_expire(template: Template) -> None:
    table = properties_of(template, "AWS::DynamoDB::Table")
    assert table["KeySchema"] == [
        {"AttributeName": "url", "KeyType": "HASH"},
        {"AttributeName": "scheduled_at", "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


# -- the alarms


def alarms_of(template: Template) -> dict[str, Any]:
    """Return the properties of each alarm by its construct id, such as `SiteDownhttpsexamplecom`."""
    alarms = resources(template, "AWS::CloudWatch::Alarm").items()
    return {name[:-8].removesuffix("Alarm"): alarm["Properties"] for name, alarm in alarms}


@in_both_profiles
def test_alarms_have_the_right_metrics_and_thresholds(template: Template) -> None:
    alarms = alarms_of(template)
    missed = alarms.pop("MissedRun")
    assert {
        name: (alarm["MetricName"], alarm["Statistic"], alarm["TreatMissingData"]) for name, alarm in alarms.items()
    } == {
        "SiteDownhttpsexamplecom": ("Up", "Minimum", "ignore"),  # between two runs, the alarm keeps its state
        "Errors": ("Errors", "Sum", "notBreaching"),
        "DeadLettersVisible": ("ApproximateNumberOfMessagesVisible", "Maximum", "notBreaching"),
    }
    site_down = alarms["SiteDownhttpsexamplecom"]
    assert (site_down["ComparisonOperator"], site_down["Threshold"]) == ("LessThanThreshold", 1)
    (filled_runs, runs) = missed["Metrics"]
    # Without FILL, CloudWatch also looks at older periods, and the alarm starts too late.
    assert (filled_runs["Expression"], filled_runs.get("ReturnData", True)) == ("FILL(runs, 0)", True)
    assert (runs["Id"], runs["ReturnData"]) == ("runs", False)
    assert (runs["MetricStat"]["Stat"], runs["MetricStat"]["Period"]) == ("SampleCount", 3600)
    assert (missed["ComparisonOperator"], missed["Threshold"]) == ("LessThanThreshold", 1)
    assert (missed["EvaluationPeriods"], missed["TreatMissingData"]) == (2, "breaching")
    environment = properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]
    for metric in (runs["MetricStat"]["Metric"], site_down):
        assert (metric["Namespace"], metric["MetricName"]) == ("ComputeExamples", "Up")
        assert {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]} == {
            "service": environment["POWERTOOLS_SERVICE_NAME"],
            "url": "https://example.com/",
        }
        assert environment["POWERTOOLS_METRICS_NAMESPACE"] == "ComputeExamples"
        assert "Up" in environment["METRICS"].split(",")


def test_the_description_of_a_site_alarm_begins_with_the_url_of_the_site() -> None:
    longest_url = "https://b.example/" + "x" * (settings_checks.MAX_URL_LENGTH - 18)
    alarms = alarms_of(template_with("cron", cron_urls=f"https://a.example/,{longest_url}"))
    descriptions = [alarm["AlarmDescription"] for name, alarm in alarms.items() if name.startswith("SiteDown")]
    assert [text.split(" ")[0] for text in descriptions] == ["https://a.example/", longest_url]
