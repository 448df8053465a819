"""Acknowledge findings of cdk-nag, a program that finds risks in templates."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the finding of one rule, on this construct only. The `reason` is for reviewers."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
