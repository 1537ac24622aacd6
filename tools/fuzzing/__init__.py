"""The parts of ``tools/fuzz.py``: what is mutated, how, through what, and what must hold for every result."""
