"""The deployed web service, on EC2 instances: its page, its tasks in two zones, a bad image that rolls back."""

import pytest

from tests.smoke.web import Service, a_bad_image_rolls_back, the_page_is_served, the_tasks_take_turns_in_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # an account takes its time


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "ecs_ec2")


def test_the_page_says_where_it_runs(service: Service) -> None:
    the_page_is_served(service, "EC2")


def test_the_tasks_take_turns_in_two_zones(service: Service) -> None:
    the_tasks_take_turns_in_two_zones(service)


def test_every_instance_is_the_capacity_providers(service: Service, deployment: Deployment) -> None:
    if deployment.is_local:
        pytest.skip("the local AWS records instances, and registers none")
    arns = service.ecs.list_container_instances(cluster=service.cluster)["containerInstanceArns"]
    found = service.ecs.describe_container_instances(cluster=service.cluster, containerInstances=arns)
    providers = [instance.get("capacityProviderName") for instance in found["containerInstances"]]
    assert len(providers) >= 2
    assert all(providers), "what was in the cluster before the provider may get no tasks"


def test_a_bad_image_rolls_back(service: Service) -> None:
    a_bad_image_rolls_back(service)
