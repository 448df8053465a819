"""The program of an AWS Batch array job: makes a thumbnail of every picture in a bucket."""
