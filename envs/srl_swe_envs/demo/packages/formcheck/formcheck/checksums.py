"""Numbers with check digits."""


def luhn_is_valid(number: str) -> bool:
    """Whether the digits of a card number pass the Luhn check; blanks are ignored."""
    digits = number.replace(" ", "")
    if len(digits) < 2 or not digits.isdigit():
        return False
    total = 0
    for position, char in enumerate(reversed(digits)):
        value = int(char)
        if position % 2 == 1:
            value *= 2
            if value > 9:
                value -= 9
        total += value
    return total % 10 == 0


def isbn_is_valid(text: str) -> bool:
    """Whether a text is an ISBN with 10 or 13 places; dashes are ignored."""
    places = text.replace("-", "")
    if len(places) == 13 and places.isdigit():
        total = sum(int(char) * (3 if position % 2 else 1) for position, char in enumerate(places))
        return total % 10 == 0
    if len(places) == 10 and places[:9].isdigit() and (places[9].isdigit() or places[9] == "X"):
        values = [10 if char == "X" else int(char) for char in places]
        return sum((10 - position) * value for position, value in enumerate(values)) % 11 == 0
    return False


def iban_is_valid(text: str) -> bool:
    """Whether a text is a bank account number with a right check sum."""
    places = text.replace(" ", "").upper()
    if not 15 <= len(places) <= 34 or not places.isalnum():
        return False
    moved = places[4:] + places[:4]
    number = "".join(str(int(char, 36)) for char in moved)
    return int(number) % 97 == 1
