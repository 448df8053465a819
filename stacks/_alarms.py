"""Where alarms go."""

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from stacks._nag import acknowledge


def alarm_topic(stack: Stack, email: str | None) -> sns.Topic | None:
    """A topic that mails to `email`, who must confirm once; None without an address."""
    if email is None:
        return None
    topic = sns.Topic(stack, "Alarms", enforce_ssl=True)
    # A topic with a policy of its own, here for TLS, loses the default one that let the account's alarms in.
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
        "CloudWatch cannot publish to a topic under AWS's own key, and a customer key costs $1 a month "
        "to hide what goes out by mail.",
    )
    return topic


def notify(alarms: Iterable[cloudwatch.Alarm], topic: sns.Topic | None) -> None:
    """Send every alarm, and its end, to the topic."""
    if topic is None:
        return
    action = actions.SnsAction(topic)
    for alarm in alarms:
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
