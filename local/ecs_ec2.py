"""Shows the ECS on EC2 example at work."""

from local.web import exercise, suggestions

__all__ = ["TITLE", "exercise", "suggestions"]

TITLE = "a web service on the instances of an Auto Scaling group, behind a load balancer"
