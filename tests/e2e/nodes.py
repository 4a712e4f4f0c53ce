"""A stand-in for scheduler and kubelets of one namespace in a member: nodes, pods that are bound by their requests and run at once.

Every node has a taint that only pods of this namespace tolerate (tolerations()), so that tests running at the same time do not share
their nodes. What fits nowhere gets the condition PodScheduled=False, Unschedulable, since `unschedulable_for` seconds; a number
below 0 gives it that much more time.
"""
import datetime
import threading
import time

from harness import eventually, expect, k

NODES, PODS = "v1/nodes", "v1/pods"
TAINT = "e2e.example.com/only"
READY = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "stand-in"}
UNITS = {"": 1, "m": 0.001, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 1000, "M": 10 ** 6, "G": 10 ** 9}
PERIOD = 0.1
HEARTBEAT = 5       # seconds; the real node lifecycle controller gives up a node after 40


def amount(text):
    """A quantity as a number; as much of the format as tests use."""
    text = str(text)
    digits = text.rstrip("mKMGik")
    return float(digits) * UNITS[text[len(digits):]]


def tolerations(namespace):
    return [{"key": TAINT, "operator": "Equal", "value": namespace, "effect": "NoSchedule"}]


def time_text(seconds_ago=0):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def request_of(pod):
    total = {"pods": 1.0}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for name, value in {**resources.get("limits", {}), **resources.get("requests", {})}.items():
            total[name] = total.get(name, 0) + amount(value)
    return total


