"""Parse fields, with quotes."""


def parse_line(line: str, delimiter: str = ",", quote: str = '"') -> list[str]:
    """Fields of one line; a doubled quote inside a quoted field stands for one.

    Raises ValueError when a quote is not closed or text follows a closed one.
    """
    fields: list[str] = []
    current = ""
    at = 0
    while at < len(line):
        char = line[at]
        if char == quote and not current:
            end = close_quote(line, at + 1, quote)
            current = line[at + 1 : end].replace(quote * 2, quote)
            at = end + 1
            if at < len(line) and line[at] != delimiter:
                raise ValueError(f"text after a quote at {at}")
            continue
        if char == delimiter:
            fields.append(current)
            current = ""
        else:
            current += char
        at += 1
    fields.append(current)
    return fields


def close_quote(line: str, at: int, quote: str) -> int:
    """Offset of the quote that closes a field which starts at ``at``."""
    while at < len(line):
        if line[at] == quote:
            if at + 1 < len(line) and line[at + 1] == quote:
                at += 2
                continue
            return at
        at += 1
    raise ValueError("quote is not closed")


def parse_rows(text: str, delimiter: str = ",", comment: str = "#") -> list[list[str]]:
    """Rows of a text; blank lines and comments are left out, and all rows have one length."""
    rows: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(comment):
            continue
        row = parse_line(line, delimiter)
        if rows and len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} fields instead of {len(rows[0])}")
        rows.append(row)
    return rows
