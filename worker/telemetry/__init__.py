"""Who measured: host, boot and GPUs."""
