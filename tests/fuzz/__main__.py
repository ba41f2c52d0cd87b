"""Read mutated files with every reader, and keep those that a reader cannot take.

    python -m tests.fuzz --seconds 60
    python -m tests.fuzz --seconds 600 --targets warc.gz page --seed 3 --faults faults
    python -m tests.fuzz --replay faults/page-3-117

A reader may reject parts of a file, and may refuse it by an error of winnow. Anything else is a
fault: another error, the end of the process, more than 5 seconds of CPU, or more than 1 GB of
memory. Each input depends on seed, target and number alone. The last line is JSON; the exit code is
1 if there are faults.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from labeling.errors import WinnowError
from tests.fuzz.hostile_pages import hostile_page
from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS, prepare, reading

CPU_SECONDS = 5
MEMORY = 1 << 30
STUCK_SECONDS = 90
"""Seconds without an answer after which a process is killed: a loop in C ignores signals."""


FEWEST = 20
"""Inputs of each target before time is shared: one of Parquet takes as long as a hundred others."""


class Hang(BaseException):
    """More than `CPU_SECONDS` for one input; no reader may catch it."""


def input_of(target: str, seed: int, number: int) -> bytes:
    """Return one mutated file; of pages, every third is a hostile one."""
    rng = random.Random(f"{seed}-{target}-{number}")
    if target == "page" and number % 3 == 2:
        return hostile_page(rng)
    forms = TARGETS[target].forms
    return mutate(rng.choice(forms), forms, rng)


def try_one(read: Any, content: bytes) -> str | None:
    """Read a file; return the traceback of a fault, or None."""
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        read(content)
    except WinnowError:
        return None
    except (Exception, Hang):
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return None


def prepare_process() -> None:
    """Limit memory, count CPU time, and turn warnings into errors."""

    def hang(number: int, frame: object) -> None:
        raise Hang

    signal.signal(signal.SIGVTALRM, hang)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("error")


def serve(targets: Sequence[str], seed: int) -> None:
    """Answer each target and number on stdin by a line: null, or the traceback of a fault.

    The first line, null, is printed before any is read.
    """
    with tempfile.TemporaryDirectory() as name:
        reads = {}
        for target in targets:
            folder = Path(name, target)
            folder.mkdir()
            prepare(folder)
            reads[target] = reading(target, folder)
            for form in TARGETS[target].forms:
                reads[target](form)  # loads modules before memory is limited
        prepare_process()
        print("null", flush=True)  # is ready
        for line in sys.stdin:
            target, number = line.split()
            fault = try_one(reads[target], input_of(target, seed, int(number)))
            print(json.dumps(fault), flush=True)


def fuzz(
    targets: Sequence[str], seed: int, seconds: float, first: int
) -> tuple[dict[str, int], dict[str, dict[int, str]]]:
    """Try inputs for some seconds; return how many of each target, and the faults by number."""
    tried, spent = dict.fromkeys(targets, 0), dict.fromkeys(targets, 0.0)
    faults: dict[str, dict[int, str]] = {target: {} for target in targets}
    command = [sys.executable, "-m", "tests.fuzz", "--seed", str(seed), "--serve", *targets]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdin=-1, stdout=-1, stderr=errors, text=True) as process,
        ):
            assert process.stdin is not None and process.stdout is not None
            if not (answer := _answer(process)):
                raise RuntimeError(_last_words(process, errors))
            while answer and time.monotonic() < until:
                target = next_target(tried, spent)
                number, start = first + tried[target], time.monotonic()
                process.stdin.write(f"{target} {number}\n")
                process.stdin.flush()
                answer = _answer(process)
                fault = json.loads(answer) if answer else _last_words(process, errors)
                if fault:
                    faults[target][number] = fault
                tried[target] += 1
                spent[target] += time.monotonic() - start
            process.kill()
    return tried, faults


def next_target(tried: Mapping[str, int], spent: Mapping[str, float]) -> str:
    """Return the target with the fewest inputs, up to `FEWEST`, then with the least time."""
    return min(tried, key=lambda target: (min(tried[target], FEWEST), spent[target]))


def _last_words(process: subprocess.Popen[str], errors: IO[str]) -> str:
    status = process.wait()
    errors.seek(0)
    return f"the process ended with {status}:\n{errors.read()[-2000:]}"


def _answer(process: subprocess.Popen[str]) -> str:
    """Return the next line; an empty text if the process has ended or is stuck."""
    assert process.stdout is not None
    watchdog = threading.Timer(STUCK_SECONDS, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline()
    finally:
        watchdog.cancel()


def replay(path: Path) -> int:
    """Read one file again in this process, and print the fault."""
    target = path.name.rsplit("-", 2)[0]
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        read = reading(target, Path(name))
        prepare_process()
        fault = try_one(read, path.read_bytes())
    print(fault or "no fault")
    return int(fault is not None)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--targets", nargs="+", choices=[*TARGETS], default=[*TARGETS])
    parser.add_argument("--faults", type=Path, help="folder for the inputs that are faults")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.seed)
        return 0
    if options.replay:
        return replay(options.replay)
    tried, failed = fuzz(options.targets, options.seed, options.seconds, options.first)
    for target, faults in failed.items():
        for number, fault in faults.items():
            print(f"{target}, seed {options.seed}, number {number}:\n{fault}", file=sys.stderr)
            if options.faults:
                options.faults.mkdir(parents=True, exist_ok=True)
                content = input_of(target, options.seed, number)
                (options.faults / f"{target}-{options.seed}-{number}").write_bytes(content)
    print(json.dumps({"tried": tried, "faults": {k: [*v] for k, v in failed.items() if v}}))
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
