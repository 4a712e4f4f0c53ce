"""Control planes: their settings, clusters and types, the controller manager process, and kubefedctl."""
import base64
import contextlib
import os
import re
import signal
import subprocess
import time

from waiting import eventually, expect, k, show, slowness

SANITIZER = re.compile(r"(ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: |"
                       r"SUMMARY: \w+Sanitizer)")

# Deadlines of the leader are longer than KubeFed's: an API server that shares two processors with nine others may take ten seconds
# for an answer, and a leader that steps down for it is right, but not what a test is about.
CONFIG = {
    "controllerDuration": {"availableDelay": "20s", "unavailableDelay": "1m0s", "cacheSyncTimeout": "5m0s"},
    "leaderElect": {"leaseDuration": "60s", "renewDeadline": "50s", "retryPeriod": "5s", "resourceLock": "configmaps"},
    "featureGates": [{"name": "PushReconciler", "configuration": "Enabled"},
                     {"name": "RawResourceStatusCollection", "configuration": "Disabled"},
                     {"name": "SchedulerPreferences", "configuration": "Enabled"}],
    "clusterHealthCheck": {"period": "10s", "failureThreshold": 3, "successThreshold": 1, "timeout": "3s"},
    "syncController": {"maxConcurrentReconciles": 1, "adoptResources": "Enabled"},
    "statusController": {"maxConcurrentReconciles": 1},
}


def merged(base, changes):
    out = dict(base)
    for key, value in (changes or {}).items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class ControlPlane:
    """A system namespace with its KubeFedConfig, clusters and types, and at most one running controller manager."""

    def __init__(self, env, namespace, scope="Cluster", config=None):
        self.env, self.namespace, self.scope = env, namespace, scope
        self.config = merged(CONFIG, config)
        self.controller = None
        self.host = env.host

    def create(self):
        if not self.host.find(k.NAMESPACES, None, self.namespace):
            self.host.create(k.NAMESPACES, None, {"metadata": {"name": self.namespace}})
        self.write_config()

    def write_config(self, changes=None):
        """Creates or replaces the KubeFedConfig, again when somebody else was faster."""
        self.config = merged(self.config, changes)
        obj = {"metadata": {"name": "kubefed"}, "spec": {"scope": self.scope, **self.config}}
        while True:
            old = self.host.find(k.KFCONFIG, self.namespace, "kubefed")
            try:
                if old:
                    return self.host.replace(k.KFCONFIG, self.namespace, {**old, "spec": obj["spec"]})
                return self.host.create(k.KFCONFIG, self.namespace, obj)
            except k.ApiError as e:
                if e.code != 409:
                    raise

    def start(self, arguments=()):
        self.controller = Controller(self, arguments)
        self.controller.start()
        return self.controller

    @contextlib.contextmanager
    def running(self):
        """A controller manager for the length of a with block; it must live until the end and end well."""
        controller = self.start()
        try:
            yield controller
        except BaseException:
            controller.kill()
            raise
        controller.stop()

    def run_ctl(self, *arguments, stdin=None, timeout=60):
        """kubefedctl with the flags of this control plane; the result has returncode, stdout, stderr."""
        return run_ctl(self.env, *arguments, "--host-cluster-context", "host", "--kubefed-namespace", self.namespace,
                       stdin=stdin, timeout=timeout)

    def ctl(self, *arguments, **kwargs):
        """kubefedctl that must succeed; its standard output."""
        result = self.run_ctl(*arguments, **kwargs)
        assert result.returncode == 0, \
            f"kubefedctl {' '.join(arguments)}: exit status {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def add_cluster(self, name, endpoint, token, ca, labels=None, **spec):
        """A KubeFedCluster and its Secret without kubefedctl."""
        data = {} if token is None else {"token": base64.b64encode(token.encode()).decode()}
        self.host.create(k.SECRETS, self.namespace, {"metadata": {"name": f"{name}-secret"}, "data": data})
        spec = {"apiEndpoint": endpoint, "secretRef": {"name": f"{name}-secret"}, **spec}
        if ca:
            spec["caBundle"] = ca
        return self.host.create(k.KFC, self.namespace, {"metadata": {"name": name, "labels": labels or {}},
                                                        "spec": spec})

    def add_member(self, member, name=None, port=None, labels=None):
        """A real member by an admin token; through a proxy's port if given."""
        server, ca = self.env.entry(member)
        if port:
            server = f"https://127.0.0.1:{port}"
        return self.add_cluster(name or member, server, self.env.admin_token(member), ca, labels)

    def add_type(self, target, namespaced=True, name=None, propagation="Enabled", fed_scope=None):
        """A FederatedTypeConfig for "group/version/plural" and default federated kinds."""
        *group, version, plural = target.split("/")
        kind = k.kind_of(plural)
        obj = {
            "metadata": {"name": name or ".".join([plural] + group)},
            "spec": {
                "propagation": propagation,
                "targetType": {"version": version, "kind": kind, "pluralName": plural,
                               "scope": "Namespaced" if namespaced else "Cluster"},
                "federatedType": {"group": "types.kubefed.io", "version": "v1beta1", "kind": "Federated" + kind,
                                  "pluralName": "federated" + plural,
                                  "scope": fed_scope or ("Namespaced" if namespaced else "Cluster")},
            }}
        if group:
            obj["spec"]["targetType"]["group"] = group[0]
        return self.host.create(k.FTC, self.namespace, obj)

    def cluster(self, name):
        return self.host.get(k.KFC, self.namespace, name)

    def wait_ready(self, *names, timeout=90):
        def ready():
            for name in names:
                cluster = self.cluster(name)
                assert k.condition(cluster, "Ready").get("status") == "True", \
                    f"cluster {name} is not ready: {show(cluster.get('status', {}))}"
        eventually(ready, timeout)

    def wait_running(self, *types, state="Running"):
        def running():
            for name in types:
                ftc = self.host.get(k.FTC, self.namespace, name)
                expect(ftc.get("status", {}).get("propagationController"), state, f"propagation controller of {name}")
                expect(ftc["status"]["observedGeneration"], ftc["metadata"]["generation"], f"generation seen of {name}")
        eventually(running)

    def events(self, name, namespace=None, reason=None):
        """Events about an object of that name, newest last."""
        found = [e for e in self.host.list(k.EVENTS, namespace or self.namespace)
                 if e["involvedObject"].get("name") == name and (reason is None or e["reason"] == reason)]
        return sorted(found, key=lambda e: e.get("lastTimestamp") or "")


