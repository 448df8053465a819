"""What cdk-nag may overlook, and why."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding on this construct alone. `reason` is what a reviewer is told."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
