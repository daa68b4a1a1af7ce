"""The tables of the command line: escape times, plateaus, simulations, cross-checks."""

from collections.abc import Sequence

from verify import terminal
from verify.check import Check
from verify.finding import vast
from verify.histories import StudyHistories
from verify.sampling import Simulated
from verify.sweep import StudyResult, label


def print_result(result: StudyResult) -> None:
    """A line a cell: the escape time, and what the plateau formulas say."""
    times = {"escape time": "escape_time", "digits": "digits"}
    if any(cell.escape and vast(cell.escape.tau) for cell in result.cells):
        times["log10"] = "log10_escape_time"
    columns = ("cell", "outcome", *times, "slow flow", "leading order", "lower bound")
    rows = []
    for cell in result.cells:
        found = cell.as_dict()
        tau = [found.get(name) for name in times.values()]
        formulas = [terminal.short(found[name]) for name in ("slow_flow", "leading_order")]
        bound = terminal.short(found["lower_bound"], down=True)
        cost = (found["steps"], f"{found['seconds']:.2f}", found["arithmetic"])
        rows.append((label(cell.parameters), cell.outcome, *tau, *formulas, bound, *cost))
    terminal.table(f"Study {result.study.name}", (*columns, "steps", "seconds", "arithmetic"), rows)


def print_histories(found: StudyHistories) -> None:
    """A line a plateau, and one for the ending of every cell."""
    columns = ("cell", "plateau", "from", "to", "duration", "level J", "slowest -dJ/dtau", "unit that leaves", "digits")
    rows: list[tuple[object, ...]] = []
    for cell in found.cells:
        name, history = label(cell.parameters), cell.history
        if history is None:
            rows.append((name, "failed", *[None] * 7, cell.error))
            continue
        for i, each in enumerate(history.plateaus, 1):
            end = each.end or "not ended"
            rows.append((name, i, each.start, end, each.duration, each.level, each.slope, each.mover, each.digits, ""))
        rows.append((name, history.ending.name, *[None] * 3, history.final_loss, *[None] * 3, history.reason))
    terminal.table(f"Study {found.study.name}", (*columns, "how it ends"), rows, sentences=1)


def print_simulations(simulations: Sequence[Simulated]) -> None:
    """A line a cell: trained, or why not."""
    columns = ("cell", "flow", "simulated", "error", "order in eta", "order in dt", "steps", "seconds", "reason")
    rows = []
    for each in simulations:
        found = each.as_dict()
        numbers = [terminal.short(found[name], 4) for name in ("error", "eta_order", "dt_order")]
        taus = terminal.short(each.flow, 12), found["escape_time"]
        cost = sum(run.steps for run in each.runs), f"{found['seconds']:.2f}"
        rows.append((label(each.parameters), *taus, *numbers, *cost, each.reason))
    terminal.table("Direct simulation", columns, rows, sentences=1)


def print_checks(checks: Sequence[Check]) -> None:
    """A line a check, with its tolerance and the reason for it."""
    columns = ("cell", "quantity", "one", "other", "difference", "tolerance", "", "why this tolerance")
    rows = [
        (
            check.cell,
            check.name,
            *(terminal.stacked(name, terminal.short(value, 10)) for name, value in check.sides),
            check.difference,
            check.tolerance,
            "pass" if check.passed else "FAIL",
            check.reason,
        )
        for check in checks
    ]
    terminal.table("Cross-checks", columns, rows, sentences=1)
