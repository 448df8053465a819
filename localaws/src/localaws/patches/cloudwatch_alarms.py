"""The patch that evaluates alarms. The patches that store metrics are in cloudwatch_metrics.py."""

import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import _request_account_id, _request_region
from ministack.services import cloudwatch, sqs

from localaws.patches.cloudwatch import FILL_VALUE
from localaws.patches.cloudwatch_metrics import store_metrics_of_queues

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
_STATES_WITHOUT_DATA = {"missing": "INSUFFICIENT_DATA", "breaching": "ALARM", "notBreaching": "OK"}
"""The state of an alarm without any value in its periods. `ignore` keeps the present state."""
_SECONDS_BETWEEN_EVALUATIONS = 1
_evaluating = threading.Lock()
"""An alarm must not change its state twice at the same time, because it would send two messages."""


def evaluate_alarms() -> None:
    """Evaluate every alarm each second, with the values of its own metric in its last periods.

    Store the number of visible messages of each SQS queue, too. Alarms on dead-letter queues need this metric.

    Stock engine: evaluates alarms only when a client stores a metric. It combines all metrics with the same name,
    whatever their dimensions are, and all periods. It ignores DatapointsToAlarm and TreatMissingData. It stores no
    metrics of queues.
    AWS: evaluates most alarms once a minute, with the metric that has exactly the alarm's dimensions. An alarm starts
    if the values of DatapointsToAlarm of the last EvaluationPeriods periods exceed the threshold. If data are missing,
    TreatMissingData decides. With `missing`, an alarm also starts if all existing values exceed the threshold, and the
    oldest of them is at least DatapointsToAlarm periods old. With `ignore`, the alarm then keeps its state.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    The patched engine never reads values before the last EvaluationPeriods periods. An alarm on a metric that has never
    had a value keeps its state, because the engine does not have all metrics of AWS.
    Upstream issue: none known.
    """
    cloudwatch._evaluate_alarm = evaluate
    threading.Thread(target=_evaluate_forever, daemon=True, name="alarms").start()


def _evaluate_forever() -> None:
    while True:
        time.sleep(_SECONDS_BETWEEN_EVALUATIONS)
        try:
            for account, region in {key[:2] for values in (sqs._queues, cloudwatch._alarms) for key in [*values._data]}:
                _request_account_id.set(account)
                _request_region.set(region)
                store_metrics_of_queues()
                cloudwatch._evaluate_all_alarms()
        except Exception:  # noqa: BLE001 - the next evaluation must take place, whatever fails
            cloudwatch.logger.exception("the engine could not evaluate the alarms")


def evaluate(alarm: Any) -> None:
    """Compute the state of an alarm, a record of ministack. If the state changes, perform the actions of the alarm."""
    with _evaluating:
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        points = [*cloudwatch._metrics.get((alarm.get("Namespace"), alarm.get("MetricName"), dimensions), [])]
        if not points or alarm["ComparisonOperator"] not in _COMPARISONS:
            return
        values = [_value_of_period(alarm, points, period) for period in range(alarm["EvaluationPeriods"])]
        new_state, old_state = _state(alarm, values), alarm["StateValue"]
        if new_state != old_state:
            statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
            comparison = f"{statistic} {alarm['ComparisonOperator']} {alarm['Threshold']}"
            reason = f"Threshold Crossed: {comparison}, values of the last periods, newest first: {values}"
            alarm.update(StateValue=new_state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
            cloudwatch._record_history(alarm["AlarmName"], old_state, new_state, reason)
            cloudwatch._dispatch_alarm_actions(alarm, old_state, new_state, reason)
            cloudwatch._evaluate_parent_alarms(alarm)


def _value_of_period(alarm: Any, points: list[Any], period: int) -> float | None:
    # The newest period has the number 0. If it has no data, return the value of FILL(metric, value), or else None.
    end = time.time() - period * alarm["Period"]
    points_of_period = [point for point in points if end - alarm["Period"] < point["Timestamp"] <= end]
    if not points_of_period:
        return alarm.get(FILL_VALUE)  # type: ignore[no-any-return]
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    value: float | None = cloudwatch._stat_value(cloudwatch._calc_stats(points_of_period), statistic, points_of_period)
    return value


def _state(alarm: Any, values: list[float | None]) -> str:
    treatment = alarm.get("TreatMissingData") or "missing"
    if all(value is None for value in values):
        return _STATES_WITHOUT_DATA.get(treatment, str(alarm["StateValue"]))
    breaches, needed = _COMPARISONS[alarm["ComparisonOperator"]], alarm.get("DatapointsToAlarm") or len(values)
    breaching = [treatment == "breaching" if value is None else breaches(value, alarm["Threshold"]) for value in values]
    if sum(breaching) >= needed:
        return "ALARM"
    # If data are missing, AWS also starts an alarm with fewer values, as soon as the oldest of them is old enough.
    ages = [age for age, value in enumerate(values, 1) if value is not None]
    if treatment in {"missing", "ignore"} and len(ages) < len(values) and all(breaching[age - 1] for age in ages):
        if treatment == "ignore":
            return str(alarm["StateValue"])
        return "ALARM" if max(ages) >= needed else "OK"
    return "OK"
