"""The deployed web service on EC2 instances: its page, its tasks in two zones, and the rollback of a missing image."""

import pytest

from tests.smoke.web import Service, check_page, check_rollback, check_two_zones
from tests.support.deployment import Deployment

pytestmark = pytest.mark.timeout(1800)  # a deployment to an account takes minutes


@pytest.fixture(scope="module")
def service(deployment: Deployment) -> Service:
    return Service.of(deployment, "ecs_ec2")


def test_page_shows_where_it_runs(service: Service) -> None:
    check_page(service, "EC2")


def test_tasks_take_turns_in_two_zones(service: Service) -> None:
    check_two_zones(service)


def test_all_instances_belong_to_the_capacity_provider(service: Service, deployment: Deployment) -> None:
    if deployment.is_local:
        pytest.skip("the local AWS records instances, but does not register them with the cluster")
    arns = service.ecs.list_container_instances(cluster=service.cluster)["containerInstanceArns"]
    instances = service.ecs.describe_container_instances(cluster=service.cluster, containerInstances=arns)
    providers = [instance.get("capacityProviderName") for instance in instances["containerInstances"]]
    assert len(providers) >= 2
    assert all(providers), "an instance that joined the cluster before its capacity provider may get no tasks"


def test_missing_image_is_rolled_back(service: Service) -> None:
    check_rollback(service)
