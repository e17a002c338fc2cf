"""English number words below a million."""

SMALL = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def below_hundred(number: int) -> str:
    """Words for 0 to 99."""
    if number < 20:
        return SMALL[number]
    tens, ones = divmod(number, 10)
    word = TENS[tens - 2]
    if ones == 0:
        return word
    return word + "-" + SMALL[ones]


def below_thousand(number: int) -> str:
    """Words for 0 to 999."""
    hundreds, rest = divmod(number, 100)
    if hundreds == 0:
        return below_hundred(rest)
    words = SMALL[hundreds] + " hundred"
    if rest > 0:
        words += " and " + below_hundred(rest)
    return words


def to_words(number: int) -> str:
    """Words for a number with at most six digits."""
    if abs(number) >= 1_000_000:
        raise ValueError("number is too large")
    if number < 0:
        return "minus " + to_words(-number)
    thousands, rest = divmod(number, 1000)
    if thousands == 0:
        return below_thousand(rest)
    words = below_thousand(thousands) + " thousand"
    if rest == 0:
        return words
    if rest < 100:
        return words + " and " + below_hundred(rest)
    return words + " " + below_thousand(rest)


def ordinal(number: int) -> str:
    """The number with its English ending: 1st, 2nd, 3rd, 4th, 11th."""
    if number < 0:
        raise ValueError("number is negative")
    if 11 <= number % 100 <= 13:
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
