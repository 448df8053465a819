"""`make local`: deploys every example into the local AWS and shows it at work."""
