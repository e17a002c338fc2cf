import pytest

from gridmath import Matrix, identity


def test_shape_counts_rows_and_columns():
    assert Matrix([[1, 2, 3], [4, 5, 6]]).shape() == (2, 3)


def test_empty_matrices_are_refused():
    with pytest.raises(ValueError, match="needs rows"):
        Matrix([])
    with pytest.raises(ValueError, match="needs rows"):
        Matrix([[]])


def test_ragged_rows_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        Matrix([[1, 2], [3]])


def test_add_sums_entries():
    assert Matrix([[1, 2], [3, 4]]).add(Matrix([[10, 20], [30, 40]])).values() == [[11, 22], [33, 44]]


def test_add_needs_one_shape():
    with pytest.raises(ValueError, match="shapes differ"):
        Matrix([[1, 2]]).add(Matrix([[1], [2]]))


def test_scale_multiplies_entries():
    assert Matrix([[1, -2], [0, 3]]).scale(3).values() == [[3, -6], [0, 9]]


def test_transpose_swaps_rows_and_columns():
    assert Matrix([[1, 2, 3], [4, 5, 6]]).transpose().values() == [[1, 4], [2, 5], [3, 6]]


def test_multiply_square():
    assert Matrix([[1, 2], [3, 4]]).multiply(Matrix([[0, 1], [1, 0]])).values() == [[2, 1], [4, 3]]


def test_multiply_row_by_column():
    assert Matrix([[1, 2, 3]]).multiply(Matrix([[4], [5], [6]])).values() == [[32]]
    assert Matrix([[1], [2]]).multiply(Matrix([[3, 4]])).values() == [[3, 4], [6, 8]]


def test_multiply_needs_inner_sizes():
    with pytest.raises(ValueError, match="inner sizes"):
        Matrix([[1, 2]]).multiply(Matrix([[1, 2]]))


def test_power_of_fibonacci():
    assert Matrix([[1, 1], [1, 0]]).power(10).values() == [[89, 55], [55, 34]]


def test_power_zero_is_identity():
    assert Matrix([[5, 6], [7, 8]]).power(0).values() == [[1, 0], [0, 1]]


def test_power_refuses_wrong_input():
    with pytest.raises(ValueError, match="negative"):
        identity(2).power(-1)
    with pytest.raises(ValueError, match="not square"):
        Matrix([[1, 2]]).power(2)


def test_trace_sums_the_diagonal():
    assert Matrix([[1, 2], [3, 4]]).trace() == 5
    assert Matrix([[1, 2, 3], [4, 5, 6]]).trace() == 6


def test_identity_is_neutral():
    assert identity(3).values() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
