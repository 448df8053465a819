"""The deployed web service on Fargate: its page, its tasks in two zones, and the rollback of a missing image."""

import pytest

from tests.smoke.web import Service, check_page, check_rollback, check_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # a deployment to an account takes minutes


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "fargate")


def test_page_shows_where_it_runs(service: Service) -> None:
    check_page(service, "FARGATE")


def test_tasks_take_turns_in_two_zones(service: Service) -> None:
    check_two_zones(service)


def test_missing_image_is_rolled_back(service: Service) -> None:
    check_rollback(service)
