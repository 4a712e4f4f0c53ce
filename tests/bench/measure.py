"""The measurements. Each takes the World and returns figures."""
import json
import os
import statistics
import subprocess
import threading
import time

from load import Load, configmap, federated_configmap
from world import FCM, MEMBERS, TOP, Trouble, Watch, k, until

FLOOR = os.path.join(TOP, "build", "release", "tests", "bench", "floor")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# ---- ceiling

def ceiling(world, count):
    """Objects per second when the same bodies are POSTed straight to host and members at once, everything else at rest."""
    namespace = "ceiling"
    loads = [Load(world, "host", FCM, namespace, federated_configmap("raw-", MEMBERS), count)] + \
        [Load(world, m, k.CONFIGMAPS, namespace, configmap("raw-"), count) for m in MEMBERS]
    seconds = {}

    def wait(name, load):
        seconds[name] = load.wait()
    threads = [threading.Thread(target=wait, args=x) for x in zip(("host", *MEMBERS), loads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if len(seconds) != 3:
        raise Trouble("the ceiling could not be measured; h2load's message is above")
    world.clear(world.host, FCM, namespace)
    for api in world.members.values():
        world.clear(api, k.CONFIGMAPS, namespace)
    return {"objects/s": count / max(seconds.values()), "host/s": count / seconds["host"],
            "members/s": count / max(seconds[m] for m in MEMBERS)}


# ---- throughput

class Progress:
    """Names seen: created in each member, and those whose status on the host says that all is propagated."""

    def __init__(self, world, namespace):
        self.done, self.last = set(), 0.0
        self.watch = Watch(world, "host", FCM, namespace, self._event)

    def _event(self, kind, name, propagated, drifted, now):
        if propagated and name not in self.done:
            self.done.add(name)
            self.last = now


def write_requests(api):
    """{"VERB resource": count} as the API server counts; reading its metrics is none of them."""
    import counting
    return counting.write_counts(api)


def throughput(world, count):
    """Creates federated objects as fast as the host takes them, until all are in all members and every status says so."""
    namespace = f"run-{count}"
    world.namespace(namespace)
    world.manager.wait_at_rest()
    before = {n: c for n, c in world.manager.requests().items()}
    cpu, own = world.manager.cpu_seconds(), time.process_time()
    progress = Progress(world, namespace)
    load = Load(world, "host", FCM, namespace, federated_configmap("bench-", MEMBERS), count)
    in_members, created = {}, []
    loader = threading.Thread(target=lambda: created.append(load.wait()), daemon=True)
    loader.start()
    deadline = time.monotonic() + 60 + count / 50
    while len(in_members) < len(MEMBERS) or len(progress.done) < load.created:
        for m, api in world.members.items():
            # One more: Kubernetes itself puts kube-root-ca.crt there.
            if created and m not in in_members and world.count(api, k.CONFIGMAPS, namespace) >= load.created + 1:
                in_members[m] = time.monotonic()
        if progress.watch.problem or time.monotonic() > deadline:
            raise Trouble(f"{count} objects are not propagated: {progress.watch.problem or 'no end in time'}; "
                          f"{len(progress.done)} have a status")
        time.sleep(0.05)
    end = max(progress.last, *in_members.values())
    bench_cpu = time.process_time() - own
    progress.watch.close()
    world.manager.wait_at_rest(300)
    versions = time.monotonic()
    cpu = world.manager.cpu_seconds() - cpu
    requests = {n: c - before.get(n, 0) for n, c in world.manager.requests().items()}
    count = load.created
    return {"objects/s": count / (end - load.began), "seconds": end - load.began, "host took them in": created[0],
            "in members after": max(in_members.values()) - load.began, "versions stored after": versions - load.began,
            "cpu seconds per 1000": cpu * 1000 / count, "requests per object, host": requests[""] / count,
            **{f"requests per object, {m}": requests[m] / count for m in MEMBERS},
            "bench's own cpu seconds": bench_cpu, **{f"memory {n}": v for n, v in world.manager.memory().items()}}


# ---- latency

def presence(world, namespace):
    """Watches both members; arrived[name] = {member: time}."""
    arrived, lock = {}, threading.Condition()

    def note(member):
        def event(kind, name, propagated, drifted, now):
            if kind == "A":
                with lock:
                    arrived.setdefault(name, {})[member] = now
                    lock.notify_all()
        return event
    watches = [Watch(world, m, k.CONFIGMAPS, namespace, note(m)) for m in MEMBERS]
    return arrived, lock, watches


def creations(world, namespace, count, settle):
    """Milliseconds from a POST on the host to presence in all members, one at a time."""
    arrived, lock, watches = presence(world, namespace)
    path, times = k.path_of(FCM, namespace), []
    for number in range(count):
        body = json.dumps({**federated_configmap("", MEMBERS), "metadata": {"name": f"single-{number}"}}).encode()
        began = time.monotonic()
        world.host.call("POST", path, body)
        with lock:
            if not lock.wait_for(lambda n=number: len(arrived.get(f"single-{n}", {})) == len(MEMBERS), 30):
                raise Trouble(f"single-{number} is not in all members after 30 s")
        times.append(1000 * (max(arrived[f"single-{number}"].values()) - began))
        settle()
    for w in watches:
        w.close()
    return times


def floor_latency(world, count):
    """The same, with a program that answers a watch event with a POST to each member and does nothing else."""
    if not os.path.exists(FLOOR):
        raise Trouble(f"{os.path.relpath(FLOOR, TOP)} is missing; `make` builds it")
    process = subprocess.Popen([FLOOR, world.kubeconfig, "floor", "host", *MEMBERS], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().strip() != "ready":
            raise Trouble("the floor program did not start; its message is above")
        times = creations(world, "floor", count, lambda: time.sleep(0.05))
    finally:
        process.stdin.close()
        process.wait(10)
    world.clear(world.host, FCM, "floor")
    for api in world.members.values():
        world.clear(api, k.CONFIGMAPS, "floor")
    return times


def creation_latency(world, count):
    world.namespace("latency")
    world.manager.wait_at_rest()
    return creations(world, "latency", count, lambda: time.sleep(0.05))


def repair_latency(world, count):
    """Milliseconds from the answer to a change in a member until it is undone."""
    api, times = world.members["member1"], []
    seen, dirty, lock = {}, set(), threading.Condition()

    def event(kind, name, propagated, drifted, now):
        with lock:
            if drifted:
                dirty.add(name)
            elif name in dirty:
                seen[name] = now
                lock.notify_all()
    watch = Watch(world, "member1", k.CONFIGMAPS, "latency", event)
    for number in range(count):
        name = f"single-{number}"
        api.patch(k.CONFIGMAPS, "latency", name, {"data": {"drift": "yes"}})
        began = time.monotonic()
        with lock:
            if not lock.wait_for(lambda n=name: n in seen, 30):
                raise Trouble(f"{name} is not repaired after 30 s")
        # The repair may be seen before the answer to the change is.
        times.append(max(0.0, 1000 * (seen[name] - began)))
        time.sleep(0.05)
    watch.close()
    return times


def deletion_latency(world, count):
    """Milliseconds from the DELETE on the host until the federated object is gone, and with it the members' objects."""
    seen, lock, times = {}, threading.Condition(), []

    def event(kind, name, propagated, drifted, now):
        if kind == "D":
            with lock:
                seen[name] = now
                lock.notify_all()
    watch = Watch(world, "host", FCM, "latency", event)
    for number in range(count):
        name = f"single-{number}"
        began = time.monotonic()
        world.host.delete(FCM, "latency", name)
        with lock:
            if not lock.wait_for(lambda n=name: n in seen, 30):
                raise Trouble(f"{name} is not deleted after 30 s")
        times.append(1000 * (seen[name] - began))
        for m, api in world.members.items():
            if api.find(k.CONFIGMAPS, "latency", name):
                raise Trouble(f"{name} is still in {m} after its deletion")
        time.sleep(0.05)
    watch.close()
    return times


# ---- idle, restart

def idle(world, seconds):
    """Requests that the controller manager sends when nothing happens, per minute."""
    world.manager.wait_at_rest()
    before = world.manager.requests()
    cpu = world.manager.cpu_seconds()
    time.sleep(seconds)
    after = world.manager.requests()
    return {"requests/min, host": (after[""] - before[""]) * 60 / seconds,
            **{f"requests/min, {m}": (after[m] - before[m]) * 60 / seconds for m in MEMBERS},
            "cpu ms/min": (world.manager.cpu_seconds() - cpu) * 60000 / seconds}


def restart(world, namespace, drifts):
    """Stops the controller manager, changes `drifts` objects in a member, starts it: when is all in sync, what is written?"""
    import counting
    apis = {"host": world.host, **world.members}
    world.manager.wait_at_rest()
    world.manager.stop()
    changed = [o["metadata"]["name"] for o in world.members["member1"].call(
        "GET", k.path_of(k.CONFIGMAPS, namespace) + f"?limit={drifts + 1}&labelSelector=kubefed.io%2Fmanaged%3Dtrue")["items"]][:drifts]
    for name in changed:
        world.members["member1"].patch(k.CONFIGMAPS, namespace, name, {"data": {"drift": "yes"}})
    before = {n: counting.write_counts(a) for n, a in apis.items()}
    left, last = set(changed), [0.0]

    def event(kind, name, propagated, drifted, now):
        if kind == "M" and not drifted and name in left:
            left.discard(name)
            last[0] = now
    watch = Watch(world, "member1", k.CONFIGMAPS, namespace, event)
    world.manager.start()
    until("the controller manager leads", lambda: "Starting cluster controller" in world.manager.log(), 60, 0.005)
    led = time.monotonic() - world.manager.began
    # Each look costs the program a moment, so it is not asked more often.
    until("the objects are known", lambda: 'Started sync controller for "FederatedConfigMap"' in world.manager.log(), 120, 0.01)
    until("all is in sync", lambda: world.manager.at_rest(), 120, 0.02)
    rest = time.monotonic() - world.manager.began
    until("all changes are undone", lambda: not left, 60)
    watch.close()
    world.manager.wait_at_rest()
    time.sleep(2)
    ignored = {"PUT configmaps", "POST configmaps", "PATCH kubefedclusters/status", "PUT leases", "PUT endpoints", "POST events", "PATCH events"}
    writes = {}
    for name, api in apis.items():
        for what, n in counting.writes_between(before[name], counting.write_counts(api)).items():
            if name != "host" or what not in ignored:
                writes[f"{name}: {what}"] = int(n)
    return {"leader after": led, "at rest after": rest,
            "last change undone after": (last[0] - world.manager.began) if changed else None, "changes": len(changed),
            "writes": writes, **{f"memory {n}": v for n, v in world.manager.memory().items()}}


def median(values):
    return statistics.median(values)
