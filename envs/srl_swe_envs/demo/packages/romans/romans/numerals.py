"""Roman numerals from 1 to 3999."""

SYMBOLS = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)
VALUES = {symbol: value for value, symbol in SYMBOLS if len(symbol) == 1}


def to_roman(number: int) -> str:
    """The numeral of a number from 1 to 3999."""
    if not 1 <= number <= 3999:
        raise ValueError("number must be in 1..3999")
    result = ""
    for value, symbol in SYMBOLS:
        count, number = divmod(number, value)
        result += symbol * count
    return result


def from_roman(numeral: str) -> int:
    """The number of a well-formed numeral; lower case is accepted."""
    letters = numeral.strip().upper()
    if not letters:
        raise ValueError("numeral is empty")
    total = 0
    for position, letter in enumerate(letters):
        if letter not in VALUES:
            raise ValueError(f"no such letter: {letter}")
        value = VALUES[letter]
        following = VALUES.get(letters[position + 1], 0) if position + 1 < len(letters) else 0
        if value < following:
            total -= value
        else:
            total += value
    if total > 3999 or to_roman(total) != letters:
        raise ValueError(f"not well-formed: {numeral}")
    return total


def is_roman(text: str) -> bool:
    """Whether the text is a well-formed numeral."""
    try:
        from_roman(text)
    except ValueError:
        return False
    return True


def add(first: str, second: str) -> str:
    """Sum of two numerals as a numeral."""
    return to_roman(from_roman(first) + from_roman(second))
