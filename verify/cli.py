"""The command `memcurse`.

Exit codes: 0; 1 a check failed, a cell failed, or fewer digits were reached than asked; 2 bad usage or input;
130 Ctrl-C.
Everything heavy is imported inside the commands, so that --help answers at once.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from verify import certify_command
from verify.means import Interrupted, Means, Refused, add_options, integer, means
from verify.outbox import Unwritable, writing

if TYPE_CHECKING:
    from verify.certified import StudyCertificates
    from verify.check import Check
    from verify.histories import StudyHistories
    from verify.sampling import Simulated
    from verify.study import Study
    from verify.sweep import StudyResult
    from verify.widths import StudyWidths

GUIDE = """exit codes: 0; 1 a check failed, a cell failed, or fewer digits were reached than asked;
2 bad usage or input; 130 Ctrl-C.  STUDY is a TOML file or a shipped study: see `memcurse studies`."""


class Failed(Exception):
    """The input was good, but nothing came of it; the message says why."""


class Everything(NamedTuple):
    """All that is computed for a study: escapes, if it has a start; widths and certificates, if it asks for them."""

    result: "StudyResult | None"
    simulations: "Sequence[Simulated]"
    widths: "StudyWidths | None"
    certificates: "StudyCertificates | None"
    checks: "Sequence[Check]"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        from verify.widths import document

        simulations = [each.as_dict() for each in self.simulations]
        checks = [each.as_dict() for each in self.checks]
        found = document(self.result, self.widths) | {"simulations": simulations, "checks": checks}
        return found | ({"certificates": self.certificates.as_dict()["cells"]} if self.certificates else {})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. argv: without the program's name; None for sys.argv."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help or what is wrong
        return int(stop.code or 0)
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # parallelism is by processes
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except (Refused, Unwritable) as error:
        print(f"memcurse: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        print(f"memcurse: {error}", file=sys.stderr)
        return 1
    except Interrupted as error:
        print(f"memcurse: {error}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("memcurse: interrupted, nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` say, has seen enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="memcurse",
        description="Measure how much long memory costs a linear RNN, in training time and in width.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, run, what in (
        ("derive", _derive, "the loss, its gradient and flow, slow flow and lower bound, as formulas"),
        ("escape", _escape, "the escape time of every cell, to the digits asked"),
        ("plateaus", _plateaus, "every plateau of every cell along its whole trajectory, and how that ends"),
        ("width", _width, "how many hidden units every target needs, proved from both sides"),
        ("simulate", _simulate, "train the network of the cells where that is affordable"),
        ("verify", _verify, "cross-check: everything computed twice, by independent routes"),
        ("report", _report, "all of it, as one HTML page with figures and data"),
    ):
        command = commands.add_parser(name, help=what, description=what, epilog=GUIDE)
        command.set_defaults(run=run)
        command.add_argument("study", metavar="STUDY", help="a TOML file, or the name of a shipped study")
        command.add_argument("--json", action="store_true", help="print JSON only")
        if name == "derive":
            command.add_argument("--latex", action="store_true", help="print the body of an align* for each object")
            continue
        whose = "singular values" if name == "width" else "escape times"
        command.add_argument("--digits", metavar="N", type=integer, help=f"significant digits wanted of {whose}")
        folder = "report" if name == "report" else None
        where = "the folder for the report (report)" if folder else "write results.json to this folder too"
        add_options(command, folder, where, keeps=name not in ("plateaus", "width"))
    proofs = "escape times between two numbers, proved; and files of such proofs, proved again"
    certify = commands.add_parser("certify", help=proofs, description=proofs, epilog=GUIDE)
    certify.set_defaults(run=_certify)
    certify_command.add(certify)
    export = commands.add_parser("export", help="all cells of a store, as CSV or JSON", epilog=GUIDE)
    export.set_defaults(run=_export)
    export.add_argument("store", metavar="STORE", type=Path, help="the file that --store or --out has made")
    export.add_argument("--json", action="store_true", help="print JSON, not CSV")
    studies = commands.add_parser("studies", help="the shipped studies", description="the shipped studies")
    studies.set_defaults(run=_studies)
    studies.add_argument("--json", action="store_true", help="print JSON only")
    return parser


class _Version(argparse.Action):
    """Like argparse's own, but the version is looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from verify.provenance import version

        print(f"memcurse {version()}")
        parser.exit()


def _studies(arguments: argparse.Namespace) -> int:
    from verify import terminal
    from verify.study import shipped

    if arguments.json:
        _print_json({"studies": [{"name": name, "description": what} for name, what in shipped().items()]})
    else:
        terminal.table("Shipped studies", ("study", "what it shows"), list(shipped().items()))
    return 0


