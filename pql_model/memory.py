"""Peak memory of this process, on every operating system."""

from __future__ import annotations

import sys


def peak_memory_mb() -> float:
    """Measure the largest amount of memory that this process has held so far, in MB.

    Examples
    --------
    >>> peak_memory_mb() > 1
    True
    """
    if sys.platform == "win32":
        import psutil

        return round(float(psutil.Process().memory_info().peak_wset) / 2**20, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
