"""The tables in csv, json and md files: the prompt is made of them, and texts are checked against them."""

from contracts.tables.read import KINDS_READ, tables_of, text_of
from contracts.tables.table import Cell, Column, Table, Unparsed

__all__ = ["KINDS_READ", "Cell", "Column", "Table", "Unparsed", "tables_of", "text_of"]
