"""A running Dask scheduler as an executor: its workers must be there, and compute what we would.

A worker runs cells in threads; they take turns, since the precision of Arb belongs to the process (verify/cell.py). So
start workers of one thread: `dask worker ADDRESS --nthreads 1 --nworkers 8`. Ctrl-C takes back the cells that are not
begun; a cell that a worker is at goes on there to its end, and nobody hears of it.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from verify.deadline import TimeIsUp, deadline
from verify.identity import basis
from verify.sweep import OtherSources, same_basis

CONNECT = 5.0  # seconds that a scheduler has to answer, and to have a worker


class NoCluster(Exception):
    """There is no scheduler at the address, or its workers do not serve; the message says why, and the way out."""


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """An executor on the workers of the Dask scheduler at `address`, such as tcp://10.0.0.1:8786.

    Raises NoCluster where Dask is not installed, nothing answers within CONNECT seconds, no worker is there, or one of
    them has other sources or libraries than this process.
    """
    try:
        from distributed import Client
        from distributed.comm import resolve_address
    except ImportError:
        raise NoCluster("needs Dask, which is not installed; run pip install 'memcurse[dask]'") from None
    try:
        resolve_address(address)  # a Client made in vain would be noticed at the end of the process, with a traceback
        with deadline(time.perf_counter() + 2 * CONNECT):  # what speaks another language there is waited for in vain
            client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeIsUp) as error:
        why = str(error) or "whatever listens there is no scheduler"
        way_out = "start one with `dask scheduler`, and give the address that it prints, such as tcp://127.0.0.1:8786"
        raise NoCluster(f"no Dask scheduler answers at '{address}': {why}; {way_out}") from None
    with client:
        _check_workers(client, address)
        yield client.get_executor(pure=False)


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        way_out = f"start some with `dask worker {address} --nthreads 1`"
        raise NoCluster(f"the scheduler at '{address}' has no workers; {way_out}") from None
    try:
        client.run(same_basis, dict(basis()))
    except OtherSources as error:
        raise NoCluster(f"a worker of '{address}' has {error}") from None
    except ImportError as error:
        way_out = "install the same memcurse there"
        raise NoCluster(f"a worker of '{address}' cannot run memcurse: {error}; {way_out}") from None
