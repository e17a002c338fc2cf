"""Read and write text tables with a delimiter."""

from delimited.reader import parse_line, parse_rows
from delimited.table import Table
from delimited.writer import format_row

__all__ = ["Table", "format_row", "parse_line", "parse_rows"]
