"""The Python API: sweeps made in Python, run as ``chimera run`` does, and their results (docs/python_api.md)."""
