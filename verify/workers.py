"""Worker processes that end together with the command, without a word: at Ctrl-C, and when it is killed outright."""

import multiprocessing
import os
import signal
import threading
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
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), initializer=_end_with_parent)
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


def _end_with_parent() -> None:
    """In a worker: a parent that was killed can end nobody, so a thread waits for that."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
