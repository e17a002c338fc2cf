"""Write fields, with quotes where they are needed."""


def format_field(value: object, delimiter: str = ",", quote: str = '"') -> str:
    """Text of one field; None becomes the empty field."""
    text = "" if value is None else str(value)
    if delimiter in text or quote in text or text != text.strip():
        return quote + text.replace(quote, quote * 2) + quote
    return text


def format_row(values: list, delimiter: str = ",") -> str:
    """One line without its end."""
    return delimiter.join(format_field(value, delimiter) for value in values)


def align(rows: list[list[str]], gap: int = 2) -> list[str]:
    """Lines with columns of equal width; trailing blanks are cut."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    blank = " " * gap
    return [
        blank.join(field.ljust(width) for field, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
