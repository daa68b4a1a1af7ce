"""A point in time at which a computation ends, wherever it is.

The integrators look at the clock between their steps; a formula, a quadrature or a compilation does not. At the
deadline TimeIsUp is raised inside the computation, between two instructions of Python: a single call into a library in
C is finished first. It works in every thread, as those of Dask's workers, and takes no signal: those are the caller's.

TimeIsUp is no Exception, so that no `except Exception` on the way takes it for an answer.
"""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc


class TimeIsUp(BaseException):
    """The deadline came before the end of the computation."""


@contextmanager
def deadline(moment: float) -> Iterator[None]:
    """Raises TimeIsUp in the block once time.perf_counter() reaches `moment`; math.inf for never. They may not nest."""
    left = moment - time.perf_counter()
    if left <= 0:
        raise TimeIsUp
    if left > threading.TIMEOUT_MAX:  # centuries, which no timer takes
        yield
        return
    here = ctypes.c_ulong(threading.get_ident())
    timer = threading.Timer(left, _raise_in, (here, ctypes.py_object(TimeIsUp)))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        _raise_in(here, None)  # fired, but not raised yet: the block has ended by itself
