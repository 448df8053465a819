"""The deployed web service, on Fargate: its page, its tasks in two zones, a bad image that rolls back."""

import pytest

from tests.smoke.web import Service, a_bad_image_rolls_back, the_page_is_served, the_tasks_take_turns_in_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # an account takes its time


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "fargate")


def test_the_page_says_where_it_runs(service: Service) -> None:
    the_page_is_served(service, "FARGATE")


def test_the_tasks_take_turns_in_two_zones(service: Service) -> None:
    the_tasks_take_turns_in_two_zones(service)


def test_a_bad_image_rolls_back(service: Service) -> None:
    a_bad_image_rolls_back(service)
