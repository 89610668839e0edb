"""ImageNet accuracy: how often the right class is the first, or among the first five.

>>> counts = Counts()
>>> counts.add(logits, labels)
>>> counts.report().top1                                                         # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.evaluation.numbers import or_none


@dataclass(frozen=True)
class TopReport:
    """Accuracies in percent; the errors of the HRNet tables are 100 minus these. NaN without pictures."""

    pictures: int
    top1: float
    top5: float

    def to_json(self) -> dict[str, float | int | None]:
        return {"pictures": self.pictures, "top1": or_none(self.top1), "top5": or_none(self.top5)}

    def table(self) -> str:
        return (
            f"top-1 {self.top1:.2f} (error {100 - self.top1:.2f})   "
            f"top-5 {self.top5:.2f} (error {100 - self.top5:.2f})   {self.pictures} pictures"
        )


class Counts:
    """Adds up over batches."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.pictures = self.first = self.among_five = 0

    def add(self, scores: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """One batch. A class that ties with the right one counts as before it, so a constant is never right.

        Args:
            scores: (B, classes), larger is likelier. NaN is never right.
            labels: (B,).
        """
        right = np.take_along_axis(scores, labels[:, None], axis=1)  # (B, 1)
        rank = (~(scores < right)).sum(axis=1)  # from 1: the right class itself is among these
        rank[np.isnan(right[:, 0])] = 6
        self.pictures += len(labels)
        self.first += int((rank <= 1).sum())
        self.among_five += int((rank <= 5).sum())

    def report(self) -> TopReport:
        if not self.pictures:
            return TopReport(0, float("nan"), float("nan"))
        return TopReport(
            self.pictures, 100 * self.first / self.pictures, 100 * self.among_five / self.pictures
        )
