"""From records to the numbers of the tables: means over clips, their intervals, and differences of paired rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.data import CLEAR
from engine.evaluation.metrics import Interval, bootstrap
from engine.evaluation.results import Record, by_case

Chosen = Callable[[Record], bool]


def occluded(record: Record) -> bool:
    """Whether something hid the person."""
    return record.condition != CLEAR


def clear(record: Record) -> bool:
    """Whether nothing did."""
    return record.condition == CLEAR


def occluded_in(category: str) -> Chosen:
    """Records of one category in which something hid the person."""
    return lambda record: occluded(record) and record.category == category


def under(condition: str) -> Chosen:
    """Records of one condition."""
    return lambda record: record.condition == condition


def anywhere(_record: Record) -> bool:
    """Every record."""
    return True


def mean_of(records: Sequence[Record], row: str, figure: str, chosen: Chosen = anywhere) -> Interval:
    """Mean over clips of a figure of a row."""
    kept = [record for record in records if record.row == row and chosen(record)]
    return bootstrap(np.array([record.value(figure) for record in kept]), [record.clip for record in kept])


def change_of(records: Sequence[Record], row: str, base: str, figure: str, chosen: Chosen = anywhere) -> Interval:
    """Mean over clips of a figure of `row` minus that of `base` on the same cases."""
    first, second = by_case(records, row), by_case(records, base)
    shared = [name for name in first if name in second and chosen(first[name])]
    differences = np.array([first[name].value(figure) - second[name].value(figure) for name in shared])
    return bootstrap(differences, [first[name].clip for name in shared])


@dataclass(frozen=True)
class Comparison:
    """A row beside another on the same cases: means over clips, and the difference in percent of the base."""

    base: float
    row: float
    change: Interval

    @property
    def percent(self) -> float:
        """How much higher the row is than the base."""
        return 100 * self.change.mean / self.base if self.base else math.nan


def compare(records: Sequence[Record], row: str, base: str, figure: str, chosen: Chosen = anywhere) -> Comparison:
    """`row` beside `base`."""
    means = [mean_of(records, key, figure, chosen).mean for key in (base, row)]
    return Comparison(means[0], means[1], change_of(records, row, base, figure, chosen))


def categories(records: Sequence[Record]) -> list[str]:
    """Those of the records, in alphabetical order."""
    return sorted({record.category for record in records})


@dataclass(frozen=True)
class Goal:
    """A figure that the method should reach.

    Attributes:
        text: what it is.
        wanted: the bar in words.
        value: what was measured, in words.
        met: whether it was reached; None where it cannot be judged.
    """

    text: str
    wanted: str
    value: str
    met: bool | None


_PARTS = (
    ("alignment", "aligned", "weighted"),
    ("EMA", "ema", "aligned"),
    ("fill-in", "filled", "ema"),
    ("in-filler", "infilled", "filled"),
    ("solve", "full", "infilled"),
)
"""Parts of the method: each row, and the one that it is added to."""
_PA_GOAL, _UNSEEN_GOAL, _CATEGORY_GOAL = -12.0, -30.0, 2.0
_LABEL_GOAL_MM = -6.0
_OTHERS = {"boa": "BOA", "dynaboa": "DynaBOA", "dapa": "DAPA"}
_ORDER = ("boa", "dynaboa", "cycle", "full")
_TIME_GOAL = 0.2
_PIN_GOALS = (("one_pin", "pa_pinned", -30.0), ("three_pins", "pa_pinned", -50.0), ("dragged", "pa_dragged", -15.0))


def goals(records: Sequence[Record]) -> list[Goal]:
    """What the adaptation has to reach against CycleAdapt's recipe on occluded clips, and what each part has to."""
    found = [
        _against("PA-MPJPE, occluded clips", compare(records, "full", "cycle", "pa", occluded), _PA_GOAL),
        _against("the same, unseen joints", compare(records, "full", "cycle", "pa_unseen", occluded), _UNSEEN_GOAL),
    ]
    worst = [(compare(records, "full", "cycle", "pa", occluded_in(name)), name) for name in categories(records)]
    known = [(one.percent, name) for one, name in worst if math.isfinite(one.percent)]
    if known:
        percent, name = max(known)
        found.append(
            Goal(
                "worst category",
                f"at most +{_CATEGORY_GOAL:g} %",
                f"{percent:+.1f} % ({name})",
                percent <= _CATEGORY_GOAL,
            )
        )
    for title, row, base in _PARTS:
        change = change_of(records, row, base, "pa", occluded)
        if math.isfinite(change.mean):
            found.append(Goal(f"{title} lowers the mean", "beyond its interval", difference(change), change.below_zero))
    change = change_of(records, "full", "no_label", "pa_unseen", occluded)
    if math.isfinite(change.mean):
        wanted = f"at least {-_LABEL_GOAL_MM:g} mm lower"
        found.append(
            Goal(
                "the right label against none, unseen joints", wanted, difference(change), change.mean <= _LABEL_GOAL_MM
            )
        )
    change = change_of(records, "full", "backbone", "pa", clear)
    if math.isfinite(change.mean):
        found.append(Goal("nothing hidden, against no adaptation", "not worse", difference(change), change.mean <= 0))
    return [goal for goal in (*found, *_compared(records), *_pinned(records)) if goal.value]


