"""Makespan of simulated sweeps over the ideal one, with the functions that schedule real sweeps."""
