"""The server's alarms, in Lightsail itself."""

from aws_cdk import Stack
from aws_cdk import aws_lightsail as lightsail

TRANSFER_GB = {"nano": 1024, "micro": 2048, "small": 3072}
"""The GB a month that a size can transfer before AWS bills each GB. Some regions, Mumbai and Sydney, have half of it.
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-bundles.html"""
FIVE_MINUTES_IN_THREE_DAYS = 3 * 24 * 12


def add_alarms(stack: Stack, server: lightsail.CfnInstance, bundle: str, *, mail: bool) -> None:
    """Add alarms on a server that is down, on an exhausted processor, and on much outgoing traffic."""
    transfer = TRANSFER_GB[bundle.partition("_")[0]] * 1024**3
    alarms = {
        # metric: comparison, threshold, five-minute periods in a row, treatment of missing data
        "StatusCheckFailed": ("GreaterThanOrEqualToThreshold", 1, 2, "breaching"),  # a stopped server has no data
        # At 0 a server has only its plan's share of the processors: 5 % of each for the smallest.
        "BurstCapacityPercentage": ("LessThanThreshold", 20, 3, "notBreaching"),
        # An hour at a rate that would use up the transfer of a month in three days.
        "NetworkOut": ("GreaterThanThreshold", transfer // FIVE_MINUTES_IN_THREE_DAYS, 12, "notBreaching"),
    }
    for metric, (comparison, threshold, periods, missing) in alarms.items():
        lightsail.CfnAlarm(
            stack,
            f"{metric}Alarm",
            alarm_name=f"{stack.stack_name}-{metric}",
            monitored_resource_name=server.ref,
            metric_name=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data=missing,
            contact_protocols=["Email"] if mail else None,
            notification_triggers=["ALARM", "OK"] if mail else None,
        )
