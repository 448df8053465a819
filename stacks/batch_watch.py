"""Events and an alarm for failed jobs of the batch example, and a budget for the costs of the whole account."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm


def collect_failures(stack: Stack, queue: batch.JobQueue, failed: sqs.Queue) -> None:
    """Send an event to the SQS queue `failed` when a job fails, and when a job blocks the job queue `queue`."""
    for id_, kind, detail in (
        ("Failed", "Batch Job State Change", {"status": ["FAILED"]}),
        ("Blocked", "Batch Job Queue Blocked", {}),  # the first job cannot start, so all other jobs wait
    ):
        events.Rule(
            stack,
            id_,
            event_pattern=events.EventPattern(
                source=["aws.batch"], detail_type=[kind], detail={"jobQueue": [queue.job_queue_arn], **detail}
            ),
            targets=[targets.SqsQueue(failed)],
        )


def failure_alarm(stack: Stack, failed: sqs.Queue) -> cloudwatch.Alarm:
    """Return an alarm that lasts as long as the queue `failed` contains a message."""
    messages = failed.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum")
    return metric_alarm(stack, "FailedJobs", messages, stem="batch")


def add_budget(stack: Stack, dollars: int, email: str) -> None:
    """Send a mail when the forecast for a month exceeds 80 % of the budget, and when the actual cost exceeds 100 %."""
    # The budget includes all costs of the account, without credits. A budget for this example would need a tag that
    # somebody has activated in the billing console.
    subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=email)
    budgets.CfnBudget(
        stack,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            cost_types=budgets.CfnBudget.CostTypesProperty(include_credit=False, include_refund=False),
            budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[subscriber],
            )
            for kind, percent in (("FORECASTED", 80), ("ACTUAL", 100))
        ],
    )
