"""The patches of Cognito user pools."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cognito

from localaws.patches.cloudformation import check_before_deletion

FREE_ATTEMPTS = 5
"""After this number of wrong passwords, the first lock begins."""
LONGEST_LOCK_SECONDS = 15 * 60
"""The maximum duration of a lock. After this time without an attempt, wrong passwords are forgotten."""
Call = Callable[[dict[str, Any]], Any]


def refuse_to_delete_protected_pools() -> None:
    """Make CloudFormation refuse to delete a user pool with deletion protection.

    Stock engine: CloudFormation deletes the user pool with all users.
    AWS: the deletion fails, until somebody turns the protection off.
    https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-deletion-protection.html
    Upstream issue: none known.
    """
    check_before_deletion("AWS::Cognito::UserPool", _reason_to_refuse)


def _reason_to_refuse(pool_id: str) -> str | None:
    if (cognito._user_pools.get(pool_id) or {}).get("DeletionProtection") == "ACTIVE":
        return "The user pool cannot be deleted because deletion protection is activated."
    return None


def lock_after_wrong_passwords() -> None:
    """Lock a user after five wrong passwords: first for one second, and twice as long after each further one.

    Stock engine: accepts any number of attempts.
    AWS: locks the user for up to 15 minutes. An attempt during the lock does not count. After 15 minutes without an
    attempt, the number of wrong passwords is zero again. If the app client has the setting
    PreventUserExistenceErrors=ENABLED, an unknown user gets the same answers, so nobody can find out which users exist.
    https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow-things-to-know.html
    Upstream issue: none known.
    """
    attempts: dict[tuple[str, str], _Attempts] = {}
    for name in ("_admin_initiate_auth", "_initiate_auth", "_respond_to_auth_challenge"):
        setattr(cognito, name, _with_lock(getattr(cognito, name), attempts))


def limit_sign_ins(per_second: int) -> None:
    """Answer at most this number of sign-in requests in a second, for all user pools together.

    Call this function after `lock_after_wrong_passwords`, because a refused request is no attempt of a user.

    Stock engine: answers any number of requests.
    AWS: answers further requests of an account with TooManyRequestsException. The default quota of the category
    UserAuthentication is 120 requests a second.
    https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
    Upstream issue: none known.
    """
    answered: deque[float] = deque(maxlen=per_second)
    for name in (
        "_admin_initiate_auth",
        "_admin_respond_to_auth_challenge",
        "_initiate_auth",
        "_respond_to_auth_challenge",
    ):
        setattr(cognito, name, _with_limit(getattr(cognito, name), answered))


def _with_limit(stock_call: Call, answered: deque[float]) -> Call:
    def call(data: dict[str, Any]) -> Any:
        now = time.monotonic()
        if len(answered) == answered.maxlen and now - answered[0] < 1:
            return error_response_json("TooManyRequestsException", "Rate exceeded", 400)
        answered.append(now)
        return stock_call(data)

    return call


def refuse_sign_up() -> None:
    """Refuse the sign-up of a user if only administrators create the users of the pool.

    Stock engine: stores the setting AllowAdminCreateUserOnly, and creates the user.
    AWS: refuses the sign-up.
    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUserConfigType.html
    Upstream issue: none known.
    """
    stock_sign_up = cognito._sign_up

    def sign_up(data: dict[str, Any]) -> Any:
        pools = [pool for pool in cognito._user_pools.values() if data.get("ClientId") in pool["_clients"]]
        if any((pool.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly") for pool in pools):
            message = "SignUp is not permitted for this user pool"
            return error_response_json("NotAuthorizedException", message, 400)
        return stock_sign_up(data)

    cognito._sign_up = sign_up


@dataclass
class _Attempts:
    """The wrong passwords of one user since the last sign-in."""

    count: int = 0
    locked_until: float = 0.0
    last: float = 0.0  # the time of the last attempt, also during a lock


def _with_lock(stock_call: Call, attempts: dict[tuple[str, str], _Attempts]) -> Call:
    def call(data: dict[str, Any]) -> Any:
        parameters = data.get("AuthParameters") or data.get("ChallengeResponses") or {}
        user = str(data.get("ClientId")), str(parameters.get("USERNAME")).lower()
        earlier, now = attempts.get(user) or _Attempts(), time.monotonic()
        if now - earlier.last >= LONGEST_LOCK_SECONDS:
            earlier = _Attempts()
        earlier.last = now
        if now < earlier.locked_until:
            return error_response_json("NotAuthorizedException", "Password attempts exceeded", 400)
        status, headers, body = stock_call(data)
        document = json.loads(body)
        if document.get("AuthenticationResult"):
            attempts.pop(user, None)
        elif "Incorrect username or password" in str(document.get("message")):
            count = earlier.count + 1
            seconds = min(2 ** (count - FREE_ATTEMPTS), LONGEST_LOCK_SECONDS) if count >= FREE_ATTEMPTS else 0
            attempts[user] = _Attempts(count, time.monotonic() + seconds, now)
        return status, headers, body

    return call
