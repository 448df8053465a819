"""Version 2 of the notes API, on the page of the API example: demo people sign in, and each has their own notes.

The console keeps the tokens in its memory, and never sends them to the browser. So all pages show the same person.
"""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from botocore.exceptions import ClientError

from console.account import ERRORS, Account
from console.examples import Example
from console.notes_api import NotesApi, body_document, note_document, summary
from console.page import Action, ActionError, Form
from local.api import REGION
from local.api_callers import bearer, person_with_new_password, role_credentials, sign_in, signature

NAMES = ("Anna", "Ben")
"""The demo people. Their addresses differ from those in the lesson, whose commands delete their users."""
NOTES = 50
"""The newest notes that the page shows. In a real account, the page counts the owners of this number of notes."""
EXPORTED = 3
"""The number of exported notes that the page shows."""
INDEX = "newest"


@dataclass(frozen=True)
class Session:
    """A person who signed in."""

    name: str
    outputs: Mapping[str, str]
    """The outputs of the stack in which the person signed in. After a new deployment, its user pool may not exist."""
    tokens: Mapping[str, str] = field(repr=False)

    @property
    def claims(self) -> Mapping[str, Any]:
        """The content of the ID token."""
        payload = self.tokens["IdToken"].split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "==")))

    @property
    def owner(self) -> str:
        """The id of the person. It is the first part of the keys of the person's notes."""
        return str(self.claims["sub"])

    @property
    def expires(self) -> datetime:
        """The time after which API Gateway refuses the ID token."""
        return datetime.fromtimestamp(self.claims["exp"], UTC)


