"""The program that runs in each child of the AWS Batch array job. It makes a thumbnail of every picture in a bucket."""
