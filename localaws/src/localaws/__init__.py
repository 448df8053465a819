"""An AWS on this machine for CDK projects: the engine ministack, with patches, and containers for its tasks."""

from localaws.aws import PORT, Engine, LocalAws, LocalError
from localaws.settings import BaseImage, Settings, StandIn

__all__ = ["PORT", "BaseImage", "Engine", "LocalAws", "LocalError", "Settings", "StandIn"]
