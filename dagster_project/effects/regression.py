"""Least squares with errors that hold for few clusters.

Coefficients come from statsmodels. Its clustered errors (CR1) are too small when thirty followed municipalities face
three hundred others, so the covariance is the jackknife over clusters (CR3; HC3 when every row is its own cluster),
and the intervals use t with one degree of freedom less than there are followed municipalities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


# how often an effect should be found to count as one that would be seen; custom
POWER = 0.8


@dataclass(frozen=True)
class Fit:
    """``coefficients`` (P,), their ``covariance`` (P, P) and the degrees of freedom of its intervals."""

    coefficients: Floats
    covariance: Floats
    df: int

    def pick(self, weights: Floats) -> Estimate:
        """The linear combination ``weights`` (P,) of the coefficients."""
        return Estimate(float(weights @ self.coefficients), float(weights @ self.covariance @ weights) ** 0.5, self.df)


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error and the degrees of freedom of its interval."""

    value: float
    std_error: float
    df: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """Limits of the interval of Student's t."""
        from scipy.special import stdtrit

        reach = float(stdtrit(self.df, (1 + confidence) / 2)) * self.std_error
        return self.value - reach, self.value + reach

    def detectable(self, confidence: float) -> float:
        """About the smallest true effect whose interval leaves out 0 four times in five, by its degrees of freedom."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df, (1 + confidence) / 2) + stdtrit(self.df, POWER)) * self.std_error


def independent_columns(x: Floats) -> bool:
    """Whether least squares on ``x`` (N, P) has one answer."""
    return x.shape[0] > x.shape[1] and np.linalg.matrix_rank(x) == x.shape[1]


def fit(y: Floats, x: Floats, clusters: Ints, df: int) -> Fit:
    """Regress ``y`` (N,) on ``x`` (N, P); rows of one cluster may depend on each other in any way.

    Notes:
        CR3: sum over clusters g of d_g d_g', where d_g is how far the coefficients move when g is left out,
        d_g = (X'X)^-1 X_g' (I - H_gg)^-1 e_g. Unit effects taken out of ``y`` and ``x`` beforehand are allowed when
        each unit lies within one cluster: the rest is then the same with and without g.
    """
    from statsmodels.regression.linear_model import OLS

    result = OLS(y, x).fit(method="qr")
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(clusters[order]) != 0])
    if len(starts) == len(y):
        return Fit(result.params, result.cov_HC3, df)
    inverse = np.asarray(result.normalized_cov_params)
    residuals = np.asarray(result.resid)
    moves = np.empty((len(starts), x.shape[1]))
    for at, rows in enumerate(np.split(order, starts[1:])):
        own = x[rows]
        # a cluster that alone settles a coefficient makes this singular; the least-norm answer is then the usual one
        left = np.eye(len(rows)) - own @ inverse @ own.T
        moves[at] = inverse @ own.T @ (np.linalg.pinv(left, hermitian=True) @ residuals[rows])
    return Fit(result.params, moves.T @ moves, df)


def without_unit_means(values: Floats, units: Ints) -> Floats:
    """``values`` (N, ...) less the mean of their unit; ``units`` (N,) counts from 0."""
    flat = values.reshape(len(values), -1)
    sums = np.zeros((int(units.max()) + 1, flat.shape[1]))
    np.add.at(sums, units, flat)
    means = sums / np.bincount(units)[:, None]
    return (flat - means[units]).reshape(values.shape)
