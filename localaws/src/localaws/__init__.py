"""A local AWS for CDK projects: a program that imitates AWS on this machine. It runs ministack with patches."""

from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.settings import BaseImage, Settings, StandIn

__all__ = ["PORT", "BaseImage", "Engine", "LocalAws", "LocalError", "Settings", "StandIn"]
