"""The page of the example ecs_ec2."""

from console.web_service import WebServicePage


class Page(WebServicePage):
    """Shows the tasks of the web service on EC2 instances."""