def run_ctl(env, *arguments, stdin=None, kubeconfig=True, timeout=60, environment=None):
    command = [os.path.join(env.bin, "kubefedctl"), *arguments]
    if kubeconfig:
        command += ["--kubeconfig", env.kubeconfig if kubeconfig is True else kubeconfig]
    result = subprocess.run(command, input=stdin or "", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=timeout * slowness(), env={**os.environ, **(environment or {})})
    report = SANITIZER.search(result.stderr)
    assert not report and result.returncode >= 0, \
        f"kubefedctl {' '.join(arguments)}: exit status {result.returncode}\n{result.stderr[-3000:]}"
    return result


class Controller:
    """One controller manager process. Its log is a file in the run's folder."""

    def __init__(self, plane, arguments=()):
        self.plane, self.arguments = plane, arguments
        env = plane.env
        self.log_path = os.path.join(env.logs, f"{plane.namespace}-{env.number('log-' + plane.namespace)}.log")
        self.process = None
        self.ended_on_purpose = False

    def start(self, wait=True, environment=None):
        env = self.plane.env
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(env.bin, "controller-manager"), "--kubeconfig", env.kubeconfig, "--kubefed-namespace",
                 self.plane.namespace, "--healthz-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0",
                 *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        if wait:
            self.wait_log("Starting cluster controller", 90)

    def wait_log(self, text, timeout=90):
        def seen():
            assert self.alive(), f"controller manager ended: {self.describe_end()}"
            assert text in self.log(), f"the log has no {text!r}; it ends with:\n{self.tail()}"
        # An end is final: no need to wait for the deadline.
        deadline = time.monotonic() + timeout * slowness()
        while True:
            try:
                return seen()
            except AssertionError:
                if time.monotonic() > deadline or not self.alive():
                    raise
            time.sleep(0.05)

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def tail(self, lines=40):
        return "\n".join("      " + line[:400] for line in self.log().splitlines()[-lines:])

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def describe_end(self):
        return f"exit status {self.process.poll()}, log {self.log_path} ends with:\n{self.tail()}"

    def kill(self, unlock=False):
        """SIGKILL; nothing is checked. unlock: the next one need not wait until the lock of this one is over."""
        self.ended_on_purpose = True
        if self.alive():
            self.process.kill()
        if self.process:
            self.process.wait()
        if unlock:
            self.plane.env.apis["host"].delete(k.CONFIGMAPS, self.plane.namespace, "kubefed-controller-manager")

    def stop(self):
        """SIGTERM; the process must have been alive, and must end with 0 and without a report of a sanitizer.

        30 s are what Kubernetes gives a pod.
        """
        assert self.alive(), f"the controller manager died: {self.describe_end()}"
        self.ended_on_purpose = True
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30 * slowness())
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the controller manager does not end within 30 s of SIGTERM; log:\n" +
                                 self.tail()) from None
        self.check_log()
        assert status == 0, f"exit status {status} after SIGTERM; log:\n{self.tail()}"

    def close(self):
        if not self.ended_on_purpose:
            self.stop()

    def check_log(self):
        log = self.log()
        report = SANITIZER.search(log)
        assert not report, f"sanitizer report in {self.log_path}:\n{log[report.start():][:4000]}"
        for secret in self.plane.env.secrets:
            assert secret not in log, f"a token appears in {self.log_path}"
        for line in log.splitlines():
            assert len(line) < 65536, f"a log line of {len(line)} characters in {self.log_path}"

    def memory(self):
        """Resident set in KiB."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
