"""A versioned REST API for notes: API Gateway in front, DynamoDB behind."""
