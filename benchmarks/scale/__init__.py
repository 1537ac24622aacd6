"""What Chimera costs beside the measurements, by the number of jobs, with a plain Celery chord of the same jobs beside it."""
