"""A small web service. Its page shows the ECS task or the machine that runs it."""
