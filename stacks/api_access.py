"""Who may call a method of the API: clients with a key, people who signed in, or programs with a role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_


@dataclass(frozen=True, slots=True)
class Access:
    """How API Gateway checks a caller, and the function that answers the allowed requests."""

    function: lambda_.Function
    method_options: Mapping[str, Any]
    """Parameters of CDK's add_method."""
    acknowledged: Mapping[str, str] = field(default_factory=dict)
    """Findings of cdk-nag for each method, and the reasons to accept them."""


def access_with_key(function: lambda_.Function) -> Access:
    """Return the access of clients with an API key."""
    reason = "An API key only identifies a client for its limits. People sign in to version 2 of the API."
    acknowledged = {"AwsSolutions-APIG4": reason, "AwsSolutions-COG4": reason}
    return Access(function, {"api_key_required": True}, acknowledged)


def access_of_people(function: lambda_.Function, users: cognito.UserPool) -> Access:
    """Return the access of people who signed in to the user pool. They send their ID token."""
    # A method without authorization scopes accepts only ID tokens, which say who the person is.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-enable-cognito-user-pool.html
    authorizer = apigateway.CognitoUserPoolsAuthorizer(
        Stack.of(function),
        "SignedIn",
        cognito_user_pools=[users],
        results_cache_ttl=Duration.seconds(0),  # a cached result could outlive the token
    )
    cognito_type = apigateway.AuthorizationType.COGNITO
    return Access(function, {"authorizer": authorizer, "authorization_type": cognito_type})


def access_of_programs(function: lambda_.Function) -> Access:
    """Return the access of programs that sign their requests with the keys of a role (Signature Version 4)."""
    reason = "Programs sign their requests, and IAM decides. A user pool is for people."
    return Access(function, {"authorization_type": apigateway.AuthorizationType.IAM}, {"AwsSolutions-COG4": reason})
