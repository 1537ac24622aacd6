"""The tables in csv, json and md files: the prompt is made of them, and texts are checked against them."""

from contracts.tables.read import KINDS_READ, Tables, text_of
from contracts.tables.table import Cell, Column, Table, Unparsed

__all__ = ["KINDS_READ", "Cell", "Column", "Table", "Tables", "Unparsed", "text_of"]
