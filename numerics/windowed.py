r"""Exponential moments over a finite horizon, and their divided differences, without loss for slow rates.

    E_n(s)       = int_0^T t^n e^{-st} dt = T^{n+1}/(n+1) 1F1(n+1, n+2, -sT)                                 (W1)
    D_n(s, beta) = [E_n(s) - E_n(s + beta)] / beta
    D_n          = (E_n(s) + n D_n-1 - T^n q) / (s + beta) ,   q = e^{-sT} K(beta)     theory/special.py (S4) (W2)
                 = sum_{j >= 0} (-beta)^j / (j+1)!  E_{n+1+j}(s)                                             (W3)

(W1) is entire in s: no 0/0 at s = 0, where the closed forms have one. (W2) is stable for (s + beta) T >= 1 and loses a
factor of ((s + beta) T)^{n+2} below; there the difference itself serves where |beta| T >= 1, and (W3), the series of
(1 - e^{-beta t})/beta under the integral, where it is not. q = (e^{-sT} - e^{-(s+beta)T})/beta where |beta| T >= 1,
since K(beta) may overflow. (W1) is the integral representation of 1F1 (DLMF 13.4.1, cited second-hand); (W3) derived
here.

One algorithm in terms of E_n serves mpmath and Arb; float64 has its own E_n and is vectorised where (W2) serves.
"""

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

Moment = Callable[[int, Any, Any], Any]  # (n, s, T) -> E_n(s)
TERMS = 24  # of the power series in float64, for |sT| <= 2: 2^24/24! = 3e-17
UNIT = 1.0  # where (W2) takes over


def size(x: Any) -> float:
    """|x| of a plain number."""
    return abs(float(x))


def divided_moment(
    moment: Moment,
    exp: Callable[[Any], Any],
    largest: Callable[[Any], float],
    digits: int,
    rest: Any,
    n: int,
    s: Any,
    beta: Any,
    T: Any,
) -> Any:
    """D_n(s, beta) of numbers, from E_n = `moment`, to about `digits` digits.

    largest: |x|, of a ball at its farthest point: (W3) is cut off only where all of the ball allows it.
    rest: what (W3) leaves out, in units of its last term: 0, or the ball [-1, 1]; its terms fall at least threefold.

    Enclosed for balls; not-a-number where one of beta holds 0 and reaches 1/T, or (W2) is used and s + beta holds 0.
    """
    if largest(beta * T) >= UNIT:
        if abs(float((s + beta) * T)) < UNIT:
            return (moment(n, s, T) - moment(n, s + beta, T)) / beta
        q = (exp(-s * T) - exp(-(s + beta) * T)) / beta
    elif float((s + beta) * T) < UNIT:
        total, j = moment(n + 1, s, T), 0
        power, left = 1, 1.0
        while left > 10.0 ** -(digits + 2) and j < 4 * digits:
            j += 1
            power = power * -beta
            term = power * moment(n + 1 + j, s, T) / factorial(j + 1)  # (W3)
            total, left = total + term, largest(term / total)
        return total + rest * term
    else:
        q = exp(-s * T) * moment(0, beta, T)
    D = (moment(0, s, T) - q) / (s + beta)  # (W2)
    for k in range(1, n + 1):
        D = (moment(k, s, T) + k * D - T**k * q) / (s + beta)
    return D


def float_moment(n: int, s: Any, T: float) -> Any:
    """E_n(s) in float64, s of any shape."""
    s = np.asarray(s, dtype=float)
    y = s * T
    if n == 0:
        return np.where(y == 0, T, -np.expm1(-y) / np.where(y == 0, 1, s))
    slow = abs(y) <= 2
    away = np.where(slow, 1, s)
    fast = scipy.special.gammainc(n + 1, np.maximum(away * T, 0)) * factorial(n) / away ** (n + 1)
    if (s < 0).any():  # a rate beyond zero: (S3), where it does not cancel
        fast = np.where(s < 0, (n * float_moment(n - 1, away, T) - T**n * np.exp(-away * T)) / away, fast)
    if not slow.any():
        return fast
    near, series, power = np.where(slow, y, 0), np.zeros_like(y), np.ones_like(y)
    for j in range(TERMS):
        series = series + power / (n + 1 + j)
        power = power * -near / (j + 1)
    return np.where(slow, T ** (n + 1) * series, fast)


def float_divided_moment(n: int, s: Any, beta: Any, T: float) -> Any:
    """D_n(s, beta) in float64, s and beta of shapes that broadcast."""
    s, beta = np.broadcast_arrays(np.asarray(s, dtype=float), np.asarray(beta, dtype=float))
    far = abs(beta * T) >= UNIT
    apart = np.where(far, beta, 1)
    q = np.where(far, (np.exp(-s * T) - np.exp(-(s + beta) * T)) / apart, _boundary(s, np.where(far, 0, beta), T))
    total = s + beta
    D = (float_moment(0, s, T) - q) / total  # (W2)
    for k in range(1, n + 1):
        q = T * q  # never T^k by itself, which may overflow where q is 0
        D = (float_moment(k, s, T) + k * D - q) / total
    slow = total * T < UNIT
    if slow.any():
        by_number = np.frompyfunc(lambda s, b: divided_moment(_plain, np.exp, size, 16, 0, n, s, b, T), 2, 1)
        D = np.array(D)
        D[slow] = by_number(s[slow], beta[slow]).astype(float)
    return D


def _boundary(s: NDArray[np.float64], beta: NDArray[np.float64], T: float) -> Any:
    return np.exp(-s * T) * float_moment(0, beta, T)


def _plain(n: int, s: float, T: float) -> float:
    return float(float_moment(n, s, T))
