"""A recursive-descent evaluator over the tokens."""

from minilex.scanner import Token, tokenize

FUNCTIONS = {"min": min, "max": max, "abs": abs}


class Parser:
    """Reads tokens from left to right and computes as it goes."""

    def __init__(self, tokens: list[Token], names: dict[str, float]) -> None:
        self.tokens = tokens
        self.names = names
        self.position = 0

    def peek(self) -> str:
        """Text of the next token, or the empty string at the end."""
        if self.position < len(self.tokens):
            return self.tokens[self.position].text
        return ""

    def take(self) -> Token:
        """The next token, which is then done with."""
        if self.position >= len(self.tokens):
            raise SyntaxError("unexpected end")
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, text: str) -> None:
        """Take a token that must be ``text``."""
        if self.peek() != text:
            raise SyntaxError(f"expected {text!r}")
        self.take()

    def total(self) -> float:
        """Sums and differences, from left to right."""
        value = self.product()
        while self.peek() in ("+", "-"):
            if self.take().text == "+":
                value = value + self.product()
            else:
                value = value - self.product()
        return value

    def product(self) -> float:
        """Products and quotients, from left to right."""
        value = self.power()
        while self.peek() in ("*", "/", "//"):
            operator = self.take().text
            right = self.power()
            if operator == "*":
                value = value * right
            elif operator == "/":
                value = value / right
            else:
                value = value // right
        return value

    def power(self) -> float:
        """A signed operand or a power, which binds from the right."""
        if self.peek() == "-":
            self.take()
            return -self.power()
        base = self.operand()
        if self.peek() == "**":
            self.take()
            return base ** self.power()
        return base

    def operand(self) -> float:
        """A number, a name, a call or a bracket."""
        token = self.take()
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "name" and self.peek() == "(":
            return self.call(token.text)
        if token.kind == "name":
            return self.names[token.text]
        if token.text != "(":
            raise SyntaxError(f"unexpected {token.text!r}")
        value = self.total()
        self.expect(")")
        return value

    def call(self, name: str) -> float:
        """A call of one of the known functions."""
        self.expect("(")
        arguments = [self.total()]
        while self.peek() == ",":
            self.take()
            arguments.append(self.total())
        self.expect(")")
        return FUNCTIONS[name](*arguments)


def evaluate(text: str, **names: float) -> float:
    """Value of the expression; further keyword arguments are its variables."""
    parser = Parser(tokenize(text), names)
    value = parser.total()
    if parser.peek():
        raise SyntaxError(f"unexpected {parser.peek()!r}")
    return value
