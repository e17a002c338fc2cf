"""Elimination: determinants, ranks and linear systems."""

from fractions import Fraction

from gridmath.matrix import Matrix


def find_pivot(rows: list[list[Fraction]], top: int, column: int) -> int | None:
    """First row from ``top`` on with a nonzero entry in ``column``."""
    for row in range(top, len(rows)):
        if rows[row][column] != 0:
            return row
    return None


def eliminate(rows: list[list[Fraction]], pivot: int, column: int, start: int) -> None:
    """Clear ``column`` in all rows from ``start`` on, except the pivot row."""
    for row in range(start, len(rows)):
        if row == pivot:
            continue
        factor = rows[row][column] / rows[pivot][column]
        rows[row] = [value - factor * above for value, above in zip(rows[row], rows[pivot], strict=True)]


def determinant(matrix: Matrix) -> Fraction:
    """Determinant of a square matrix."""
    height, width = matrix.shape()
    if height != width:
        raise ValueError("matrix is not square")
    rows = [list(row) for row in matrix.rows]
    result = Fraction(1)
    for column in range(width):
        pivot = find_pivot(rows, column, column)
        if pivot is None:
            return Fraction(0)
        if pivot != column:
            rows[pivot], rows[column] = rows[column], rows[pivot]
            result = -result
        result *= rows[column][column]
        eliminate(rows, column, column, column + 1)
    return result


def rank(matrix: Matrix) -> int:
    """Number of independent rows."""
    rows = [list(row) for row in matrix.rows]
    found = 0
    for column in range(matrix.shape()[1]):
        pivot = find_pivot(rows, found, column)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        eliminate(rows, found, column, found + 1)
        found += 1
    return found


def solve(matrix: Matrix, right: list[int]) -> list[Fraction]:
    """The one solution of ``matrix * x = right``; ValueError when there is not exactly one."""
    if len(right) != matrix.shape()[0]:
        raise ValueError("right side has another length")
    if determinant(matrix) == 0:
        raise ValueError("matrix is singular")
    rows = [[*row, Fraction(value)] for row, value in zip(matrix.rows, right, strict=True)]
    for column in range(len(right)):
        pivot = find_pivot(rows, column, column)
        if pivot is not None:
            rows[column], rows[pivot] = rows[pivot], rows[column]
        eliminate(rows, column, column, 0)
    return [row[-1] / row[position] for position, row in enumerate(rows)]
