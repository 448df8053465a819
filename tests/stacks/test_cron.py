"""What the cron stack means to be; the snapshot beside it says what it is to the letter."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

import settings_checks
from cron import events
from stacks.cron import FUNCTION_SECONDS, TIMEOUT_SECONDS
from tests.support.apps import get_att, properties_of, template_with, templates
from tools.templates import resources

SANDBOX = templates("sandbox")["cron"]
PRODUCTION = templates("production")["cron"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])
ACCOUNT = {"Ref": "AWS::AccountId"}


@both
def test_the_ids_of_stores_never_change(template: dict[str, Any]) -> None:
    """Another id is another resource: CloudFormation would delete this one, or leave it behind with its data."""
    assert set(resources(template, "AWS::DynamoDB::Table")) == {"Results25575328"}
    assert set(resources(template, "AWS::SQS::Queue")) == {"DeadLettersBBF8BAAB"}


@both
def test_the_outputs_are_what_the_smoke_tests_and_lessons_use(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == {"FunctionName", "ResultsTableName", "ScheduleName", "DeadLetterQueueUrl"}


# -- the schedule


@both
def test_it_fires_every_hour_within_five_minutes(template: dict[str, Any]) -> None:
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["State"] == "ENABLED"
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    assert json.loads(schedule["Target"]["Input"]) == {
        "scheduled_at": "<aws.scheduler.scheduled-time>",  # the same in every delivery of a run
        "urls": ["https://example.com/"],
    }


@both
def test_what_cannot_be_delivered_is_tried_until_the_next_run_and_kept(template: dict[str, Any]) -> None:
    target = properties_of(template, "AWS::Scheduler::Schedule")["Target"]
    assert target["Arn"] == get_att(template, "Function")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": get_att(template, "DeadLetters")}


@both
def test_what_the_function_fails_at_is_retried_until_the_next_run_and_kept(template: dict[str, Any]) -> None:
    invocations = properties_of(template, "AWS::Lambda::EventInvokeConfig")
    assert invocations["DestinationConfig"] == {"OnFailure": {"Destination": get_att(template, "DeadLetters")}}
    assert invocations["MaximumRetryAttempts"] == 2
    assert invocations["MaximumEventAgeInSeconds"] == 3600


@both
def test_it_does_not_fire_before_everything_is_ready(template: dict[str, Any]) -> None:
    (schedule,) = resources(template, "AWS::Scheduler::Schedule").values()
    needed = {
        *resources(template, "AWS::Lambda::EventInvokeConfig"),
        *(name for name in resources(template, "AWS::IAM::Policy") if name.startswith("SchedulerRole")),
    }
    assert len(needed) == 2
    assert needed <= set(schedule["DependsOn"])


@both
def test_scheduler_may_invoke_the_function_and_no_more(template: dict[str, Any]) -> None:
    role = properties_of(template, "AWS::IAM::Role", "SchedulerRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert _allowed(template, "SchedulerRole") == {
        ("lambda:InvokeFunction", "Function"),  # and none of its versions and aliases
        ("sqs:SendMessage", "DeadLetters"),
    }


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"cron_schedule": "rate(1 minute)"}, {"window": None, "seconds": 60, "period": 300}),
        ({"cron_schedule": "rate(12 minutes)"}, {"window": 1, "seconds": 720, "period": 720}),
        ({"cron_schedule": "rate(3 days)"}, {"window": 5, "seconds": 86400, "period": 259_200}),
        (
            {
                "cron_schedule": "cron(0 8-18 ? * MON-FRI *)",
                "cron_time_zone": "Europe/Vienna",
                "cron_longest_gap": "3780",
            },
            {"window": None, "seconds": 3600, "period": 226_800},  # the next run may be an hour away
        ),
    ],
    ids=lambda each: each.get("cron_schedule", ""),
)
def test_window_patience_and_alarm_follow_the_period(settings: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    template = template_with("cron", **settings)
    schedule = properties_of(template, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == settings["cron_schedule"]
    assert schedule["ScheduleExpressionTimezone"] == settings.get("cron_time_zone", "Etc/UTC")
    assert schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes") == wanted["window"]
    assert schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == wanted["seconds"]
    of_lambda = properties_of(template, "AWS::Lambda::EventInvokeConfig")["MaximumEventAgeInSeconds"]
    assert of_lambda == max(360, min(wanted["seconds"], 6 * 3600)), "three tries take three minutes and more"
    (runs, filled) = properties_of(template, "AWS::CloudWatch::Alarm", "MissedRun")["Metrics"][::-1]
    assert runs["MetricStat"]["Period"] == wanted["period"]
    assert filled["Expression"] == "FILL(runs, 0)"


def test_settings_reach_the_schedule_and_the_function() -> None:
    template = template_with("cron", cron_urls="https://a.example/,http://b.example/?x=1", cron_allow_private="true")
    urls = json.loads(properties_of(template, "AWS::Scheduler::Schedule")["Target"]["Input"])["urls"]
    assert urls == ["https://a.example/", "http://b.example/?x=1"]
    assert properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]["ALLOW_PRIVATE"] == "true"


# -- the function


@both
def test_the_function_may_do_what_it_does_and_no_more(template: dict[str, Any]) -> None:
    assert _allowed(template, "RoleDefaultPolicy") == {
        ("dynamodb:PutItem", "Results"),
        ("sqs:SendMessage", "DeadLetters"),
        ("logs:CreateLogStream", "Logs"),
        ("logs:PutLogEvents", "Logs"),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }


def _allowed(template: dict[str, Any], policy: str) -> set[tuple[str, str]]:
    allowed = set()
    for statement in properties_of(template, "AWS::IAM::Policy", policy)["PolicyDocument"]["Statement"]:
        actions, where = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            for resource in where if isinstance(where, list) else [where]:
                allowed.add((action, resource if resource == "*" else str(resource["Fn::GetAtt"][0])[:-8]))
    return allowed


@both
def test_private_addresses_are_refused_unless_configured(template: dict[str, Any]) -> None:
    assert properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]["ALLOW_PRIVATE"] == "false"


def test_everything_ends_within_the_functions_time() -> None:
    """All URLs are checked at once, and each result is then written by three tries of 5 s, with pauses of 1 and 2 s."""
    assert TIMEOUT_SECONDS + 3 * 5 + 3 < FUNCTION_SECONDS / 2


def test_no_more_urls_are_configured_than_the_function_takes() -> None:
    assert settings_checks.MAX_URLS == events.MAX_URLS
    assert settings_checks.MAX_URL <= events.MAX_URL


@both
def test_results_are_found_by_url_and_time_and_expire(template: dict[str, Any]) -> None:
    table = properties_of(template, "AWS::DynamoDB::Table")
    assert table["KeySchema"] == [
        {"AttributeName": "url", "KeyType": "HASH"},
        {"AttributeName": "scheduled_at", "KeyType": "RANGE"},
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


# -- the alarms


def alarms_of(template: dict[str, Any]) -> dict[str, Any]:
    """The properties of the alarms by the ids that their lesson knows: `SiteDownhttpsexamplecom`."""
    found = resources(template, "AWS::CloudWatch::Alarm").items()
    return {name[:-8].removesuffix("Alarm"): alarm["Properties"] for name, alarm in found}


@both
def test_what_sets_off_the_alarms(template: dict[str, Any]) -> None:
    alarms = alarms_of(template)
    missed = alarms.pop("MissedRun")
    assert {
        name: (alarm["MetricName"], alarm["Statistic"], alarm["TreatMissingData"]) for name, alarm in alarms.items()
    } == {
        "SiteDownhttpsexamplecom": ("Up", "Minimum", "ignore"),  # or it would end five minutes after each run
        "Errors": ("Errors", "Sum", "notBreaching"),
        "DeadLettersVisible": ("ApproximateNumberOfMessagesVisible", "Maximum", "notBreaching"),
    }
    site = alarms["SiteDownhttpsexamplecom"]
    assert (site["ComparisonOperator"], site["Threshold"]) == ("LessThanThreshold", 1)
    (filled, runs) = missed["Metrics"]
    # Without FILL, CloudWatch looks back further than two periods before it takes data for missing.
    assert (filled["Expression"], filled.get("ReturnData", True)) == ("FILL(runs, 0)", True)
    assert (runs["Id"], runs["ReturnData"]) == ("runs", False)
    assert (runs["MetricStat"]["Stat"], runs["MetricStat"]["Period"]) == ("SampleCount", 3600)
    assert (missed["ComparisonOperator"], missed["Threshold"]) == ("LessThanThreshold", 1)
    assert (missed["EvaluationPeriods"], missed["TreatMissingData"]) == (2, "breaching")
    environment = properties_of(template, "AWS::Lambda::Function")["Environment"]["Variables"]
    for metric in (runs["MetricStat"]["Metric"], site):
        assert (metric["Namespace"], metric["MetricName"]) == ("ComputeExamples", "Up")
        assert {one["Name"]: one["Value"] for one in metric["Dimensions"]} == {
            "service": environment["POWERTOOLS_SERVICE_NAME"],
            "url": "https://example.com/",
        }
        assert environment["POWERTOOLS_METRICS_NAMESPACE"] == "ComputeExamples"
        assert "Up" in environment["METRICS"].split(",")


def test_each_site_has_an_alarm_that_names_it() -> None:
    longest = "https://b.example/" + "x" * (settings_checks.MAX_URL - 18)
    alarms = alarms_of(template_with("cron", cron_urls=f"https://a.example/,{longest}"))
    described = [alarm["AlarmDescription"] for name, alarm in alarms.items() if name.startswith("SiteDown")]
    assert [text.split(" ")[0] for text in described] == ["https://a.example/", longest]
