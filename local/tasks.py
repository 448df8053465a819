"""Replace the tasks of ECS services, without a failed request."""

from functools import partial
from typing import Any

from local.waiting import wait_for
from localaws.aws import LocalError

PATIENCE_SECONDS = 60


def replace_tasks(ecs: Any) -> list[str]:
    """Replace all tasks of all services, and return the names of the services.

    The load balancer sends requests to an old task until a new one is healthy. Raises LocalError if new tasks fail.
    """
    services = [(cluster, service) for cluster in _clusters(ecs) for service in _services(ecs, cluster)]
    for cluster, service in services:
        ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
    for cluster, service in services:
        if not wait_for(partial(_is_steady, ecs, cluster, service), seconds=PATIENCE_SECONDS):
            raise LocalError(f"the new tasks of {service.rsplit('/', 1)[-1]} are not healthy")
    return [service.rsplit("/", 1)[-1] for _, service in services]


def _clusters(ecs: Any) -> list[str]:
    return list(ecs.list_clusters()["clusterArns"])


def _services(ecs: Any, cluster: str) -> list[str]:
    return list(ecs.list_services(cluster=cluster)["serviceArns"])


def _is_steady(ecs: Any, cluster: str, service: str) -> bool:
    (record,) = ecs.describe_services(cluster=cluster, services=[service])["services"]
    return [deployment["rolloutState"] for deployment in record["deployments"]] == ["COMPLETED"]
