"""The user pool of version 2 of the API: who can sign in, and how. Also the role of programs that export the notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam

from stacks._nag import acknowledge

DEFAULT_CALLBACK_URLS = ("http://localhost:8000/",)
TOKEN_MINUTES = 15
"""Lifetime of an ID token. API Gateway accepts a token until it expires, even if the user was signed out or deleted."""
SESSION_DAYS = 1
"""A person signs in once a day. Until then, the refresh token gets new ID tokens."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The programs that people use to sign in."""

    app: cognito.UserPoolClient
    """A web page or a program on a person's device. It cannot keep a secret."""
    script: cognito.UserPoolClient
    """A script of an administrator, who has AWS credentials."""


def user_pool(stack: Stack, id_: str, *, retain_data: bool, self_sign_up: bool) -> cognito.UserPool:
    """Return a user pool. People sign in with their e-mail address and a password. A second factor is optional.

    With `retain_data`, the pool is protected from deletion, and remains when its stack is deleted.
    """
    users = cognito.UserPool(
        stack,
        id_,
        feature_plan=cognito.FeaturePlan.LITE,  # docs/decisions.md compares the plans and their prices
        self_sign_up_enabled=self_sign_up,
        sign_in_aliases=cognito.SignInAliases(email=True),
        sign_in_case_sensitive=False,
        standard_attributes=cognito.StandardAttributes(email=cognito.StandardAttribute(required=True, mutable=True)),
        # A new address becomes the user's address only after the user has proved that it is theirs.
        keep_original=cognito.KeepOriginalAttrs(email=True),
        account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
        mfa=cognito.Mfa.OPTIONAL,
        mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),  # an SMS costs money, and can be intercepted
        password_policy=cognito.PasswordPolicy(
            min_length=12,
            require_digits=True,
            require_lowercase=True,
            require_uppercase=True,
            require_symbols=True,
            temp_password_validity=Duration.days(1),
        ),
        deletion_protection=retain_data,
        removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
    )
    acknowledge(users, "AwsSolutions-COG2", "Each person decides whether to use a second factor. docs/api.md says how.")
    acknowledge(users, "AwsSolutions-COG8", "Threat protection needs the plan Plus, at $0.02 for each user and month.")
    return users


def add_clients(users: cognito.UserPool, callback_urls: Sequence[str]) -> Clients:
    """Return the app clients of the pool."""
    tokens: dict[str, Any] = {
        "access_token_validity": Duration.minutes(TOKEN_MINUTES),
        "id_token_validity": Duration.minutes(TOKEN_MINUTES),
        "refresh_token_validity": Duration.days(SESSION_DAYS),
        "prevent_user_existence_errors": True,  # the same answer for an unknown user and for a wrong password
        "enable_token_revocation": True,
    }
    app = users.add_client(
        "App",
        auth_flows=cognito.AuthFlow(user_srp=True),  # the password never leaves the device
        # The code flow, which a public client must use with PKCE. The implicit flow would put tokens into the URL.
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
            callback_urls=list(callback_urls),
            logout_urls=list(callback_urls),
        ),
        supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
        **tokens,
    )
    # The AWS CLI cannot compute the proof of SRP. This flow sends the password to Cognito, and needs credentials of AWS
    # with the permission cognito-idp:AdminInitiateAuth. So strangers cannot use it.
    script = users.add_client(
        "Script", auth_flows=cognito.AuthFlow(admin_user_password=True), disable_o_auth=True, **tokens
    )
    return Clients(app, script)


def add_sign_in_page(users: cognito.UserPool) -> cognito.UserPoolDomain:
    """Return the domain of Cognito's own sign-in page. The page belongs to the plan Lite, and costs nothing."""
    prefix = f"{Stack.of(users).stack_name}-{Aws.ACCOUNT_ID}"  # no other domain in the region may have this name
    return users.add_domain("SignInPage", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=prefix))


def export_role(stack: Stack, id_: str, api: apigateway.RestApi) -> iam.Role:
    """Return a role that may call the export, and nothing else. Principals of this account can assume the role.

    A principal also needs the permission sts:AssumeRole for this role.
    """
    role = iam.Role(stack, id_, assumed_by=iam.AccountRootPrincipal())
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["execute-api:Invoke"], resources=[api.arn_for_execute_api("GET", "/v2/export", "live")]
        )
    )
    return role
