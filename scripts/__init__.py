"""Programs for users: checks before a deployment, the submission of a Batch job, and copies of one example."""
