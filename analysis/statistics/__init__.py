"""Estimates from samples. numpy does the arithmetic; a missing value is never a zero."""
