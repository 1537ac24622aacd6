"""What a job does with a model server: the agent workload."""
