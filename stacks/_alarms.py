"""CloudWatch alarms, and the topic that sends them by mail."""

from collections.abc import Iterable
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from stacks._nag import acknowledge


def metric_alarm(  # noqa: PLR0913 - keyword arguments
    stack: Stack,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    stem: str,
    threshold: float = 1,
    periods: int = 1,
    **options: Any,
) -> cloudwatch.Alarm:
    """Return an alarm that starts when the metric is at or above `threshold` for `periods` periods in a row.

    A period without data does not start the alarm. `options` are further parameters of CDK's Alarm. In `options`,
    `comparison_operator` replaces the rule "at or above", and `treat_missing_data` replaces the rule about missing
    data. `stem` is the short name of the example, such as `ecs_ec2`.
    """
    return cloudwatch.Alarm(
        stack,
        f"{name}Alarm",
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        alarm_description=f"{stack.stack_name}: {name}. What to do: docs/{stem}.md, 'Watch it'.",
        **{
            "comparison_operator": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            "treat_missing_data": cloudwatch.TreatMissingData.NOT_BREACHING,
            **options,
        },
    )


def alarm_topic(stack: Stack, email: str | None) -> sns.Topic | None:
    """Return a topic that sends its messages to the address `email`. Return None if `email` is None.

    AWS first sends a mail that asks the receiver to confirm the address.
    """
    if email is None:
        return None
    topic = sns.Topic(stack, "Alarms", enforce_ssl=True)
    # By default, the alarms of an account may publish to all topics of the account. `enforce_ssl` replaces this default
    # policy, so the topic needs a grant.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    topic.grant_publish(
        iam.ServicePrincipal(
            "cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        )
    )
    topic.add_subscription(subscriptions.EmailSubscription(email))
    acknowledge(
        topic,
        "AwsSolutions-SNS2",
        "CloudWatch cannot publish to a topic that is encrypted with AWS's own key. A customer key costs $1 a month, "
        "and does not protect the text of the mail.",
    )
    return topic


def notify(alarms: Iterable[cloudwatch.Alarm], topic: sns.Topic | None) -> None:
    """Make each alarm send a message to the topic when the alarm starts, and when it ends."""
    if topic is None:
        return
    action = actions.SnsAction(topic)
    for alarm in alarms:
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