def _compared(records: Sequence[Record]) -> list[Goal]:
    """What holds beside the methods that the paper is compared with."""
    found = []
    for row, title in _OTHERS.items():
        comparison = compare(records, "full", row, "pa", occluded)
        if not math.isfinite(comparison.percent):
            continue
        value = f"{comparison.percent:+.1f} % ({comparison.base:.1f} to {comparison.row:.1f} mm)"
        wanted = f"at least {-_PA_GOAL:g} % lower"
        found.append(Goal(f"PA-MPJPE, occluded clips, against {title}", wanted, value, comparison.percent <= _PA_GOAL))
    for row in ("boa", "dynaboa"):
        before, after = by_case(records, "backbone"), by_case(records, row)
        shared = [name for name in after if name in before]
        lower = sum(after[name].value("px") < before[name].value("px") for name in shared)
        if shared:
            value = f"{lower} of {len(shared)}"
            found.append(Goal(f"{_OTHERS[row]} lowers the 2D error", "of every view", value, lower == len(shared)))
    means = [mean_of(records, row, "pa").mean for row in _ORDER]
    if all(map(math.isfinite, means)):
        falls = all(first >= second for first, second in itertools.pairwise(means))
        value = ", ".join(f"{mean:.1f}" for mean in means)
        found.append(Goal("PA-MPJPE: BOA, DynaBOA, CycleAdapt's recipe, whole method", "in this order", value, falls))
    times = [mean_of(records, row, "ms").mean for row in ("full", "boa")]
    if all(map(math.isfinite, times)):
        share = times[0] / times[1]
        found.append(
            Goal("time for a frame beside BOA's", f"at most {_TIME_GOAL:g}", f"{share:.2f}", share <= _TIME_GOAL)
        )
    return found


def _pinned(records: Sequence[Record]) -> list[Goal]:
    """What pins have to bring near them, and that they make no view worse."""
    found = []
    for row, figure, bar in _PIN_GOALS:
        comparison = compare(records, row, "full", figure, occluded)
        if not math.isfinite(comparison.percent):
            continue
        before, after = by_case(records, "full"), by_case(records, row)
        change = [after[name].value(figure) - before[name].value(figure) for name in after if name in before]
        worse, views = sum(one > 0 for one in change), sum(math.isfinite(one) for one in change)
        value = (
            f"{comparison.percent:+.1f} % ({comparison.base:.1f} to {comparison.row:.1f} mm), {worse} of {views} worse"
        )
        met = comparison.percent <= bar and not worse
        found.append(Goal(f"{row.replace('_', ' ')}", f"at least {-bar:g} % nearer, no view worse", value, met))
    return found


def _against(text: str, comparison: Comparison, bar: float) -> Goal:
    wanted = f"at least {-bar:g} % lower than CycleAdapt's recipe"
    if not math.isfinite(comparison.percent):
        return Goal(text, wanted, "", None)
    value = f"{comparison.percent:+.1f} % ({comparison.base:.1f} to {comparison.row:.1f} mm)"
    return Goal(text, wanted, value, comparison.percent <= bar)


def difference(change: Interval, digits: int = 2) -> str:
    """`-1.20 [-2.00, -0.40]`."""
    return f"{change.mean:+.{digits}f} [{change.low:+.{digits}f}, {change.high:+.{digits}f}]"
