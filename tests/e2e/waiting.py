"""Waiting with deadlines and comparing: what the tests use instead of sleeping."""
import json
import os
import sys
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import kubeapi as k  # noqa: E402

RETRYABLE = (AssertionError, k.ApiError, k.Unreachable, KeyError, IndexError, TypeError)


class Skip(Exception):
    """The test cannot run here; the text says why."""


def slowness():
    return float(os.environ.get("E2E_SLOW", "1"))


def eventually(check, timeout=90, pause=0.05):
    """Calls check() until it does not raise, and returns what it returns; at the deadline its last error is raised."""
    deadline = time.monotonic() + timeout * slowness()
    while True:
        try:
            return check()
        except RETRYABLE as e:
            if time.monotonic() >= deadline:
                raise AssertionError(f"not within {timeout * slowness():.0f} s: {describe_error(e)}") from e
        time.sleep(pause)


def stays(check, seconds):
    """check() must hold now and at every look during that many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        check()
        if time.monotonic() >= deadline:
            return
        time.sleep(0.1)


def describe_error(e):
    if isinstance(e, KeyError):
        return f"missing key {e}"
    if isinstance(e, AssertionError) and not e.args:
        frames = traceback.extract_tb(e.__traceback__)
        return f"assert failed: {frames[-1].line}"
    return f"{type(e).__name__}: {e}" if not isinstance(e, AssertionError) else str(e)


def expect(actual, expected, what):
    assert actual == expected, f"{what}: expected {show(expected)}, is {show(actual)}"


def show(value, most=1500):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= most else text[:most] + "..."
