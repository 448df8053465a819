"""The page of the example fargate."""

from console.web_service import WebServicePage


class Page(WebServicePage):
    """Shows the tasks of the web service on Fargate."""
