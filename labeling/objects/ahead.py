"""Requests to object stores in threads: several at a time, and so that Ctrl-C ends the wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

N_REQUESTS = 16
"""Requests at a time."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], is_remote: bool
) -> Iterator[_Result]:
    """Yield the result of each item, in the order of the items.

    Parameters
    ----------
    function
        Function of an item; where `is_remote`, several threads call it.
    items
        What to call it with.
    is_remote
        True where each call waits for an object store: at most `N_REQUESTS` results are computed
        before they are needed. Else each is computed when it is needed.

    Examples
    --------
    >>> list(in_order(abs, [-2, 1, -3], is_remote=True))
    [2, 1, 3]
    """
    if not is_remote:
        yield from map(function, items)
        return
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(N_REQUESTS)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == N_REQUESTS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # an error of one, or an interrupt, does not wait for those after it
        pool.shutdown(wait=False, cancel_futures=True)


def interruptible(call: Callable[[], _Result]) -> _Result:
    """Return the result of a call, for which the main thread waits so that Ctrl-C ends the wait.

    Without, the interrupt would be seen after the last retry of a request, minutes later.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    result: Future[_Result] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:
            result.set_exception(error)

    # A thread of a pool would be joined when Python ends.
    threading.Thread(target=run, daemon=True).start()
    return result.result()
