"""The clients of this project that take part, each a program of its own.

``python -m benchmarks.fidelity.clients.NAME --url … --concurrency … --requests … --out FILE``
"""
