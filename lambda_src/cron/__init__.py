"""An uptime check: the Lambda function and what it is made of."""
