"""The controller manager as a process, and what the system and its own metrics say of it."""
import http.client
import os
import re
import signal
import subprocess
import time

from base import SYSTEM, Trouble, cpu_seconds, until

LEADS = "Starting cluster controller"


class Manager:
    def __init__(self, world):
        self.world, self.process = world, None

    def start(self):
        log = open(self.world.path("controller-manager.log"), "ab")
        self.offset = log.tell()
        self.began = time.monotonic()
        # It must not survive this program, however that ends.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", os.path.join(self.world.bin, "controller-manager"),
             "--kubeconfig", self.world.kubeconfig, "--kubefed-namespace", SYSTEM,
             "--healthz-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self._port = None

    def log(self):
        with open(self.world.path("controller-manager.log"), errors="replace") as f:
            f.seek(self.offset)
            return f.read()

    def check(self):
        if self.process.poll() is not None:
            raise Trouble(f"the controller manager ended with status {self.process.returncode}:\n{self.log()[-2000:]}")

    def wait_log(self, text, seconds, pause=0.01):
        def seen():
            self.check()
            return text in self.log()
        until(f"{text!r} in the log of the controller manager", seen, seconds, pause)

    # ---- what it says

    def metrics(self):
        """{name with labels: value}."""
        if self._port is None:
            self.wait_log("Serving metrics on port ", 10)
            self._port = int(re.search(r"Serving metrics on port (\d+)", self.log()).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M)}

    def at_rest(self):
        """Nothing queued, under way or to be tried again, and every version record stored."""
        m = self.metrics()
        work = [v for name, v in m.items() if name.startswith("kubefed_objects{") and not name.endswith('state="all"}')]
        return bool(work) and not any(work) and m["kubefed_versions_pending"] == 0

    def wait_at_rest(self, seconds=120, pause=0.05):
        def quiet():
            self.check()
            return self.at_rest()
        until("the controller manager comes to rest", quiet, seconds, pause)

    def requests(self):
        """{cluster: requests sent}, watches included."""
        return {re.search('cluster="([^"]*)"', name).group(1) or "host": value for name, value in self.metrics().items()
                if name.startswith("kubefed_api_requests_sent_total")}

    # ---- what the system says

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def memory(self):
        """MiB: resident, its peak, and what is not a page of a file."""
        with open(f"/proc/{self.process.pid}/status") as f:
            status = f.read()
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            rollup = f.read()

        def value(text, name):
            return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) / 1024
        return {"rss": value(status, "VmRSS"), "peak": value(status, "VmHWM"), "anonymous": value(rollup, "Anonymous")}

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
