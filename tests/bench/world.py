"""What is measured: a lab of a host and two members, and one control plane on it."""
import http.client
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import kubeapi as k  # noqa: E402

SYSTEM = "kube-federation-system"
MEMBERS = ("member1", "member2")
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


def machine():
    """Name and value of what the figures depend on."""
    model = re.search(r"^model name\s*: (.*)$", open("/proc/cpuinfo").read(), re.M)
    memory = int(re.search(r"^MemTotal:\s+(\d+)", open("/proc/meminfo").read(), re.M).group(1)) // 1024
    return {"processor": f"{len(os.sched_getaffinity(0))} x {model.group(1) if model else platform.machine()}",
            "memory": f"{memory} MiB", "kernel": platform.release(), "load before": f"{os.getloadavg()[0]:.2f}"}


class Manager:
    """The controller manager, and what the system and its metrics say of it."""

    def __init__(self, world):
        self.world, self.process = world, None

    def start(self):
        log = open(self.world.path("controller-manager.log"), "ab")
        self.offset = log.tell()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [os.path.join(self.world.bin, "controller-manager"), "--kubeconfig", self.world.kubeconfig,
             "--kubefed-namespace", SYSTEM, "--healthz-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self._port = None

    def log(self):
        with open(self.world.path("controller-manager.log")) as f:
            f.seek(self.offset)
            return f.read()

    def metrics(self):
        """{name with labels: value}."""
        if self._port is None:
            found = []
            until("the metrics port in the log", lambda: found.extend(re.findall(r"Serving metrics on port (\d+)", self.log()))
                  or found, 10)
            self._port = int(found[0])
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M)}

    def at_rest(self, metrics=None):
        m = metrics or self.metrics()
        work = [v for name, v in m.items() if name.startswith("kubefed_objects{") and not name.endswith('state="all"}')]
        return bool(work) and not any(work) and m["kubefed_versions_pending"] == 0

    def wait_at_rest(self, seconds=120):
        def quiet():
            if self.process.poll() is not None:
                raise Trouble(f"the controller manager ended:\n{self.log()[-2000:]}")
            return self.at_rest()
        until("the controller manager comes to rest", quiet, seconds, 0.05)

    def requests(self):
        """{cluster ("" is the host): requests sent}."""
        return {re.search('cluster="([^"]*)"', n).group(1): v for n, v in self.metrics().items()
                if n.startswith("kubefed_api_requests_sent_total")}

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """MiB: resident, its peak, and what is not shared with files."""
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


class World:
    def __init__(self, folder, bin_dir, say):
        self.folder, self.bin, self.say = folder, bin_dir, say
        self.lab_dir = os.path.join(folder, "lab")
        self.kubeconfig = os.path.join(self.lab_dir, "kubeconfig")
        self.manager = Manager(self)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def run(self, *command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Trouble(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stdout.strip()}")
        return done.stdout

    def kubefedctl(self, *arguments):
        return self.run(os.path.join(self.bin, "kubefedctl"), *arguments, "--kubeconfig", self.kubeconfig,
                        "--host-cluster-context", "host")

    def up(self):
        self.say("starting a host and two members")
        # As real API servers run; the lab saves memory otherwise, which costs them half of their speed with many objects.
        os.environ.setdefault("LAB_GOGC", "100")
        self.run(os.path.join(TOP, "lab", "lab"), "up", "--clusters", "3", "--dir", self.lab_dir, "--watch-pid", str(os.getpid()))
        self._use_tokens()
        self.apis = k.load(self.kubeconfig)
        self.host = self.apis["host"]
        self.members = {m: self.apis[m] for m in MEMBERS}
        kubectl = ["kubectl", "--kubeconfig", self.kubeconfig, "--context", "host"]
        self.run(*kubectl, "apply", "-f", os.path.join(TOP, "deploy", "crds"))
        until("the API of KubeFedConfig", lambda: self.host.raw("GET", k.path_of(k.KFCONFIG, SYSTEM))[0] == 200, 30)
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": SYSTEM}})
        self.run(*kubectl, "apply", "-f", os.path.join(TOP, "demo", "kubefedconfig.yaml"))
        for name in MEMBERS:
            self.kubefedctl("join", name, "--cluster-context", name)
        for name in ("namespaces", "configmaps"):
            self.kubefedctl("enable", name)
        for fed in (FCM, FNS):
            until(f"the API of {fed}", lambda f=fed: self.host.raw("GET", k.path_of(f))[0] == 200, 30)

    def _use_tokens(self):
        """Service accounts have tokens; to verify a client certificate costs an API server more, at every request."""
        config = k.view(self.kubeconfig)
        for user in config["users"]:
            user["user"] = {"token": self.token(user["name"])}
        self.kubeconfig = self.path("kubeconfig")
        with open(self.kubeconfig, "w") as f:
            json.dump(config, f)

    def down(self):
        self.manager.stop()
        subprocess.run([os.path.join(TOP, "lab", "lab"), "down", "--dir", self.lab_dir], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def namespace(self, name, federate=True):
        """In host and members; federated to both members when a controller manager runs."""
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
        if not federate:
            for api in self.members.values():
                api.create(k.NAMESPACES, None, {"metadata": {"name": name}})
            return
        self.host.create(FNS, name, {"metadata": {"name": name},
                                     "spec": {"placement": {"clusters": [{"name": m} for m in MEMBERS]}}})
        until(f"namespace {name} in the members",
              lambda: all(api.find(k.NAMESPACES, None, name) for api in self.members.values()), 30)

    def token(self, cluster):
        with open(os.path.join(self.lab_dir, cluster, "token")) as f:
            return f.read().strip()

    def count(self, api, resource, namespace):
        """How many objects there are, without reading them."""
        answer = api.call("GET", k.path_of(resource, namespace) + "?limit=1")
        return len(answer["items"]) + answer["metadata"].get("remainingItemCount", 0)

    def clear(self, api, resource, namespace):
        """Deletes a whole collection."""
        deadline = time.monotonic() + 180
        while self.count(api, resource, namespace) and time.monotonic() < deadline:
            try:
                api.call("DELETE", k.path_of(resource, namespace))
            except (k.ApiError, k.Unreachable):
                time.sleep(0.5)

    def revision(self, api):
        """The resourceVersion that the API server is at."""
        return int(api.call("GET", k.path_of(k.NAMESPACES) + "?limit=1")["metadata"]["resourceVersion"])


class Watch(threading.Thread):
    """fn(kind, name, propagated, drifted, time) for every change of a collection, as the program `seen` reports them."""

    def __init__(self, world, cluster, resource, namespace, fn):
        super().__init__(daemon=True)
        self.fn, self.closed, self.problem = fn, False, None
        program = os.path.join(TOP, "build", "release", "tests", "bench", "seen")
        if not os.path.exists(program):
            raise Trouble(f"{os.path.relpath(program, TOP)} is missing; `make` builds it")
        self.process = subprocess.Popen([program, world.kubeconfig, cluster, k.path_of(resource, namespace)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = threading.Event()
        self.ready = ready
        self.start()
        if not ready.wait(60):
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
        self.process.wait(10)
        self.join(10)
