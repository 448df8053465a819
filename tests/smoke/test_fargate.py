"""These tests check the deployed web service on Fargate: its page, its zones, and the rollback of a deployment.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

import pytest

from tests.smoke.web import Service, check_page, check_rollback, check_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # a deployment in an account needs minutes


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "fargate")


def test_the_page_shows_the_task(service: Service) -> None:
    check_page(service, "FARGATE")


def test_tasks_in_two_zones_answer_requests(service: Service) -> None:
    check_two_zones(service)


def test_ecs_rolls_back_a_deployment_with_a_missing_image(service: Service) -> None:
    check_rollback(service)
