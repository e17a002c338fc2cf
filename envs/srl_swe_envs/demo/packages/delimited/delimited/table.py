"""A table with named columns."""

from delimited.reader import parse_rows
from delimited.writer import format_row


class Table:
    """Rows of text under a header."""

    def __init__(self, header: list[str], rows: list[list[str]]) -> None:
        if len(set(header)) != len(header):
            raise ValueError("header names a column twice")
        self.header = header
        self.rows = rows

    @classmethod
    def parse(cls, text: str) -> "Table":
        """Read a text whose first row is the header."""
        rows = parse_rows(text)
        if not rows:
            raise ValueError("no header")
        return cls(rows[0], rows[1:])

    def column(self, name: str) -> list[str]:
        """All fields of a column."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]

    def where(self, name: str, value: str) -> "Table":
        """The rows whose field has the given value."""
        position = self.header.index(name)
        return Table(self.header, [row for row in self.rows if row[position] == value])

    def sort(self, name: str, *, numeric: bool = False, reverse: bool = False) -> "Table":
        """Rows ordered by a column, as text or as numbers."""
        position = self.header.index(name)
        if numeric:
            rows = sorted(self.rows, key=lambda row: float(row[position]), reverse=reverse)
        else:
            rows = sorted(self.rows, key=lambda row: row[position], reverse=reverse)
        return Table(self.header, rows)

    def total(self, name: str) -> float:
        """Sum of a column; empty fields count as zero."""
        return sum(float(field) for field in self.column(name) if field)

    def format(self) -> str:
        """The table as text, one line a row."""
        return "\n".join(format_row(row) for row in [self.header, *self.rows])
