"""The alarms of the websocket stack."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm

FIVE_MINUTES = Duration.minutes(5)
LATE = Duration.seconds(30)
"""Age of a message at which the broadcast is late. A broadcast usually takes less than a second."""


def add_alarms(  # noqa: PLR0913 - the resources that the alarms watch
    stack: Stack,
    authorizer: lambda_.Function,
    routes: lambda_.Function,
    broadcaster: lambda_.Function,
    dead_letters: sqs.Queue,
    *,
    early_warnings: bool,
) -> list[cloudwatch.Alarm]:
    """Return alarms on failed connections, on failed messages, and on messages that were not broadcast.

    `early_warnings` adds alarms on broadcasts that Lambda will try again, on late broadcasts and on throttles.
    """
    metrics = {
        "ConnectErrors": authorizer.metric_errors(period=FIVE_MINUTES, statistic="Sum"),
        "MessageErrors": routes.metric_errors(period=FIVE_MINUTES, statistic="Sum"),
        "DeadLettersVisible": dead_letters.metric_approximate_number_of_messages_visible(
            period=FIVE_MINUTES, statistic="Maximum"
        ),
    }
    if early_warnings:
        metrics["BroadcastErrors"] = broadcaster.metric_errors(period=FIVE_MINUTES, statistic="Sum")
        metrics["Throttles"] = routes.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
    alarms = [metric_alarm(stack, name, metric, stem="websocket") for name, metric in metrics.items()]
    if early_warnings:
        age = broadcaster.metric("IteratorAge", period=FIVE_MINUTES, statistic="Maximum")
        late = metric_alarm(stack, "LateBroadcasts", age, stem="websocket", threshold=LATE.to_milliseconds())
        alarms.append(late)
    return alarms
