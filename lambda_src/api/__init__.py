"""A versioned REST API for notes: API Gateway calls this function, and DynamoDB stores the notes."""
