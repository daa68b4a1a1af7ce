"""Worker processes that a Ctrl-C ends together with the command, without a word from any of them."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def workers(jobs: int) -> Iterator[Executor | None]:
    """A pool of `jobs` processes, or None for one; an exception terminates them.

    They are forked, so the caller should have no other threads; what takes seconds to import is imported before, once.
    """
    if jobs == 1:
        yield None
        return
    import verify.sampling  # noqa: F401 - with all that workers run

    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork"))
    try:
        with uninterrupted():  # they inherit the mask: Ctrl-C is for this process, which then ends them
            executor.submit(int)
        yield executor
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
