"""Speed of training and prediction beside what else one would write, and beside the network alone.

Prints a table of ratios, each from alternating runs in one process, and tables of the times::

    python tests/benchmarks/speed.py [--results FILE] [--write docs/performance.md]
    python tests/benchmarks/speed.py --parts accuracy --accuracy F3_SECTIONS.npz --results FILE

Run it on a machine that does nothing else. With --results, parts can be measured one by one: those
that are in the file already stay, and the tables show all of them. Without --parts everything but
the accuracy is measured; ``--parts none`` makes the page from what the file has.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

import skfacies  # noqa: F401  before torch, as users import it: it sets how OpenMP threads wait

#: Module and function that measure a part.
PARTS = {
    "predict": ("_speed_networks", "measure_predict"),
    "fit": ("_speed_networks", "measure_fit"),
    "imports": ("_speed_surroundings", "measure_imports"),
    "cubes": ("_speed_surroundings", "measure_cubes"),
    "grid": ("_speed_surroundings", "measure_grid"),
    "dask": ("_speed_surroundings", "measure_dask"),
    "accuracy": ("_speed_surroundings", "measure_accuracy"),
}


def main():
    arguments = parse_arguments()
    import torch
    from _speed_tables import Results, describe_machine, format_tables, write_page

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    results = Results(arguments.results, describe_machine())
    for name in arguments.parts:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        module, function = PARTS[name]
        measure = getattr(importlib.import_module(module), function)
        options = {"repeats": arguments.repeats, "quick": arguments.quick}
        if name == "accuracy":
            # A fit takes minutes: what has been trained is kept, and not trained again.
            options = {"path": arguments.accuracy, "seeds": arguments.seeds}
            options |= {"known": results.parts.get(name), "quick": arguments.quick}
            options["save"] = lambda part: results.keep("accuracy", part)
        results.keep(name, measure(**options))
    text = format_tables(results, order=list(PARTS))
    print(text)
    if arguments.write:
        write_page(arguments.write, text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "none"], metavar="PART")
    parser.add_argument("--repeats", type=int, help="rounds; default: as many as the part needs")
    parser.add_argument("--quick", action="store_true", help="tiny data, to see that it works")
    parser.add_argument("--threads", type=int, help="threads of torch; default: torch's own")
    parser.add_argument("--results", type=Path, metavar="FILE", help="JSON that parts are kept in")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page to put the tables into")
    parser.add_argument("--accuracy", type=Path, metavar="NPZ", help="F3 sections, as the example")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    if arguments.parts is None:
        arguments.parts = [name for name in PARTS if name != "accuracy" or arguments.accuracy]
    elif arguments.parts == ["none"]:
        arguments.parts = []
    if "accuracy" in arguments.parts and arguments.accuracy is None:
        parser.error("the part accuracy needs --accuracy NPZ")
    if arguments.write and not arguments.write.is_file():
        parser.error(f"there is no page {arguments.write}")
    if arguments.results and arguments.results.is_file():
        try:
            json.loads(arguments.results.read_text())
        except ValueError as error:
            parser.error(f"{arguments.results} holds no results: {error}")
    return arguments


if __name__ == "__main__":
    main()
