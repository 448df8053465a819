"""The ecr function copies the web image into the example's own repository when the stack is deployed."""
