"""Shows the Fargate example at work."""

from local.web import exercise, suggestions

__all__ = ["TITLE", "exercise", "suggestions"]

TITLE = "the same web service behind a load balancer, but without instances"