def _derive(arguments: argparse.Namespace) -> int:
    study = _load(arguments.study)
    from verify.derivation import Derived, as_latex, derived
    from verify.sweep import label
    from verify.width_derivation import derived_of_width

    parameters, objects = dict[str, str](), list[Derived]()
    if study.width:
        parameters, objects = study.width.cells[0].parameters, derived_of_width(study.width.cells[0].target)
    if study.cells:
        parameters, objects = study.cells[0].parameters, [*derived(study.cells[0].problem), *objects]
    if arguments.json:
        shown = [each.as_dict() for each in objects]
        _print_json({"study": study.name, "parameters": parameters, "objects": shown})
    elif arguments.latex:
        print(as_latex(objects))
    else:
        print(f"Study {study.name}; what depends on the problem is that of {label(parameters)}.")
        for each in objects:
            print(f"\n{each.name}\n\n{each.unicode}")
    return 0


def _escape(arguments: argparse.Namespace) -> int:
    study = _escaping(arguments)
    with means(arguments) as given:
        result = _computed(study, arguments, given)
        document = result.as_dict()
        _write_json(document, given.folder)
    if arguments.json:
        _print_json(document)
    else:
        from verify import tables

        tables.print_result(result)
    return _told(result.shortcomings)


def _plateaus(arguments: argparse.Namespace) -> int:
    study = _escaping(arguments)
    with means(arguments) as given:
        found = _histories(study, arguments, given.executor)
        document = found.as_dict()
        _write_json(document, given.folder)
        if given.folder is not None:
            from verify.history_figure import history_pictures

            with writing(given.folder.parent):
                for picture in history_pictures(found):
                    picture.save(given.folder)
    if arguments.json:
        _print_json(document)
    else:
        from verify import tables

        tables.print_histories(found)
    return _told(found.shortcomings)


def _width(arguments: argparse.Namespace) -> int:
    study = _study(arguments)
    if study.width is None:
        raise Refused(f"study {study.name}: width: is missing; add a section [width] with widths = [1, 2, 4]")
    with means(arguments) as given:
        found = _widths(study, arguments, given.executor)
        document = found.as_dict()
        _write_json(document, given.folder)
    if arguments.json:
        _print_json(document)
    else:
        from verify import width_tables

        width_tables.print_widths(found)
    return _told(found.shortcomings)


def _certify(arguments: argparse.Namespace) -> int:
    if certify_command.given(arguments):
        return _check(arguments)
    study = _escaping(arguments)
    with means(arguments) as given:
        found = certify_command.certificates(study, arguments, given)
        document = found.as_dict()
        _write_json(document, given.folder)
    if arguments.json:
        _print_json(document)
    else:
        certify_command.print_certificates(found)
    return _told(found.shortcomings)


def _check(arguments: argparse.Namespace) -> int:
    found = certify_command.verdicts(arguments)
    if arguments.json:
        _print_json({"files": [each.as_dict() for each in found]})
    else:
        certify_command.print_verdicts(found)
    status, said = certify_command.status(found)
    return max(status, _told(said))


def _simulate(arguments: argparse.Namespace) -> int:
    study = _escaping(arguments)
    if study.simulate is None:
        way_out = 'add a section [simulate] with dt = "0.2" and eta = "0.04"'
        raise Refused(f"study {study.name}: simulate: is missing; {way_out}")
    with means(arguments) as given:
        result = _computed(study, arguments, given)
        simulations = _simulated(result, arguments, given.executor)
        document = result.as_dict() | {"simulations": [each.as_dict() for each in simulations]}
        _write_json(document, given.folder)
    if arguments.json:
        _print_json(document)
    else:
        from verify import tables

        tables.print_simulations(simulations)
    return _told(result.shortcomings)


def _verify(arguments: argparse.Namespace) -> int:
    study = _study(arguments)
    with means(arguments) as given:
        found = _everything(study, arguments, given)
        document = found.as_dict()
        _write_json(document, given.folder)
    if arguments.json:
        _print_json(document)
    else:
        from verify import tables

        tables.print_checks(found.checks)
    return _status(found)


def _report(arguments: argparse.Namespace) -> int:
    study = _study(arguments)
    with means(arguments) as given:
        found = _everything(study, arguments, given)
        histories = _histories(study, arguments, given.executor) if study.plateaus.wanted and study.cells else None
        from verify import report, terminal

        assert given.folder is not None  # --out has a default here
        with terminal.status(not arguments.json) as tell, writing(arguments.out):
            report.write(
                study, found.result, found.checks, found.simulations, given.folder,
                histories=histories, widths=found.widths, certificates=found.certificates, progress=tell,
            )  # fmt: skip
    where = arguments.out.resolve() / "index.html"
    if arguments.json:
        document = found.as_dict()
        if histories:
            document["histories"] = histories.as_dict()["cells"]
        _print_json(document | {"report": str(where)})
    else:
        print(f"The report is {where}")
    return _status(found)


def _export(arguments: argparse.Namespace) -> int:
    from verify.export import write_csv, write_json
    from verify.store import Store, StoreError

    try:
        with Store(arguments.store, create=False) as store:
            (write_json if arguments.json else write_csv)(store, sys.stdout)
    except StoreError as error:
        raise Refused(error) from None
    return 0