class Nodes:
    def __init__(self, t, member, namespace, unschedulable_for=0):
        self.api, self.namespace, self.unschedulable_for = t.env.apis[member], namespace, unschedulable_for
        self.nodes = {}             # short name: name in the member
        self.problem = None
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._paused.set()
        self._beaten = time.monotonic()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        t.cleanup(self.close)

    # -- nodes

    def add(self, name, pods=110, labels=None, taints=(), **allocatable):
        """Registers a node; allocatable by resource, as cpu="4", memory="8Gi"."""
        self._live()
        full = f"{self.namespace}-{name}"
        resources = {"pods": str(pods), **allocatable}
        self.api.create(NODES, None, {"apiVersion": "v1", "kind": "Node", "metadata": {
            "name": full, "labels": labels or {}}, "spec": {"taints": [
                {"key": TAINT, "value": self.namespace, "effect": "NoSchedule"}, *taints]}})
        self.api.patch(NODES, None, full, {"status": {
            "capacity": resources, "allocatable": resources,
            "conditions": [READY | {"lastHeartbeatTime": time_text(), "lastTransitionTime": time_text()}]}}, "status")
        # The real controller marks nodes that it has not seen ready; it is late with that, and the stand-in is not.
        self.api.patch(NODES, None, full, {"spec": {"taints": [
            {"key": TAINT, "value": self.namespace, "effect": "NoSchedule"}, *taints]}})
        eventually(lambda: expect([taint["key"] for taint in self.api.get(NODES, None, full)["spec"].get("taints") or []],
                                  [TAINT] + [taint["key"] for taint in taints], f"taints of node {full}"))
        self.nodes[name] = full

    def cordon(self, name, on=True):
        self.api.patch(NODES, None, self.nodes[name], {"spec": {"unschedulable": on}})

    def remove(self, name):
        self.api.delete(NODES, None, self.nodes.pop(name), missing_ok=True)

    # -- pods

    def start(self):
        """Before that, and while it pauses, nodes show that they are there, and nothing happens to pods."""
        self._live()
        self.resume()

    def pause(self):
        self._paused.set()

    def resume(self):
        self._paused.clear()

    def pods(self):
        return self.api.list(PODS, self.namespace)

    def age(self, count, seconds):
        """So many pods have no room, and that since so many seconds ago."""
        def without_room():
            names = [p["metadata"]["name"] for p in self.pods()
                     if k.condition(p, "PodScheduled").get("reason") == "Unschedulable"]
            expect(len(names), count, "pods without room")
            return names
        for name in eventually(without_room):
            try:
                self._shut_out(name, seconds)
            except k.ApiError as e:
                if e.code != 404:   # another one's age may have moved it already
                    raise

    def close(self):
        self._stop.set()
        if self._thread.ident:
            self._thread.join(30)
        for name in list(self.nodes):
            self.remove(name)
        assert self.problem is None, f"the stand-in for the kubelet: {self.problem!r}"

    def _live(self):
        if not self._thread.ident:
            self._thread.start()

    def _loop(self):
        try:
            while not self._stop.wait(PERIOD):
                self._beat_when_due()
                if not self._paused.is_set():
                    self._round()
        except Exception as e:
            self.problem = e

    def _beat_when_due(self):
        if time.monotonic() - self._beaten > HEARTBEAT:
            self._beaten = time.monotonic()
            for full in list(self.nodes.values()):
                self._beat(full)

    def _beat(self, full):
        """The node may be removed meanwhile."""
        try:
            node = self.api.get(NODES, None, full)
            self.api.patch(NODES, None, full, {"status": {"conditions": [READY | {
                "lastHeartbeatTime": time_text(), "lastTransitionTime": node["metadata"]["creationTimestamp"]}]}}, "status")
        except k.ApiError as e:
            if e.code not in (404, 409):
                raise

    def _free(self, pods):
        out = {}
        for full in list(self.nodes.values()):
            node = self.api.find(NODES, None, full)
            if not node:
                continue
            free = {name: amount(value) for name, value in node["status"].get("allocatable", {}).items()}
            for pod in pods:
                if pod["spec"].get("nodeName") == full:
                    for name, value in request_of(pod).items():
                        free[name] = free.get(name, 0) - value
            out[full] = (node, free)
        return out

    def _round(self):
        pods = self.pods()
        free = self._free(pods)
        for pod in pods:
            self._beat_when_due()
            try:
                self._treat(pod, free)
            except k.ApiError as e:
                if e.code not in (404, 409, 422):
                    raise

    def _treat(self, pod, free):
        name = pod["metadata"]["name"]
        if pod["metadata"].get("deletionTimestamp"):
            self.api.call("DELETE", k.path_of(PODS, self.namespace, name), {"gracePeriodSeconds": 0})
        elif pod["spec"].get("nodeName"):
            if pod["status"].get("phase") != "Running":
                self._run(name)
        else:
            self._schedule(pod, free)

    def _schedule(self, pod, free):
        name, wanted = pod["metadata"]["name"], request_of(pod)
        for full, (node, left) in sorted(free.items()):
            if self._accepts(node, pod) and all(left.get(r, 0) >= value for r, value in wanted.items()):
                self.api.call("POST", k.path_of(PODS, self.namespace, name, "binding"), {
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": full}})
                for resource, value in wanted.items():
                    left[resource] -= value
                self._run(name)
                return
        if (k.condition(pod, "PodScheduled") or {}).get("reason") != "Unschedulable":
            self._shut_out(name, self.unschedulable_for)

    def _shut_out(self, name, seconds_ago):
        self.api.patch(PODS, self.namespace, name, {"status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node has room",
             "lastTransitionTime": time_text(seconds_ago)}]}}, "status")

    @staticmethod
    def _accepts(node, pod):
        labels = node["metadata"].get("labels") or {}
        if node["spec"].get("unschedulable") or any(labels.get(n) != v for n, v in
                                                    (pod["spec"].get("nodeSelector") or {}).items()):
            return False
        tolerated = [(t.get("key"), t.get("value")) for t in pod["spec"].get("tolerations") or []]
        return all((taint["key"], taint.get("value")) in tolerated for taint in node["spec"].get("taints") or []
                   if taint["effect"] == "NoSchedule" and not taint["key"].startswith("node.kubernetes.io/"))

    def _run(self, name):
        now = time_text()
        self.api.patch(PODS, self.namespace, name, {"status": {"phase": "Running", "startTime": now, "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]}}, "status")
