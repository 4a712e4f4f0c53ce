"""Many federated objects at once: how fast they get everywhere, and what that costs."""
import time

import counters
from base import CLUSTERS, FCM, MEMBERS, Trouble, k, load as machine_load, machine_cpu, until
from load import Load, federated_configmap
from watch import Watch


class Progress:
    """Names whose status on the host says that all is propagated."""

    def __init__(self, world, namespace):
        self.done, self.last = set(), 0.0
        self.watch = Watch(world, "host", FCM, namespace, self._event)

    def _event(self, kind, name, propagated, drifted, now):
        if propagated and name not in self.done:
            self.done.add(name)
            self.last = now


class Spent:
    """What is counted before and after: CPU seconds, requests."""

    def __init__(self, world):
        self.cpu, self.machine = world.cpu(), machine_cpu()
        self.own, self.began = time.process_time(), time.monotonic()
        self.requests = world.manager.requests()
        self.served = {c: counters.counts(world.apis[c]) for c in CLUSTERS}

    def until(self, after, count):
        """Figures per object and per 1,000 objects."""
        busy, all_ = (b - a for a, b in zip(self.machine, after.machine))
        served = {c: counters.between(self.served[c], after.served[c]) for c in CLUSTERS}
        return {
            "cpu seconds per 1000": (after.cpu["controller manager"] - self.cpu["controller manager"]) * 1000 / count,
            "cpu seconds": {what: after.cpu[what] - self.cpu.get(what, 0) for what in after.cpu},
            "own cpu seconds": after.own - self.own,
            "processors busy": busy / all_,
            "requests per object": {c: (after.requests[c] - self.requests.get(c, 0)) / count for c in CLUSTERS},
            "served per object": {c: {what: n / count for what, n in served[c].items() if n / count >= 0.02} for c in CLUSTERS},
        }


def _wait_everywhere(world, namespace, count, load, progress):
    """When each member had all objects: {member: time}."""
    present, deadline = {}, time.monotonic() + 60 + count / 50
    while len(present) < len(MEMBERS) or len(progress.done) < load.created:
        for m in MEMBERS:
            # One more: Kubernetes itself puts kube-root-ca.crt there.
            if load.ended() and m not in present and world.count(m, k.CONFIGMAPS, namespace) >= load.created + 1:
                present[m] = time.monotonic()
        world.manager.check()
        if progress.watch.problem or time.monotonic() > deadline:
            raise Trouble(f"{count} objects are not propagated: {progress.watch.problem or 'no end in time'}; "
                          f"{len(progress.done)} have a status")
        time.sleep(0.05)
    return present


def throughput(world, count):
    """Creates federated objects as fast as the host takes them, until all are in all members and every status says so."""
    namespace = f"run-{count}"
    world.namespace(namespace)
    world.manager.wait_at_rest()
    progress = Progress(world, namespace)
    load_before, before = machine_load(), Spent(world)
    load = Load(world, "host", FCM, namespace, federated_configmap("bench-", MEMBERS), count)
    present = _wait_everywhere(world, namespace, count, load, progress)
    end = max(progress.last, *present.values())
    progress.watch.close()
    world.manager.wait_at_rest(300)
    versions = time.monotonic()
    after = Spent(world)
    return {"objects": load.created, "objects/s": load.created / (end - load.began), "seconds": end - load.began,
            "host took them in": load.seconds, "in members after": max(present.values()) - load.began,
            "versions stored after": versions - load.began, **before.until(after, load.created),
            "load average before": load_before, "load average after": machine_load(), "memory": world.manager.memory()}


def removal(world, count):
    """Seconds from the DELETE of the whole collection on the host until nothing is left, there and in the members."""
    namespace, began = f"run-{count}", time.monotonic()
    world.host.call("DELETE", k.path_of(FCM, namespace))
    answered = time.monotonic() - began
    until(f"{count} objects are gone", lambda: world.count("host", FCM, namespace) == 0 and
          all(world.count(m, k.CONFIGMAPS, namespace) <= 1 for m in MEMBERS), 60 + count / 50, 0.05)
    gone = time.monotonic() - began
    # Kubernetes' garbage collector takes the version records away, 20 a second; it would be at work for the next minutes.
    # That of the FederatedNamespace is still needed.
    world.clear("host", k.PV, namespace, spared=f"namespace-{namespace}")
    world.manager.wait_at_rest(300)
    return {"objects": count, "host took it in": answered, "gone after": gone, "memory": world.manager.memory()}
