"""The callers of version 2 of the API: people who sign in, and programs that sign their requests with a role."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Person:
    """A user of the pool, with the password of this run."""

    email: str
    password: str


@contextmanager
def person(cognito: Any, outputs: Mapping[str, str], email: str) -> Iterator[Person]:
    """Yield a new user with a random password. The user exists until the end of the `with` block."""
    user = {"UserPoolId": outputs["UserPoolId"], "Username": email}
    _create(cognito, user)
    try:
        yield _set_new_password(cognito, user)
    finally:
        cognito.admin_delete_user(**user)


def person_with_new_password(cognito: Any, outputs: Mapping[str, str], email: str) -> Person:
    """Return a user with a new random password. Create the user if the pool has none with this address."""
    user = {"UserPoolId": outputs["UserPoolId"], "Username": email}
    with suppress(cognito.exceptions.UsernameExistsException):
        _create(cognito, user)
    return _set_new_password(cognito, user)


def _create(cognito: Any, user: Mapping[str, str]) -> None:
    # An administrator creates the user. Cognito sends no invitation, and the address counts as verified.
    attributes = [{"Name": "email", "Value": user["Username"]}, {"Name": "email_verified", "Value": "true"}]
    cognito.admin_create_user(**user, UserAttributes=attributes, MessageAction="SUPPRESS")


def _set_new_password(cognito: Any, user: Mapping[str, str]) -> Person:
    password = f"Aa1-{secrets.token_urlsafe(18)}"
    cognito.admin_set_user_password(**user, Password=password, Permanent=True)
    return Person(user["Username"], password)


def sign_in(cognito: Any, outputs: Mapping[str, str], who: Person) -> Mapping[str, str]:
    """Return the tokens of a person: IdToken, AccessToken and RefreshToken. Raises ClientError if Cognito refuses.

    This is the sign-in of an administrator's script. It needs credentials of AWS, and the script sees the password.
    """
    answer = cognito.admin_initiate_auth(
        UserPoolId=outputs["UserPoolId"],
        ClientId=outputs["ScriptClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": who.email, "PASSWORD": who.password},
    )
    tokens: Mapping[str, str] = answer["AuthenticationResult"]
    return tokens


def bearer(token: str) -> dict[str, str]:
    """Return the header of a request with this token."""
    return {"Authorization": f"Bearer {token}"}


def role_credentials(sts: Any, role_arn: str) -> Credentials:
    """Return temporary credentials of a role."""
    found = sts.assume_role(RoleArn=role_arn, RoleSessionName="export")["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def signature(url: str, credentials: Credentials, region: str) -> dict[str, str]:
    """Return the headers that sign a GET request for this URL (AWS Signature Version 4)."""
    request = AWSRequest("GET", url)
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    return dict(request.headers.items())
