"""Matrix arithmetic on exact numbers."""

from collections.abc import Sequence
from fractions import Fraction


class Matrix:
    """A matrix of fractions with at least one row and one column."""

    def __init__(self, rows: Sequence[Sequence[int | Fraction]]) -> None:
        if not rows or not rows[0]:
            raise ValueError("a matrix needs rows and columns")
        if any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("rows differ in length")
        self.rows = [[Fraction(value) for value in row] for row in rows]

    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows), len(self.rows[0])

    def values(self) -> list[list[int]]:
        """The entries as integers, cut towards zero."""
        return [[int(value) for value in row] for row in self.rows]

    def add(self, other: "Matrix") -> "Matrix":
        """Entry by entry sum of two matrices of one shape."""
        if self.shape() != other.shape():
            raise ValueError("shapes differ")
        return Matrix(
            [
                [a + b for a, b in zip(left, right, strict=True)]
                for left, right in zip(self.rows, other.rows, strict=True)
            ]
        )

    def scale(self, factor: int | Fraction) -> "Matrix":
        """Every entry times ``factor``."""
        return Matrix([[value * factor for value in row] for row in self.rows])

    def transpose(self) -> "Matrix":
        """Rows become columns."""
        height, width = self.shape()
        return Matrix([[self.rows[row][column] for row in range(height)] for column in range(width)])

    def multiply(self, other: "Matrix") -> "Matrix":
        """The matrix product; inner sizes must agree."""
        height, inner = self.shape()
        other_height, width = other.shape()
        if inner != other_height:
            raise ValueError("inner sizes differ")
        product = []
        for row in range(height):
            line = []
            for column in range(width):
                line.append(sum(self.rows[row][k] * other.rows[k][column] for k in range(inner)))
            product.append(line)
        return Matrix(product)

    def power(self, exponent: int) -> "Matrix":
        """Repeated product by squaring."""
        if exponent < 0:
            raise ValueError("exponent is negative")
        height, width = self.shape()
        if height != width:
            raise ValueError("matrix is not square")
        result, base = identity(height), self
        while exponent > 0:
            if exponent % 2 == 1:
                result = result.multiply(base)
            base = base.multiply(base)
            exponent //= 2
        return result

    def trace(self) -> Fraction:
        """Sum of the diagonal."""
        return sum((self.rows[k][k] for k in range(min(self.shape()))), Fraction(0))


def identity(size: int) -> Matrix:
    """The unit matrix."""
    return Matrix([[1 if row == column else 0 for column in range(size)] for row in range(size)])
