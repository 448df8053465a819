"""Thumbnails of uploaded pictures: the Lambda function and what it is made of."""
