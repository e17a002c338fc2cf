"""Small dense matrices as lists of rows."""

from gridmath.matrix import Matrix, identity
from gridmath.solve import determinant, rank, solve

__all__ = ["Matrix", "determinant", "identity", "rank", "solve"]
