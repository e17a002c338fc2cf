import pytest

from gridmath import Matrix, determinant, rank, solve


def test_determinant_of_two_by_two():
    assert int(determinant(Matrix([[1, 2], [3, 4]]))) == -2


def test_determinant_of_three_by_three():
    assert int(determinant(Matrix([[2, 0, 1], [1, 3, 2], [1, 1, 4]]))) == 18


def test_determinant_changes_sign_with_rows():
    assert int(determinant(Matrix([[0, 1], [1, 0]]))) == -1
    assert int(determinant(Matrix([[0, 0, 2], [0, 3, 0], [4, 0, 0]]))) == -24


def test_determinant_of_singular_is_zero():
    assert int(determinant(Matrix([[1, 2], [2, 4]]))) == 0


def test_determinant_needs_a_square():
    with pytest.raises(ValueError, match="not square"):
        determinant(Matrix([[1, 2]]))


def test_rank_counts_independent_rows():
    assert rank(Matrix([[1, 2], [2, 4]])) == 1
    assert rank(Matrix([[1, 2], [2, 5]])) == 2
    assert rank(Matrix([[0, 0], [0, 0]])) == 0


def test_rank_of_wide_and_tall():
    assert rank(Matrix([[0, 1, 2], [0, 2, 5]])) == 2
    assert rank(Matrix([[0, 1], [1, 0], [1, 1]])) == 2


def test_solve_two_unknowns():
    assert [int(value) for value in solve(Matrix([[2, 1], [1, 3]]), [5, 10])] == [1, 3]


def test_solve_swaps_rows():
    assert [int(value) for value in solve(Matrix([[0, 2], [3, 0]]), [4, 9])] == [3, 2]


def test_solve_three_unknowns():
    matrix = Matrix([[1, 1, 1], [0, 2, 5], [2, 5, -1]])
    assert [int(value) for value in solve(matrix, [6, -4, 27])] == [5, 3, -2]


def test_solve_refuses_singular():
    with pytest.raises(ValueError, match="singular"):
        solve(Matrix([[1, 2], [2, 4]]), [1, 2])


def test_solve_refuses_another_length():
    with pytest.raises(ValueError, match="another length"):
        solve(Matrix([[1, 2], [3, 4]]), [1])
