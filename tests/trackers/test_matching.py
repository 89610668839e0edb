"""Greedy and Hungarian matching: worked cases, then properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from trackers.matching import MATCHERS, greedy, hungarian


@pytest.mark.parametrize(
    ("name", "similarity", "threshold", "by_greed", "by_optimum"),
    [
        ("greed takes 0.9 and leaves 0.1", [[0.9, 0.8], [0.8, 0.1]], 0.0, {(0, 0), (1, 1)}, {(0, 1), (1, 0)}),
        ("what is left is below the threshold", [[0.9, 0.8], [0.8, 0.1]], 0.3, {(0, 0)}, {(0, 1), (1, 0)}),
        ("more rows than columns", [[0.2], [0.7], [0.6]], 0.3, {(1, 0)}, {(1, 0)}),
        ("the threshold itself is enough", [[0.3]], 0.3, {(0, 0)}, {(0, 0)}),
        ("zero never matches", [[0.0]], 0.0, set(), set()),
        ("nobody", np.zeros((0, 3)), 0.3, set(), set()),
        ("nobody remembered", np.zeros((2, 0)), 0.3, set(), set()),
        ("equals: the first", [[0.5, 0.5]], 0.3, {(0, 0)}, {(0, 0)}),
    ],
)
def test_worked(name, similarity, threshold, by_greed, by_optimum) -> None:  # type: ignore[no-untyped-def]
    matrix = np.array(similarity, float).reshape(np.shape(similarity))
    assert set(zip(*(x.tolist() for x in greedy(matrix, threshold)), strict=True)) == by_greed
    assert set(zip(*(x.tolist() for x in hungarian(matrix, threshold)), strict=True)) == by_optimum


MATRICES = arrays(
    float, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5), elements=st.floats(0, 1)
)


@pytest.mark.parametrize("matcher", sorted(MATCHERS))
@settings(max_examples=50, deadline=None)
@given(similarity=MATRICES, threshold=st.floats(0, 1))
def test_no_row_or_column_twice_and_nothing_below(
    matcher: str, similarity: np.ndarray, threshold: float
) -> None:
    rows, columns = MATCHERS[matcher](similarity, threshold)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (similarity[rows, columns] >= threshold).all()
    assert (similarity[rows, columns] > 0).all()


@settings(max_examples=50, deadline=None)
@given(similarity=MATRICES)
def test_greedy_leaves_no_pair_that_it_could_have_made(similarity: np.ndarray) -> None:
    rows, columns = greedy(similarity, 0.5)
    free = set(range(similarity.shape[0])) - set(rows), set(range(similarity.shape[1])) - set(columns)
    assert all(similarity[r, c] < 0.5 for r, c in itertools.product(*free))


@settings(max_examples=30, deadline=None)
@given(similarity=arrays(float, (4, 3), elements=st.floats(0, 1)))
def test_hungarian_is_the_best_of_all_assignments(similarity: np.ndarray) -> None:
    rows, columns = hungarian(similarity, 0.4)
    worth = np.where(similarity >= 0.4, similarity, 0)
    best = max(worth[list(p), range(3)].sum() for p in itertools.permutations(range(4), 3))
    assert similarity[rows, columns].sum() == pytest.approx(best)
