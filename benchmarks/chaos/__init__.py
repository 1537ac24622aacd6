"""A sweep under a seeded mix of faults, again and again: is anything lost, doubled, or measured beside something else?"""
