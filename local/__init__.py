"""An AWS on this machine: the unmodified CDK CLI deploys the same cloud assembly into it that AWS would get."""
