"""A custom domain name for the API: your own name, such as api.example.com, with a base path if you want one."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm


def add_domain(api: apigateway.RestApi, *, domain_name: str, certificate_arn: str, base_path: str | None) -> None:
    """Map a domain name to the stage of the API. With the base path `shop`, the URL ends with `/shop/`.

    The outputs are the URL, and the name to which a DNS record must point. The default address of the API still works.
    """
    stack = Stack.of(api)
    domain = apigateway.DomainName(
        stack,
        "Domain",
        domain_name=domain_name,
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", certificate_arn),
        endpoint_type=apigateway.EndpointType.REGIONAL,  # the API is regional, so its certificate is in the same region
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
    # The mapping names the stage, so the URL does not contain it.
    domain.add_base_path_mapping(api, base_path=base_path)
    path = "/" if base_path is None else f"/{base_path}/"
    CfnOutput(stack, "DomainUrl", value=f"https://{domain_name}{path}")
    CfnOutput(stack, "DomainTarget", value=domain.domain_name_alias_domain_name)