class OwnNotes:
    """What the page of the API example needs for version 2."""

    def __init__(self, account: Account) -> None:
        """`account` has the deployed stack."""
        self._account = account
        self._session: Session | None = None

    # -- what the page shows

    def session(self, example: Example) -> Session | None:
        """Return the person who signed in to the user pool of this stack, even if the token has expired."""
        found = self._session
        pool = example.outputs["UserPoolId"]
        return found if found is not None and found.outputs["UserPoolId"] == pool else None

    def notes(self, example: Example) -> tuple[list[Any], bool]:
        """Return the notes of the person, newest first, and whether there are more."""
        session = self.session(example)
        return self._notes_of(example, session.owner) if session else ([], False)

    def owners(self, example: Example) -> tuple[Counter[str], bool]:
        """Return the number of notes of each owner, without what the notes say, and whether there are more notes."""
        found = self._account.client("dynamodb").scan(
            TableName=example.outputs["OwnNotesTableName"],
            IndexName=INDEX,
            ProjectionExpression="#owner",
            ExpressionAttributeNames={"#owner": "owner"},
            Limit=NOTES,
        )
        return Counter(item["owner"]["S"] for item in found["Items"]), "LastEvaluatedKey" in found

    def read(self, example: Example, note_id: str) -> requests.Response:
        """Return the answer of the API to the person who asks for a note."""
        return self._api(example).answer("GET", _path(note_id), self._headers(example))

    def _notes_of(self, example: Example, owner: str) -> tuple[list[Any], bool]:
        # The page reads the table. If it called the API all the time, it would use up the rate of the method.
        found = self._account.client("dynamodb").query(
            TableName=example.outputs["OwnNotesTableName"],
            IndexName=INDEX,
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
            ScanIndexForward=False,
            Limit=NOTES,
        )
        return found["Items"], "LastEvaluatedKey" in found

    # -- actions

    def actions(self) -> Mapping[str, Action]:
        """Return the actions of the buttons, by the last part of the URL."""
        return {
            "sign-in": Action(self._sign_in),
            "sign-out": Action(self._sign_out),
            "own-create": Action(self._create),
            "own-change": Action(self._change),
            "own-delete": Action(self._delete),
            "other-note": Action(self._read_note_of_other_person),
            "no-token": Action(self._list_without_token),
            "export": Action(self._export),
            "export-unsigned": Action(self._export_unsigned),
        }

    def _sign_in(self, example: Example, form: Form) -> str:
        name = form.get("name", "")
        if name not in NAMES:
            raise ActionError(f"Only {' and '.join(NAMES)} can sign in here.")
        old, self._session = self.session(example), self._new_session(example, name)
        text = f"Cognito has checked the password of {name}, and has sent an ID token. The console sends it to the API."
        return f"{text} {self._revoke(old)}" if old else text

    def _sign_out(self, example: Example, _form: Form) -> str:
        session, self._session = self.session(example), None
        if session is None:
            return "Nobody is signed in."
        return f"{session.name} is signed out, and the console has no token now. {self._revoke(session)}"

    def _create(self, example: Example, form: Form) -> str:
        document = note_document(form.get("title", ""), form.get("body", ""), form.get("tags", ""))
        answer = self._api(example).call("POST", "v2/notes", self._headers(example), document)
        return f"The API answers 201 Created. The note has the id {answer.json()['id']}."

    def _change(self, example: Example, form: Form) -> str:
        headers = {
            **self._headers(example),
            "Content-Type": "application/merge-patch+json",
            "If-Match": form.get("etag", ""),
        }
        title, body = json.dumps(form.get("title", "")), form.get("body", "")
        patch = f'{{"title": {title}, "body": {body_document(body)}}}' if body else f'{{"title": {title}}}'
        answer = self._api(example).call("PATCH", _path(form.get("id", "")), headers, patch)
        return f"The API answers 200 OK. The note now has the version {answer.json()['version']}."

    def _delete(self, example: Example, form: Form) -> str:
        self._api(example).call("DELETE", _path(form.get("id", "")), self._headers(example))
        return "The API answers 204 No Content. The note is deleted."

    def _read_note_of_other_person(self, example: Example, _form: Form) -> str:
        session = self.session(example)
        if session is None:
            raise ActionError("Nobody is signed in. Sign in first.")
        (other,) = (name for name in NAMES if name != session.name)
        note_id = self._note_of(example, other)
        answer = self._api(example).answer("GET", _path(note_id), bearer(session.tokens["IdToken"]))
        return f"{other} has the note {note_id}. {session.name} asks for it. {_expected(answer, 404)}"

    def _list_without_token(self, example: Example, _form: Form) -> str:
        answer = self._api(example).answer("GET", "v2/notes", {})
        return f"Without a token: {_expected(answer, 401)}"

    def _export(self, example: Example, _form: Form) -> str:
        api = self._api(example)
        role = role_credentials(self._account.client("sts"), example.outputs["ExportRoleArn"])
        answer = api.call("GET", "v2/export", signature(api.url("v2/export"), role, REGION))
        notes = [json.loads(line) for line in answer.iter_lines()]
        owners = {note["owner"] for note in notes}
        text = f"The API answers 200 OK. Notes on this page of the export: {len(notes)}. Their owners: {len(owners)}."
        shown = "; ".join(f'"{note["title"]}" of the owner {note["owner"]}' for note in notes[:EXPORTED])
        return f"{text} The first notes: {shown}." if shown else text

    def _export_unsigned(self, example: Example, _form: Form) -> str:
        answer = self._api(example).answer("GET", "v2/export", {})
        return f"Without a signature: {_expected(answer, 404)}"

    # -- helpers

    def _new_session(self, example: Example, name: str) -> Session:
        cognito = self._account.client("cognito-idp")
        try:
            who = person_with_new_password(cognito, example.outputs, f"{name.lower()}-of-the-console@example.com")
            return Session(name, example.outputs, sign_in(cognito, example.outputs, who))
        except ClientError as error:
            if error.response["Error"]["Code"] == "TooManyRequestsException":
                raise ActionError(
                    "Cognito answers TooManyRequestsException: all users of the account together sign in too often. "
                    "Wait for a minute, and sign in again."
                ) from error
            raise

    def _revoke(self, session: Session) -> str:
        """Let Cognito revoke the refresh token of a session, so that nobody can use it again. Return a sentence.

        The console has already forgotten the token. So it is no error if Cognito refuses, and the sentence says why.
        """
        try:
            self._account.client("cognito-idp").revoke_token(
                Token=session.tokens["RefreshToken"], ClientId=session.outputs["ScriptClientId"]
            )
        except ERRORS as error:
            reason = self._account.explanation(error)
            return f"The refresh token of {session.name} stays valid, because Cognito has not revoked it: {reason}"
        return f"Cognito has revoked the refresh token of {session.name}."

    def _note_of(self, example: Example, name: str) -> str:
        """Return the id of the newest note of a person. A person without a note first writes one."""
        session = self._new_session(example, name)
        try:
            notes, _ = self._notes_of(example, session.owner)
            if notes:
                return str(notes[0]["id"]["S"])
            document = note_document(f"A note of {name}", "")
            answer = self._api(example).call("POST", "v2/notes", bearer(session.tokens["IdToken"]), document)
            return str(answer.json()["id"])
        finally:
            self._revoke(session)

    def _api(self, example: Example) -> NotesApi:
        return NotesApi(self._account, example)

    def _headers(self, example: Example) -> Mapping[str, str]:
        """Return the header with the ID token. Without a person, the API answers 401."""
        session = self.session(example)
        return bearer(session.tokens["IdToken"]) if session else {}


def _path(note_id: str) -> str:
    return f"v2/notes/{note_id}"


def _expected(answer: requests.Response, status: int) -> str:
    text = f"The API answers {summary(answer)}"
    if answer.status_code != status:
        raise ActionError(f"{text} The console expected {status}.")
    return text
