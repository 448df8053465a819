"""`make doctor`: asks the AWS account for everything that would make a deployment fail or hang. It changes nothing."""
