"""The alarms of the server. They are part of Lightsail, not of CloudWatch."""

from aws_cdk import Stack
from aws_cdk import aws_lightsail as lightsail

TRANSFER_GB = {"nano": 1024, "micro": 2048, "small": 3072}
"""GB of traffic a month that the price of each size includes. AWS bills each additional GB that the server sends. In
Mumbai and Sydney, the price includes only half.
https://docs.aws.amazon.com/cli/latest/reference/lightsail/get-bundles.html"""
FIVE_MINUTES_IN_THREE_DAYS = 3 * 24 * 12


def add_alarms(stack: Stack, server: lightsail.CfnInstance, bundle: str, *, mail: bool) -> None:
    """Add alarms on a server that is down, on a processor that is busy for too long, and on much outgoing traffic."""
    transfer = TRANSFER_GB[bundle.partition("_")[0]] * 1024**3
    alarms = {
        # metric: comparison, threshold, five-minute periods in a row, treatment of missing data
        "StatusCheckFailed": ("GreaterThanOrEqualToThreshold", 1, 2, "breaching"),  # a stopped server sends no data
        # A server saves burst capacity while it is idle, and uses this capacity while it is busy. At 0 %, it may use
        # only a small share of its processors: 5 % of each processor in the smallest bundle.
        "BurstCapacityPercentage": ("LessThanThreshold", 20, 3, "notBreaching"),
        # The alarm starts after an hour with so much traffic that three such days would use up the transfer of a month.
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
