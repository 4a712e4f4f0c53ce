"""Starting, finding and ending processes. A process is known by its pid and start time, so that a pid that was given to
somebody else is never touched; and each one carries the mark of its lab in its environment, so that even one that was
started in the moment when the lab program was killed is found."""
import os
import select
import signal
import subprocess
import time

MARK = "KUBEFED_LAB"
STOP_SECONDS = 10


def start_time(pid):
    """In clock ticks since boot; None when there is no such process (a zombie is none)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def alive(state, key):
    """The pid of a process of this lab, or None."""
    known = state.processes.get(key)
    if known and start_time(known["pid"]) == known["start"]:
        return known["pid"]
    return None


def launch(state, key, command, log, environment=None):
    """Starts a process that outlives us, in a session of its own, output to the file `log`."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                   cwd=state.dir, env={**os.environ, **(environment or {}), MARK: state.mark})
    state.processes[key] = {"pid": process.pid, "start": start_time(process.pid)}
    state.write()
    return process


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def end(pids, gently):
    """Ends processes and waits until they are gone; `gently` gives them time to finish."""
    starts = {pid: start_time(pid) for pid in pids}
    for pid in pids:
        _signal(pid, signal.SIGTERM if gently else signal.SIGKILL)
        _signal(pid, signal.SIGCONT)
    deadline = time.monotonic() + STOP_SECONDS
    left = [pid for pid in pids if starts[pid] is not None]
    while left:
        for pid in left:
            _reap(pid)
        left = [pid for pid in left if start_time(pid) == starts[pid]]
        if left and time.monotonic() > deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(0.01)


def marked(state):
    """Pids of all processes with the mark of this lab, whoever knows of them."""
    wanted = f"{MARK}={state.mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as f:
                if wanted in f.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass
    return found


# ---- ending the lab together with another process

def watch(state, pid, program):
    if alive(state, "guard"):
        return
    launch(state, "guard", [*program, "guard", "--dir", state.dir, "--pid", str(pid)], state.path_of("guard.log"))


def guard(folder, pid, down):
    """Waits for the end of `pid`, then takes the lab down. Ends by itself when the lab is gone before."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        handle = None
    while os.path.exists(os.path.join(folder, "state.json")):
        if handle is None or select.select([handle], [], [], 1)[0]:
            down()
            return
