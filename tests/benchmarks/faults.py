"""Damaged files, killed runs, leaks: counts of cases, and of those in which something was wrong.

Prints a line for each kind of case, and each fault with the seed that repeats it::

    python tests/benchmarks/faults.py models --count 10000
    python tests/benchmarks/faults.py segy --count 1 --first 4711
    python tests/benchmarks/faults.py all

The exit status is 1 if there was a fault. It needs Linux: memory is read from ``/proc``.
"""

import argparse
import importlib
import sys
import tempfile
import time
from collections import Counter

#: Module of each subcommand, what its cases are, and how many there are by default.
FILES = {
    "models": ("_fault_models", "mutated model files", 10_000),
    "segy": ("_fault_segy", "mutated SEG-Y files", 10_000),
    "horizons": ("_fault_horizons", "mutated horizon files", 2_000),
}


KILLS = {
    "training": ("killed and resumed trainings", 200),
    "prediction": ("killed and resumed predictions", 100),
    "writing": ("killed write_cube and save_model", 1_000),
}
#: Cycles of the one, and seeds of the other.
PROCESS = {
    "cycles": ("cycles of fit, save, load and predict", 50),
    "threads": ("times that 8 threads predict with one model", 20),
}


def run_files(name, seeds):
    from _fault_worker import run_cases

    module = importlib.import_module(FILES[name][0])
    with tempfile.TemporaryDirectory() as folder:
        module.make_files(folder)
        return run_cases(module.make_case, folder, seeds)


def run_kills(name, seeds):
    from _fault_kills import run_part

    with tempfile.TemporaryDirectory() as folder:
        return run_part(name, seeds, folder)


def run_process(name, seeds):
    import _fault_cycles
    from _fault_worker import Fault

    outcomes = Counter()
    for seed in seeds if name == "threads" else [len(seeds)]:
        try:
            if name == "threads":
                outcomes[_fault_cycles.check_threads(seed)] += 1
            else:
                grown = _fault_cycles.run_cycles(len(seeds))
                outcomes[
                    f"run, in which memory grew by {100 * grown:.2f} % after the tenth cycle"
                ] += 1
        except Fault as fault:
            print(f"seed {seed}: {fault}")
            outcomes["fault"] += 1
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*FILES, *KILLS, *PROCESS, "all"])
    parser.add_argument("--count", type=int, help="cases; default: those of docs/reliability.md")
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    arguments = parser.parse_args()
    n_faults = 0
    known = {name: (what, count, run_files) for name, (_, what, count) in FILES.items()}
    known |= {name: (what, count, run_kills) for name, (what, count) in KILLS.items()}
    known |= {name: (what, count, run_process) for name, (what, count) in PROCESS.items()}
    for name in known if arguments.what == "all" else [arguments.what]:
        what, count, run = known[name]
        count = arguments.count or count
        start = time.monotonic()
        outcomes = run(name, range(arguments.first, arguments.first + count))
        faults = outcomes.pop("fault", 0)
        listed = ", ".join(f"{n} {word}" for word, n in sorted(outcomes.items()))
        print(
            f"{count} {what}: {faults} faults; {listed}; {time.monotonic() - start:.0f} s",
            flush=True,
        )
        n_faults += faults
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
