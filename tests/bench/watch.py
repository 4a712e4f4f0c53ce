"""Watching a collection in the helper program `seen`, which is faster than Python and notes the times."""
import subprocess
import threading

from base import Trouble, k


class Watch(threading.Thread):
    """fn(kind, name, propagated, drifted, time) for every change of a collection; kind is A(dded), M(odified) or
    D(eleted), time that of time.monotonic()."""

    def __init__(self, world, cluster, resource, namespace, fn):
        super().__init__(daemon=True)
        self.fn, self.closed, self.problem = fn, False, None
        self.process = subprocess.Popen([world.helper("seen"), world.kubeconfig, cluster, k.path_of(resource, namespace)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = threading.Event()
        self.start()
        if not self.ready.wait(60):
            self.close()
            raise Trouble(f"cannot watch {resource} in {cluster}")

    def run(self):
        for line in self.process.stdout:
            if line == "ready\n":
                self.ready.set()
                continue
            seconds, kind, name, propagated, drifted = line.split()
            self.fn(kind, name, propagated == "1", drifted == "1", float(seconds))
        if not self.closed:
            self.problem = "the watching program ended; its message is above"

    def close(self):
        self.closed = True
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.join(10)
        self.process.stdout.close()


class Moments:
    """The times at which names were reported, by member of a set of watches; wait() for all of them."""

    def __init__(self):
        self._times, self._news = {}, threading.Condition()

    def note(self, who, name, now):
        with self._news:
            if who not in self._times.setdefault(name, {}):
                self._times[name][who] = now
                self._news.notify_all()

    def wait(self, name, count, seconds, what):
        """The last of `count` times of that name."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._times.get(name, {})) >= count, seconds):
                raise Trouble(f"{name} is not {what} after {seconds} s")
            return max(self._times[name].values())
