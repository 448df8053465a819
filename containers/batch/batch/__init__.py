"""Thumbnails of every picture in a bucket: the program of an AWS Batch array job."""
