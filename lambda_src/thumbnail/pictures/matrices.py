"""The few operations on 3 x 3 matrices that conversions between RGB spaces need."""

from collections.abc import Sequence

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]


def apply(matrix: Matrix, vector: Sequence[float]) -> Vector:
    """Return the product of a matrix and a vector."""
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def multiply(first: Matrix, second: Matrix) -> Matrix:
    """Return the matrix that applies `second` and then `first`."""
    columns = [apply(first, column) for column in zip(*second, strict=True)]
    return tuple(zip(*columns, strict=True))


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a matrix. Raises ZeroDivisionError if there is none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return tuple(tuple(value / determinant for value in row) for row in cofactors)


def diagonal(values: Sequence[float]) -> Matrix:
    """Return the matrix that multiplies each channel by its value."""
    first, second, third = values
    return (first, 0, 0), (0, second, 0), (0, 0, third)
