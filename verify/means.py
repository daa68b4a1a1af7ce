"""What a computing command is given: who computes, where finished cells are kept, where files go."""

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from verify.outbox import outbox
from verify.workers import workers

if TYPE_CHECKING:
    from verify.store import Store

STORE = "cells.sqlite"  # in the folder of --out


class Refused(Exception):
    """Bad usage or input; the message says what, why, and the way out."""


class Interrupted(Exception):
    """Ctrl-C; the message says what is safe, and how to go on."""


class Means(NamedTuple):
    """folder: to write to, None without --out. executor: None for this process. store: None where nothing is kept."""

    folder: Path | None
    executor: Executor | None
    store: "Store | None"


def add_options(command: argparse.ArgumentParser, folder: str | None, where: str, *, keeps: bool) -> None:
    """The options that `means` reads. folder: the default of --out; where: its help. keeps: in a store."""
    command.add_argument("--out", metavar="DIR", type=Path, default=folder, help=where)
    command.add_argument("--jobs", metavar="N", type=integer, default=1, help="worker processes (1)")
    command.add_argument("--dask", metavar="ADDRESS", help="compute on the workers of a running Dask scheduler")
    command.set_defaults(keeps=keeps, store=None, fresh=False)
    if not keeps:
        return
    kept = f"keep finished cells in this file and take them from it ({STORE} in the folder of --out)"
    command.add_argument("--store", metavar="FILE", type=Path, help=kept)
    command.add_argument("--fresh", action="store_true", help="compute every cell, in the store or not")


def integer(text: str) -> int:
    """An integer of the command line."""
    if not text.isascii() or not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}; write for example 20")
    return int(text)


@contextmanager
def means(arguments: argparse.Namespace) -> Iterator[Means]:
    """Folder, executor and store of a command, with Refused where they are no use and Interrupted after a Ctrl-C."""
    if arguments.jobs < 1:
        raise Refused(f"--jobs: must be >= 1, got {arguments.jobs}; it is the number of worker processes")
    if arguments.dask and arguments.jobs > 1:
        raise Refused("--dask: has workers of its own; leave out --jobs")
    if arguments.fresh and arguments.store is None and arguments.out is None:
        raise Refused("--fresh: is about a store, and there is none; leave it out, or add --store FILE")
    with _folder(arguments.out) as folder, _executor(arguments) as executor, _store(arguments) as store:
        yield Means(folder, executor, store)


@contextmanager
def _folder(path: Path | None) -> Iterator[Path | None]:
    if path is None:
        yield None
        return
    with outbox(path) as folder:
        yield folder


@contextmanager
def _executor(arguments: argparse.Namespace) -> Iterator[Executor | None]:
    if not arguments.dask:
        with workers(arguments.jobs) as executor:
            yield executor
        return
    from verify.cluster import NoCluster, cluster

    try:
        with cluster(arguments.dask) as executor:
            yield executor
    except NoCluster as error:
        raise Refused(f"--dask: {error}") from None


@contextmanager
def _store(arguments: argparse.Namespace) -> "Iterator[Store | None]":
    if not arguments.keeps:
        yield None
        return
    path = arguments.store or (arguments.out and arguments.out / STORE)
    if path is None:
        try:
            yield None
        except KeyboardInterrupt:
            kept = "--store FILE would have kept what was finished"
            raise Interrupted(f"interrupted, nothing was written; {kept}") from None
        return
    from verify.store import Store, StoreError

    try:
        with Store(path) as store:
            try:
                yield store
            except KeyboardInterrupt:
                command = "the command without --fresh" if arguments.fresh else "the same command"
                many = f"{store.safe} cell{'s are' if store.safe != 1 else ' is'} safe"
                raise Interrupted(f"interrupted, {many} in {path}; {command} goes on from there") from None
    except StoreError as error:
        raise Refused(error) from None
