"""What may become of a program, and the limit of the time it may take."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What became of a program. `kind` names the class of an error, `detail` says more of it."""

    kind: str
    detail: str = ""
    names: tuple[str, ...] = ()
    at: str = ""  # the arguments, as keywords, where it shows at a point

    @property
    def is_wrong(self) -> bool:
        return self.kind not in ("right", "refused", "skipped")


class Wrong(Exception):
    """A promise that is not kept: the class of the error, then what was seen."""


class Differs(Wrong):
    """Two numbers for the same thing."""


class NotFinite(Wrong):
    """A gradient that is infinite or NaN."""


class Skipped(Exception):
    """The program says nothing at this point."""


class Unsettled(Skipped):
    """Difference quotients say nothing."""


class TooLong(BaseException):
    """Time is over; no program may catch it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong when the time is over, where the system has timers. It is that of the
    processor: others use the machine as well.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    start = time.process_time()
    around, _ = signal.setitimer(signal.ITIMER_PROF, seconds)  # what is left of a limit around
    try:
        yield
    finally:
        left = max(1e-3, around - (time.process_time() - start)) if around else 0.0
        signal.signal(signal.SIGPROF, before)
        signal.setitimer(signal.ITIMER_PROF, left)