def _load(name: str) -> "Study":
    from verify.study import StudyError, load

    try:
        return load(name)
    except StudyError as error:
        raise Refused(error) from None


def _study(arguments: argparse.Namespace) -> "Study":
    """The study, after a look at the options that go with it."""
    from verify.study import StudyError, digits_wanted
    from verify.width_study import hankel_digits

    try:
        if arguments.digits is not None:
            (hankel_digits if arguments.run is _width else digits_wanted)(arguments.digits, "--digits")
    except StudyError as error:
        raise Refused(error) from None
    return _load(arguments.study)


def _escaping(arguments: argparse.Namespace) -> "Study":
    """The study, which must be about an escape."""
    study = _study(arguments)
    if not study.cells:
        way_out = "add [start] and [escape], or ask for `memcurse width`"
        raise Refused(f"study {study.name}: start: is missing, the study is about width only; {way_out}")
    return study


def _everything(study: "Study", arguments: argparse.Namespace, given: Means) -> Everything:
    result, widths, certificates, checks = None, None, None, list["Check"]()
    simulations: Sequence[Simulated] = ()
    if study.cells:
        result = _computed(study, arguments, given)
        simulations = _simulated(result, arguments, given.executor)
        checks += _checked(study, result, simulations, arguments)
        if study.certify:
            from verify import compare_certified

            certificates = certify_command.certificates(study, arguments, given)
            checks += compare_certified.checks(result, certificates)
    if study.width:
        from verify import terminal, width_compare

        widths = _widths(study, arguments, given.executor)
        with terminal.progress("Cross-checks of width", not arguments.json) as bar:
            checks += width_compare.checks(widths, progress=bar)
    return Everything(result, simulations, widths, certificates, checks)


def _widths(study: "Study", arguments: argparse.Namespace, executor: Executor | None) -> "StudyWidths":
    from verify import terminal, widths

    with terminal.progress("Widths", not arguments.json) as bar:
        digits = None if arguments.digits is None else min(arguments.digits, widths.MOST_DIGITS)
        return widths.measure(study, digits=digits, executor=executor, progress=bar)


def _computed(study: "Study", arguments: argparse.Namespace, given: Means) -> "StudyResult":
    from verify import sweep, terminal

    options: dict[str, Any] = {"digits": arguments.digits, "fresh": arguments.fresh}
    with terminal.progress("Escape times", not arguments.json) as bar:
        try:
            result = sweep.run(study, executor=given.executor, store=given.store, progress=bar, **options)
        except sweep.OtherSources as error:
            raise Refused(f"--dask: a worker has {error}") from None
    if given.store and result.found and not arguments.json:
        print(f"memcurse: {result.found} of {len(result.cells)} cells were in {given.store.path}", file=sys.stderr)
    return result


def _histories(study: "Study", arguments: argparse.Namespace, executor: Executor | None) -> "StudyHistories":
    from verify import histories, terminal

    with terminal.progress("Plateaus", not arguments.json) as bar:
        return histories.follow(study, digits=arguments.digits, executor=executor, progress=bar)


def _simulated(
    result: "StudyResult", arguments: argparse.Namespace, executor: Executor | None
) -> "tuple[Simulated, ...]":
    from verify import sampling, terminal

    with terminal.progress("Simulations", not arguments.json) as bar:
        return sampling.simulate(result, map=executor.map if executor else map, progress=bar)


def _checked(
    study: "Study", result: "StudyResult", simulations: "Sequence[Simulated]", arguments: argparse.Namespace
) -> "Sequence[Check]":
    from verify import compare, terminal

    with terminal.progress("Cross-checks", not arguments.json) as bar:
        try:
            return compare.checks(study, result, simulations, progress=bar)
        except ValueError as error:  # no check can be made of any cell
            raise Failed("; ".join([*result.shortcomings, str(error)])) from None


def _status(found: "Everything") -> int:
    """0, or 1 with the reasons on stderr."""
    failed = [f"{check.name} ({check.cell})" for check in found.checks if not check.passed]
    said = [each for part in (found.result, found.widths, found.certificates) if part for each in part.shortcomings]
    if failed:
        said.append(f"{len(failed)} of {len(found.checks)} cross-checks failed: {', '.join(failed)}")
    return _told(said)


def _told(found: Sequence[str]) -> int:
    """0, or 1 with what was found amiss on stderr."""
    if found:
        print(f"memcurse: {'; '.join(found)}", file=sys.stderr)
    return int(bool(found))


def _write_json(document: dict[str, Any], folder: Path | None) -> None:
    if folder is not None:
        with writing(folder.parent):
            text = json.dumps(document, indent=1, allow_nan=False)
            (folder / "results.json").write_text(text + "\n", encoding="utf-8")


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


if __name__ == "__main__":
    sys.exit(main())
