"""Cases in a process that is watched: crashes, hangs and memory are seen from outside.

A case is a function of a seed. It returns a word, such as "refused", and raises what is not
documented. Its process is killed if it takes too long, and started anew for the next seed.
"""

import multiprocessing
import os
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

__all__ = ["Fault", "check_error", "check_memory", "measured", "run_cases"]

#: Seconds for one case, and for a process until it is ready.
TIME_LIMIT, START_LIMIT = 5.0, 300.0
#: How many times as long a process may wait as it may compute.
WAITING = 10
#: Bytes of address space beyond those of a process that is ready. To ask for more is a fault, even
#: if the memory is never used.
SPARE_BYTES = 256 << 20
#: Bytes that do not count: modules that are imported, messages, and what Python keeps.
SMALL = 1 << 20


class Fault(Exception):
    """What must not happen, in a sentence."""


def check_error(error, path):
    """Raise a Fault unless an error is one that a caller expects: it names the file."""
    if not isinstance(error, (ValueError, OSError)):
        raise Fault(f"undocumented {type(error).__name__}: {error}") from error
    if Path(path).name not in str(error):
        raise Fault(f"{type(error).__name__} without the file: {error}") from error
    cause = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise Fault(f"out of memory: {error}") from error
        cause = cause.__cause__


def measured(function):
    """Call a function, and return by how many bytes the resident memory grew at most."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _resident("VmRSS")
    function()
    return _resident("VmHWM") - before


def check_memory(n_bytes, size, usual, what):
    """Raise a Fault if a file of a size took more than 4 times that.

    `usual` is what the intact file takes, which the damaged one may take, too.
    """
    if n_bytes > 4 * size + usual + SMALL:
        raise Fault(f"{n_bytes / 1e6:.1f} MB for a file of {size / 1e6:.3f} MB: {what}")


def _resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def run_cases(make_case, folder, seeds, *, show=print):
    """Run the case that ``make_case(folder)`` gives, seed by seed.

    Returns
    -------
    outcomes : Counter
        Words that cases returned, and "fault".
    """
    outcomes, seeds = Counter(), list(seeds)
    while seeds:
        here, there = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(there, make_case, folder, seeds), daemon=True
        )
        process.start()
        there.close()
        if (first := _next_message(process, here, START_LIMIT)) != ("ready", ""):
            raise RuntimeError(f"the process did not get ready: {first}")
        ended = False
        while seeds and not ended:
            outcome, text = _next_message(process, here, TIME_LIMIT)
            ended = outcome == "ended"
            outcome = "fault" if ended else outcome
            outcomes[outcome] += 1
            if outcome == "fault":
                show(f"seed {seeds[0]}: {text}")
            del seeds[0]
            if sum(outcomes.values()) % 1000 == 0:
                print(f"{sum(outcomes.values())} cases: {dict(outcomes)}", file=sys.stderr)
        process.kill()
        process.join()
        here.close()
    return outcomes


def _next_message(process, connection, limit):
    """What a process sends next; ("ended", why) if it crashes, or computes or waits for too long.

    On a machine with other work, what counts is the time that the process itself computes.
    """
    start, used = time.monotonic(), _seconds_used(process.pid)
    try:
        while not connection.poll(0.5):
            spent = _seconds_used(process.pid) - used
            if spent > limit or time.monotonic() - start > WAITING * limit:
                return "ended", f"hang, {spent:.1f} s of work"
        return connection.recv()
    except (EOFError, FileNotFoundError):
        process.join()
        return "ended", f"crash, exit status {process.exitcode}"


def _seconds_used(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(connection, make_case, folder, seeds):
    warnings.simplefilter("ignore")
    case = make_case(folder)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + SPARE_BYTES, resource.RLIM_INFINITY))
    connection.send(("ready", ""))
    for seed in seeds:
        try:
            outcome, text = case(seed), ""
        except Fault as fault:
            outcome, text = "fault", str(fault)
        except BaseException:
            outcome, text = "fault", traceback.format_exc()
        connection.send((outcome, text))
