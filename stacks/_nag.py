"""Acknowledgements of cdk-nag's findings."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge a finding on this construct alone. The `reason` is for reviewers."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
