"""What all parts of the bench share: names, waiting with a deadline, figures of the machine."""
import os
import platform
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import kubeapi as k  # noqa: E402,F401

SYSTEM = "kube-federation-system"
MEMBERS = ("member1", "member2")
CLUSTERS = ("host", *MEMBERS)
FCM, FNS = k.FED + "configmaps", k.FED + "namespaces"
TICKS = os.sysconf("SC_CLK_TCK")


class Trouble(Exception):
    """The measurement cannot be made."""


def until(what, check, seconds, pause=0.02):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise Trouble(f"{what}: not within {seconds} s")
        time.sleep(pause)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_seconds(pid):
    """User and system time of a process so far, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_cpu():
    """(busy, all) seconds of all processors since boot."""
    with open("/proc/stat") as f:
        ticks = [int(x) for x in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS, sum(ticks) / TICKS


def load():
    return " ".join(f"{x:.2f}" for x in os.getloadavg())


def machine():
    """Name and value of what the figures depend on."""
    def first(path, pattern):
        with open(path) as f:
            found = re.search(pattern, f.read(), re.M)
        return found.group(1) if found else "?"
    model = first("/proc/cpuinfo", r"^model name\s*: (.*)$")
    return {"processor": f"{len(os.sched_getaffinity(0))} x {model} ({platform.machine()})",
            "memory": f"{int(first('/proc/meminfo', r'^MemTotal: +([0-9]+)')) // 1024} MiB",
            "kernel": f"{platform.system()} {platform.release()}",
            "system": first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')}
