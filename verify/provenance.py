"""Where a result comes from: the version of memcurse, Python, the libraries, the study."""

import platform
from importlib import metadata
from typing import Any

LIBRARIES = ("sympy", "mpmath", "numpy", "scipy", "python-flint")


def version() -> str:
    """The installed version of memcurse; '0+checkout' where it is imported without being installed."""
    try:
        return metadata.version("memcurse")
    except metadata.PackageNotFoundError:
        return "0+checkout"


def provenance(name: str, source: str, digits: int) -> dict[str, Any]:
    """Ready for JSON: all that is needed to compute the same numbers again. source: the text of the study."""
    return {
        "version": version(),
        "python": platform.python_version(),
        "libraries": {library: metadata.version(library) for library in LIBRARIES},
        "study": name,
        "study_text": source,
        "digits": digits,
    }
