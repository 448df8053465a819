"""The load balancer of the web examples, and the target group that connects it to the tasks."""

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks._nag import acknowledge
from stacks._stores import set_policy_removal
from stacks._web_service import CONTAINER, PORT

READY_PATH = "/readyz"


def load_balancer(stack: Stack, vpc: ec2.IVpc, *, retain_data: bool) -> elbv2.ApplicationLoadBalancer:
    """Return a public load balancer. It can send no traffic until forward_requests() adds its targets."""
    security_group = ec2.SecurityGroup(
        stack, "LoadBalancerGroup", vpc=vpc, allow_all_outbound=False, description="The load balancer"
    )
    acknowledge(security_group, "AwsSolutions-EC23", "This is a public web site, so everybody may connect to it.")
    balancer = elbv2.ApplicationLoadBalancer(
        stack,
        "LoadBalancer",
        vpc=vpc,
        internet_facing=True,
        security_group=security_group,
        drop_invalid_header_fields=True,
        # If a first deployment fails, CloudFormation must be able to delete the load balancer, because AWS bills it.
        # The load balancer holds no data. In production, the termination protection of its stack also protects it.
        deletion_protection=False,
    )
    if retain_data:
        _log_access(stack, balancer)
    else:
        acknowledge(
            balancer,
            "AwsSolutions-ELB2",
            "The sandbox has no access log. A log file may arrive minutes after its bucket is emptied. CloudFormation "
            "could then not delete the bucket. The tasks log each request.",
        )
    return balancer


def forward_requests(
    balancer: elbv2.ApplicationLoadBalancer, service: ecs.BaseService, certificate_arn: str | None
) -> elbv2.ApplicationTargetGroup:
    """Forward the load balancer's requests to the tasks of the service. Return the target group of these tasks."""
    target_group = _target_group(service)
    _add_listeners(balancer, target_group, certificate_arn)
    return target_group


def service_url(balancer: elbv2.ApplicationLoadBalancer, certificate_arn: str | None) -> str:
    """Return the URL of the service. Browsers warn about a certificate that has another name than this URL."""
    return f"{'https' if certificate_arn else 'http'}://{balancer.load_balancer_dns_name}/"


def _target_group(service: ecs.BaseService) -> elbv2.ApplicationTargetGroup:
    # The load balancer sends requests to all tasks in turn. When a listener forwards to this target group, CDK also
    # opens the security groups of the load balancer and the tasks for these requests.
    return elbv2.ApplicationTargetGroup(
        Stack.of(service),
        "Targets",
        vpc=service.cluster.vpc,
        port=PORT,
        protocol=elbv2.ApplicationProtocol.HTTP,
        targets=[service.load_balancer_target(container_name=CONTAINER, container_port=PORT)],
        # No request takes longer than 30 seconds. A task that stops waits for this delay. The default is 300 seconds.
        deregistration_delay=Duration.seconds(30),
        health_check=elbv2.HealthCheck(
            path=READY_PATH,
            port="traffic-port",  # ECS chooses the port of a bridged task when the task starts
            healthy_http_codes="200",
            # When AWS stops a Spot task, the load balancer may send requests to it until two checks have failed. Two
            # checks take ten seconds. Under steady traffic, the server still answers for 15 seconds, so no request
            # fails.
            interval=Duration.seconds(5),
            timeout=Duration.seconds(4),
            healthy_threshold_count=2,
            unhealthy_threshold_count=2,
        ),
    )


def _add_listeners(
    balancer: elbv2.ApplicationLoadBalancer, target_group: elbv2.ApplicationTargetGroup, certificate_arn: str | None
) -> None:
    # Without a certificate, the load balancer forwards HTTP requests. With a certificate, it forwards HTTPS requests
    # and redirects HTTP requests to HTTPS. Port 80 has the same listener in both cases, so that a deployed stack can
    # get a certificate later. With another listener in each case, CloudFormation would create the second listener
    # before it deletes the first. This would fail, because a port can have only one listener (aws-cdk #34235).
    forward = elbv2.ListenerAction.forward([target_group])
    redirect = elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True)
    http = balancer.add_listener(
        "Http",
        port=80,
        protocol=elbv2.ApplicationProtocol.HTTP,
        default_action=redirect if certificate_arn else forward,
    )
    if certificate_arn is None:
        return
    https = balancer.add_listener(
        "Https",
        port=443,
        protocol=elbv2.ApplicationProtocol.HTTPS,
        certificates=[elbv2.ListenerCertificate.from_arn(certificate_arn)],
        ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS,
        default_action=forward,
    )
    http.node.add_dependency(https)  # the redirect must not start before port 443 listens


def _log_access(stack: Stack, balancer: elbv2.ApplicationLoadBalancer) -> None:
    bucket = s3.Bucket(
        stack,
        "AccessLogs",
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,  # load balancers do not support a customer key
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],  # the time for which production keeps logs
        # The load balancer writes a test file as soon as its log is on, so CloudFormation could not delete the bucket
        # after a failed first deployment. With RETAIN, CloudFormation does not try. `make recover` deletes the bucket.
        removal_policy=RemovalPolicy.RETAIN,
    )
    set_policy_removal(bucket, RemovalPolicy.RETAIN)
    acknowledge(
        bucket, "AwsSolutions-S1", "This bucket contains access logs itself. CloudTrail can record who reads them."
    )
    # CDK's log_access_logs() works only if the region is known, because it grants the permission to ELB's account in
    # that region. AWS recommends this service principal instead. It is the same in all regions, and the only
    # possible principal in the regions that AWS opened since August 2022.
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["s3:PutObject"],
            principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
            resources=[bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")],
        )
    )
    balancer.set_attribute("access_logs.s3.enabled", "true")
    balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
    # The load balancer tries to write as soon as these attributes are set, so the bucket's policy must exist before.
    balancer.node.add_dependency(bucket.node.find_child("Policy"))
