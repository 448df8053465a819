"""These tests check the deployed web service on EC2 instances: its page, its zones, and the rollback of a deployment.

They run in an account, or in the local AWS, a program that imitates AWS on this machine.
"""

import pytest

from tests.smoke.web import Service, check_page, check_rollback, check_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # a deployment in an account needs minutes


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "ecs_ec2")


def test_the_page_shows_the_task(service: Service) -> None:
    check_page(service, "EC2")


def test_tasks_in_two_zones_answer_requests(service: Service) -> None:
    check_two_zones(service)


def test_all_instances_belong_to_the_capacity_provider(service: Service, deployment: Deployment) -> None:
    if deployment.is_local:
        pytest.skip("the local AWS only stores instances, and does not register them with the cluster")
    arns = service.ecs.list_container_instances(cluster=service.cluster)["containerInstanceArns"]
    instances = service.ecs.describe_container_instances(cluster=service.cluster, containerInstances=arns)
    providers = [instance.get("capacityProviderName") for instance in instances["containerInstances"]]
    assert len(providers) >= 2
    assert all(providers), (
        "an instance has no capacity provider, perhaps because it joined the cluster too early. It may get no tasks"
    )


def test_ecs_rolls_back_a_deployment_with_a_missing_image(service: Service) -> None:
    check_rollback(service)
