"""The last steps of both web examples. They are the same for a service on Fargate and a service on EC2 instances."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from stacks._alarms import alarm_topic, notify
from stacks._web_alarms import add_web_alarms
from stacks._web_balancer import forward_requests, service_url
from stacks._web_service import scale_tasks


def expose_service(
    balancer: elbv2.ApplicationLoadBalancer,
    service: ecs.BaseService,
    *,
    stem: str,
    certificate_arn: str | None,
    alarm_email: str | None,
) -> None:
    """Forward the load balancer's requests to the service, scale its tasks with the load, and add alarms and outputs.

    The outputs are the URL, and the names of the cluster and the service. `stem` is the short name of the example.
    """
    stack = Stack.of(service)
    target_group = forward_requests(balancer, service, certificate_arn)
    scale_tasks(service, target_group)
    alarms = add_web_alarms(balancer, target_group, service, stem=stem)
    notify(alarms, alarm_topic(stack, alarm_email))
    CfnOutput(stack, "ServiceUrl", value=service_url(balancer, certificate_arn))
    CfnOutput(stack, "ClusterName", value=service.cluster.cluster_name)
    CfnOutput(stack, "ServiceName", value=service.service_name)
