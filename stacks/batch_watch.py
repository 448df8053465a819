"""Failed jobs and cost of the batch example: a queue with an alarm, and a budget."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_batch as batch
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs

from stacks._alarms import metric_alarm


def collect_failures(stack: Stack, queue: batch.JobQueue, failed: sqs.Queue) -> None:
    """Send an event to `failed` for each job of the queue that fails, and when a job blocks the queue."""
    for id_, kind, detail in (
        ("Failed", "Batch Job State Change", {"status": ["FAILED"]}),
        ("Blocked", "Batch Job Queue Blocked", {}),  # a job stays RUNNABLE, and all jobs behind it wait
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
    """Return an alarm that lasts as long as there is a message in `failed`."""
    messages = failed.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum")
    return metric_alarm(stack, "FailedJobs", messages, stem="batch")


def add_budget(stack: Stack, dollars: int, email: str) -> None:
    """Send mail when the account's cost of a month will be above 80 % of the budget, and when it is above 100 %."""
    # The budget is the whole account's. A budget by tag works only after somebody activates the tag in the billing
    # console.
    subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=email)
    budgets.CfnBudget(
        stack,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
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
