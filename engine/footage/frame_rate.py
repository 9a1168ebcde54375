"""What rate the times of a clip's frames stand for."""

from __future__ import annotations

from fractions import Fraction

FASTEST = 10_000
"""Frames a second; what says more has wrong times."""

_STANDARD_RATES = (
    *map(Fraction, (10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120, 240)),
    *(Fraction(thousands * 1000, 1001) for thousands in (24, 30, 48, 60, 120, 240)),
)


def plausible(given: Fraction | None) -> Fraction:
    """The rate that a file states, where its times give none: 25 if it makes no sense."""
    return Fraction(given) if given and 0 < given <= 1000 else Fraction(25)


def exact_rate(measured: float, tolerance: float, given: Fraction | None) -> Fraction:
    """The standard rate that a measured rate stands for, or else the measured one.

    Args:
        measured: frames a second from the timestamps.
        tolerance: relative error that rounding of the timestamps can have caused.
        given: what the file says.
    """
    # What the file says counts where the times bear it out: over a short clip they cannot separate 120 from 119.88.
    trusted = float(given) if given and abs(float(given) / measured - 1) <= tolerance + 4e-4 else measured
    close = 4e-4 if trusted != measured else max(tolerance, 4e-4)  # 30 and 29.97 lie 1e-3 apart
    standard = min(_STANDARD_RATES, key=lambda rate: abs(float(rate) / trusted - 1))
    if abs(float(standard) / trusted - 1) <= close:
        return standard
    return Fraction(trusted).limit_denominator(1001 if trusted >= 1 else 10**6)
