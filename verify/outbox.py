"""Files that appear in the output folder all at once, when they are complete, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from verify.workers import uninterrupted


class Unwritable(Exception):
    """The output folder cannot be written to; the message says why, and the way out."""


@contextmanager
def outbox(folder: Path) -> Iterator[Path]:
    """A fresh folder to write to, whose files move into `folder` at the end.

    Raises Unwritable before the block, where nothing can be written. After an exception all is as it was before.
    """
    created = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    staging = None
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".memcurse-", dir=folder))
        yield staging
        with writing(folder), uninterrupted():
            for path in sorted(each for each in staging.rglob("*") if each.is_file()):
                final = folder / path.relative_to(staging)
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, final)
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for each in created:
            with suppress(OSError):  # it holds something now, or was never made
                each.rmdir()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an OSError of the block into Unwritable."""
    try:
        yield
    except OSError as error:
        way_out = "choose a folder that you may write to, with space left"
        raise Unwritable(f"--out: must be a writable folder, got '{folder}': {error.strerror}; {way_out}") from None
