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


def serve(target: str, seed: int) -> None:
    """Answer each number on stdin by a line: empty, or the traceback of a fault as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        read = reading(target, folder)
        for form in TARGETS[target].forms:
            read(form)  # a valid file, so that modules are loaded before memory is limited
        prepare_process()
        for line in sys.stdin:
            print(json.dumps(try_one(read, input_of(target, seed, int(line)))), flush=True)


def fuzz(target: str, seed: int, seconds: float, first: int) -> tuple[int, dict[int, str]]:
    """Try inputs for some seconds; return how many, and the faults by number."""
    faults: dict[int, str] = {}
    command = [sys.executable, "-m", "tests.fuzz", "--serve", target, "--seed", str(seed)]
    until, number = time.monotonic() + seconds, first
    while time.monotonic() < until:
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdin=-1, stdout=-1, stderr=errors, text=True) as process,
        ):
            assert process.stdin is not None and process.stdout is not None
            answer = "null"
            while answer and time.monotonic() < until:
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
                answer = _answer(process)
                fault = json.loads(answer) if answer else _last_words(process, errors)
                if fault:
                    faults[number] = fault
                number += 1
            process.kill()
    return number - first, faults


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
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.seed)
        return 0
    if options.replay:
        return replay(options.replay)
    tried, failed = {}, {}
    for target in options.targets:
        share = options.seconds / len(options.targets)
        n, faults = fuzz(target, options.seed, share, options.first)
        tried[target], failed[target] = n, [*faults]
        for number, fault in faults.items():
            print(f"{target}, seed {options.seed}, number {number}:\n{fault}", file=sys.stderr)
            if options.faults:
                options.faults.mkdir(parents=True, exist_ok=True)
                content = input_of(target, options.seed, number)
                (options.faults / f"{target}-{options.seed}-{number}").write_bytes(content)
    print(json.dumps({"tried": tried, "faults": {k: v for k, v in failed.items() if v}}))
    return int(any(failed.values()))


if __name__ == "__main__":
    sys.exit(main())
