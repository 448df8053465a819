"""Sentences about errors of boto3: the problem, and the command or setting that may help."""

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, WaiterError  # noqa: A004

EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
"""Error codes for credentials that were valid before."""
INVALID = (
    *("AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "OptInRequired"),
    *("MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException"),
)
"""Error codes for wrong credentials. AWS also gives them in a region that the account has not enabled.
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html"""


def problem_and_remedy(error: BotoCoreError | ClientError) -> tuple[str, str]:
    """Return a description of an error, and what to try. The second text is empty if there is no advice."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if isinstance(error, ConnectionError | HTTPClientError):
        return f"cannot reach AWS ({error})", "check the network and the name of the region"
    if code in EXPIRED:
        return f"AWS does not accept the credentials ({error})", "aws configure"
    if code in INVALID:
        return f"AWS does not accept the credentials ({error})", "aws configure, or enable the region in the account"
    if isinstance(error, ClientError | WaiterError):
        return f"AWS refused a request ({error})", ""
    return f"cannot use an AWS account ({error})", "aws configure"


def explain(error: BotoCoreError | ClientError) -> str:
    """Return a description of an error and what to try, in one line."""
    problem, remedy = problem_and_remedy(error)
    return f"{problem}. Try: {remedy}" if remedy else problem
