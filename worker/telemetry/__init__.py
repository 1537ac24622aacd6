"""Who measured (host, boot, GPUs), and what host and GPUs did meanwhile."""
