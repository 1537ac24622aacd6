"""What producer and worker must agree on: models, formulas, names, keys. Imports neither side."""
