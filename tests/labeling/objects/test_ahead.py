from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from labeling.objects.ahead import N_REQUESTS, in_order, interruptible


def test_results_come_in_order_and_few_are_computed_before_they_are_needed() -> None:
    begun: list[int] = []

    def square(number: int) -> int:
        begun.append(number)
        time.sleep(0.001 * (number % 3))
        return number * number

    results = in_order(square, range(100), is_remote=True)
    assert next(results) == 0
    assert len(begun) <= N_REQUESTS
    assert list(results) == [number * number for number in range(1, 100)]


def test_an_error_is_raised_in_its_place() -> None:
    results = in_order(lambda number: 1 // number, [1, 1, 0, 1], is_remote=True)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_the_main_thread_is_interrupted_while_it_waits() -> None:
    over = threading.Event()
    # Jobs in the background of a script ignore the signal, and so do programs that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait() -> None:
        # From here, so that it comes while the main thread waits, however slow the machine is.
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        over.wait()

    with pytest.raises(KeyboardInterrupt):
        interruptible(wait)
    over.set()
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)
