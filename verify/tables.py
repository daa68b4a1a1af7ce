"""The tables of the command line: escape times, simulations, cross-checks."""

from collections.abc import Sequence

from verify import terminal
from verify.compare import Check
from verify.finding import vast
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
