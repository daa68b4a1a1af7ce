"""`memcurse certify`: certificates of the cells of a study, their files, and files proved again."""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verify.means import Interrupted, Refused, add_options, integer
from verify.outbox import writing

if TYPE_CHECKING:
    from verify.certificate.checking import Verdict
    from verify.certified import StudyCertificates
    from verify.means import Means
    from verify.study import Study

RECIPES = ("time", "slow-rate", "plateaus")


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("study", metavar="STUDY", nargs="?", help="a TOML file, or the name of a shipped study")
    again = "prove the certificates in these files again, from what they hold alone"
    command.add_argument("--check", metavar="FILE", nargs="+", type=Path, help=again)
    command.add_argument("--json", action="store_true", help="print JSON only")
    command.add_argument("--digits", metavar="N", type=integer, help="digits to be certified of escape times")
    how = "how to prove it, chosen by itself if left out; plateaus: when each is entered and left, in place of tau"
    command.add_argument("--recipe", choices=RECIPES, help=how)
    limit = "stop a cell after so many seconds; it is not certified then"
    command.add_argument("--max-seconds", metavar="S", type=integer, help=limit)
    add_options(command, None, "write a certificate file for each cell, and results.json, to this folder", keeps=False)


def given(arguments: argparse.Namespace) -> bool:
    """Whether files are to be checked; Refused where neither a study nor a file is given, or both are."""
    if (arguments.study is None) == (arguments.check is None):
        raise Refused("certify: needs a study, or --check FILE, and not both")
    if arguments.check and (arguments.digits, arguments.recipe, arguments.max_seconds, arguments.out) != (None,) * 4:
        raise Refused("--check: takes the file as it is; leave out --digits, --recipe, --max-seconds and --out")
    if arguments.max_seconds is not None and arguments.max_seconds < 1:
        raise Refused(f"--max-seconds: must be >= 1, got {arguments.max_seconds}")
    return arguments.check is not None


def certificates(study: "Study", arguments: argparse.Namespace, means: "Means") -> "StudyCertificates":
    """Those of a study, files in the folder of --out where there is one. Of --recipe and --max-seconds, if given."""
    from verify import terminal
    from verify.certified import certify_study

    limit = getattr(arguments, "max_seconds", None)
    options: dict[str, Any] = {} if limit is None else {"max_seconds": float(limit)}
    options |= {"recipe": getattr(arguments, "recipe", None), "folder": arguments.out, "executor": means.executor}
    with terminal.progress("Certificates", not arguments.json) as bar:
        try:
            with writing(arguments.out) if arguments.out else nullcontext():
                return certify_study(study, digits=arguments.digits, progress=bar, **options)
        except KeyboardInterrupt:
            if arguments.out is None:
                raise
            safe = f"the certificates made so far are safe in {arguments.out}"
            raise Interrupted(f"interrupted, {safe}; the same command goes on from there") from None


def verdicts(arguments: argparse.Namespace) -> "Sequence[Verdict]":
    """What became of the files of --check."""
    from verify import terminal
    from verify.certificate.checking import check

    found = []
    with terminal.progress("Proofs", not arguments.json) as bar:
        for path in arguments.check:
            found.append(check(path))
            if bar:
                bar(len(found), len(arguments.check))
    return found


def print_certificates(found: "StudyCertificates") -> None:
    """A line a cell: what is proved, how, and why by this recipe; then one a plateau, where these were asked for."""
    from verify import terminal
    from verify.finding import between
    from verify.sweep import label

    columns = ("cell", "outcome", "lower", "upper", "digits", "recipe", "working digits", "seconds", "why")
    rows = []
    for cell in found.cells:
        one = cell.certificate
        proof = one.digits, one.recipe, one.working_digits, f"{one.seconds:.2f}"
        rows.append((label(cell.parameters), one.outcome, one.lower, one.upper, *proof, one.why or one.reason))
    terminal.table(f"Study {found.study.name}: certificates", columns, rows, sentences=1)
    stays = [
        (label(cell.parameters), i, *(between(*each[name]) for name in ("entered", "left", "lasts")))
        for cell in found.cells
        for i, each in enumerate((cell.certificate.also or {}).get("plateaus", ()), 1)
    ]
    if stays:
        print()
        terminal.table("Plateaus, proved", ("cell", "plateau", "entered", "left", "lasts"), stays)


def print_verdicts(found: "Sequence[Verdict]") -> None:
    """A line a file."""
    from verify import terminal

    columns = ("file", "", "outcome", "lower", "upper", "recipe", "seconds", "why")
    rows = []
    for each in found:
        said = "proved" if each.accepted else "REFUSED"
        claim = (each.claim.outcome, each.claim.lower, each.claim.upper) if each.claim else (None,) * 3
        rows.append((each.file, said, *claim, each.recipe, f"{each.seconds:.2f}", each.reason))
    terminal.table("Certificates, proved again", columns, rows, sentences=1)


def status(found: "Sequence[Verdict]") -> tuple[int, list[str]]:
    """Exit code, and a sentence for every file that is not accepted: 2 for one that is no certificate, else 1."""
    said = [each.reason if each.bad else f"{each.file}: {each.reason}" for each in found if not each.accepted]
    return 2 if any(each.bad for each in found) else int(bool(said)), said
