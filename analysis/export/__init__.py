"""Stage records as files for other programs: JSON lines, CSV and Parquet. Each reads back as the same records."""

from __future__ import annotations

from analysis.export.csv_file import csv_text
from analysis.export.parquet_file import parquet_bytes, read_parquet
from analysis.export.plain_text import Changed, storable

__all__ = ["Changed", "csv_text", "parquet_bytes", "read_parquet", "storable"]
