"""Shows the Fargate example at work."""

from local.web import exercise, suggestions

__all__ = ["TITLE", "exercise", "suggestions"]

TITLE = "the same web service without instances, behind a load balancer"
