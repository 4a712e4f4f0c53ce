"""Replica scheduling: the rules alone, many preferences at once, and the way of a replica that finds no room."""
import datetime
import json
import threading
import time

import counters
from base import CLUSTERS, MEMBERS, SYSTEM, Trouble, k, until
from load import STREAMS, Load

RSP = "scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences"
FDEPLOY = k.FED + "deployments"
SIZES = (3, 50, 1000)
WRITERS = 8


def planner(world):
    """What one pass costs in process, in nanoseconds: the helper program's lines."""
    return [json.loads(line) for line in world.run(world.helper("planner"), *map(str, SIZES)).splitlines()]


# ---- many preferences at once

def _enable(world):
    if world.host.find(k.FTC, SYSTEM, "deployments.apps"):
        return
    world.kubefedctl("enable", "deployments.apps")
    world.manager.wait_log('Started sync controller for "FederatedDeployment"', 60)


def deployment(app, paused):
    """Paused, it makes no pods: what is measured then is scheduling alone."""
    return {"paused": paused, "replicas": 1, "selector": {"matchLabels": {"app": app}}, "template": {
        "metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}


def federated(name, paused):
    return {"metadata": {"name": name}, "spec": {"template": {"spec": deployment(name, paused)}, "placement": {"clusters": []}}}


def preference(name, total):
    return {"metadata": {"name": name}, "spec": {"targetKind": "FederatedDeployment", "totalReplicas": total, "clusters": {
        m: {"weight": 1} for m in MEMBERS}}}


def _create_all(world, resource, namespace, bodies):
    """Several connections at once; seconds that it took."""
    left, problems, began = list(bodies), [], time.monotonic()

    def work():
        while left and not problems:
            try:
                world.host.create(resource, namespace, left.pop())
            except (k.ApiError, k.Unreachable, IndexError) as e:
                if not isinstance(e, IndexError):
                    problems.append(e)
        world.host.close()
    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if problems:
        raise Trouble(f"{resource} cannot be created: {problems[0]}")
    return time.monotonic() - began


def _wait_written(world, writes):
    """Every preference is scheduled and propagated, and nothing is under way."""
    def done():
        m = world.manager.metrics()
        world.manager.check()
        return (m["kubefed_scheduling_writes_total"] >= writes and not m['kubefed_scheduling_preferences{state="queued"}'] and
                not m['kubefed_scheduling_preferences{state="active"}'] and world.manager.at_rest())
    until("all preferences are scheduled", done, 300, 0.02)
    return time.monotonic()


def _verify(world, namespace, count, each):
    """Everything is as it should be; otherwise a figure would mean nothing."""
    for rsp in world.host.list(RSP, namespace):
        found = [c["status"] for c in rsp.get("status", {}).get("conditions", []) if c["type"] == "Scheduled"]
        if found != ["True"] or rsp["status"].get("observedGeneration") != rsp["metadata"]["generation"]:
            raise Trouble(f"preference {rsp['metadata']['name']} is not scheduled: {rsp.get('status')}")
    for member, api in world.members.items():
        replicas = [d["spec"]["replicas"] for d in api.list(k.DEPLOYMENTS, namespace)]
        if replicas != [each] * count:
            raise Trouble(f"{member} has {len(replicas)} Deployments with {sorted(set(replicas))} replicas, not {count} with {each}")


def _spent(world, act, count, writes):
    """Does `act`, waits for the end, and counts: seconds, CPU, requests as the API servers counted them."""
    served = {c: counters.counts(world.apis[c]) for c in CLUSTERS}
    cpu, before = world.manager.cpu(), world.manager.metrics()["kubefed_scheduling_writes_total"]
    began = time.monotonic()
    loaded = act()
    end = _wait_written(world, before + writes)
    after = {c: counters.counts(world.apis[c]) for c in CLUSTERS}
    return {"seconds": end - began, "host took them in": loaded, "cpu seconds": world.manager.cpu() - cpu,
            "served per preference": {c: {what: n / count for what, n in counters.between(served[c], after[c], True).items()
                                          if n / count >= 0.02} for c in CLUSTERS}}


def _wait_quiet(world):
    """Events trickle for a while after the work is done."""
    def quiet():
        before = sum(world.manager.requests().values())
        time.sleep(2)
        return sum(world.manager.requests().values()) - before <= 4
    until("nothing is sent any more", quiet, 120)


def many(world, count):
    """`count` preferences over the members: created, then all changed, then left alone."""
    _enable(world)
    namespace = "preferences"
    world.namespace(namespace)
    names = [f"web-{i:05}" for i in range(count)]
    _create_all(world, FDEPLOY, namespace, [federated(name, True) for name in names])
    world.manager.wait_at_rest(300)
    memory = world.manager.memory()
    made = _spent(world, lambda: _create_all(world, RSP, namespace, [preference(name, 2) for name in names]), count, count)
    _verify(world, namespace, count, 1)
    changed = _spent(world, lambda: Load(world, "host", RSP, namespace, {"spec": {"totalReplicas": 4}}, count, names).wait(),
                     count, count)
    _verify(world, namespace, count, 2)
    after_memory = world.manager.memory()
    _wait_quiet(world)
    before, at = world.manager.requests(), time.monotonic()
    time.sleep(5)
    after, minutes = world.manager.requests(), (time.monotonic() - at) / 60
    return {"preferences": count, "created": made, "changed": changed, "memory before": memory, "memory": after_memory,
            "at rest, requests/min": {c: (after[c] - before[c]) / minutes for c in CLUSTERS}}


def same_requests(world, count):
    """The writes of the change above, by h2load, all at once: preference, object and both statuses on the host, Deployments."""
    namespace = "preferences"
    names = [f"web-{i:05}" for i in range(count)]
    streams = STREAMS // 4
    status = {"status": {"observedGeneration": 9, "clusters": [{"name": m, "replicas": 9} for m in MEMBERS]}}
    loads = [Load(world, "host", RSP, namespace, {"spec": {"totalReplicas": 6}}, count, names, streams=streams),
             Load(world, "host", FDEPLOY, namespace, {"metadata": {"annotations": {"raw": "yes"}}}, count, names, streams=streams),
             Load(world, "host", FDEPLOY, namespace, {"status": {"observedGeneration": 9}}, count, names, "status", streams),
             Load(world, "host", RSP, namespace, status, count, names, "status", streams)]
    loads += [Load(world, m, k.DEPLOYMENTS, namespace, {"spec": {"replicas": 3}}, count, names) for m in MEMBERS]
    return {"seconds": max(load.wait() for load in loads)}


# ---- a replica that finds no room

def _ready(api, namespace, pod):
    """What a kubelet would write."""
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
    api.patch("v1/pods", namespace, pod["metadata"]["name"], {"status": {"phase": "Running", "conditions": conditions}}, "status")


def _unschedulable(api, namespace, pod):
    """What a scheduler would have written more than a minute ago."""
    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=90)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                 "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
    api.patch("v1/pods", namespace, pod["metadata"]["name"], {"status": {"conditions": [condition]}}, "status")


def _pods(api, namespace, name):
    return [p for p in api.list("v1/pods", namespace) if p["metadata"]["labels"].get("app") == name]


def _replicas(api, namespace, name):
    found = api.find(k.DEPLOYMENTS, namespace, name)
    return found["spec"]["replicas"] if found else None


def _move(world, namespace, name):
    """Milliseconds from the answer that says that a pod cannot be scheduled: until the other member's Deployment has one more, and
    until the pod runs there."""
    first, second = (world.members[m] for m in MEMBERS)
    world.host.create(FDEPLOY, namespace, federated(name, False))
    world.host.create(RSP, namespace, preference(name, 4))
    for api in (first, second):
        until(f"two pods of {name}", lambda a=api: len(_pods(a, namespace, name)) == 2, 60)
    stuck = _pods(first, namespace, name)[0]
    for api in (first, second):
        for pod in _pods(api, namespace, name):
            if pod["metadata"]["name"] != stuck["metadata"]["name"]:
                _ready(api, namespace, pod)
    until(f"{name} comes to rest", lambda: _replicas(second, namespace, name) == 2, 30)
    _unschedulable(first, namespace, stuck)
    began = time.monotonic()
    until(f"{name} moves", lambda: _replicas(second, namespace, name) == 3, 30, 0.0)
    moved = time.monotonic()
    new = []

    def there():
        new[:] = [p for p in _pods(second, namespace, name) if p["status"]["phase"] == "Pending"]
        return new
    until(f"the new pod of {name}", there, 30, 0.0)
    _ready(second, namespace, new[0])
    end = time.monotonic()
    for resource in (RSP, FDEPLOY):
        world.host.delete(resource, namespace, name)
    return 1000 * (moved - began), 1000 * (end - began)


def _floor(world, namespace):
    """Milliseconds of the two writes that a move needs, one after the other, and of the look at the result."""
    member, began = world.members[MEMBERS[1]], time.monotonic()
    world.host.patch(k.CONFIGMAPS, namespace, "floor", {"data": {"n": str(began)}})
    member.patch(k.CONFIGMAPS, namespace, "kube-root-ca.crt", {"metadata": {"annotations": {"n": str(began)}}})
    member.find(k.CONFIGMAPS, namespace, "kube-root-ca.crt")
    return 1000 * (time.monotonic() - began)


def moves(world, count):
    _enable(world)
    namespace = "moves"
    world.namespace(namespace)
    world.host.create(k.CONFIGMAPS, namespace, {"metadata": {"name": "floor"}})
    floor = [_floor(world, namespace) for _ in range(count)]
    found = [_move(world, namespace, f"mover-{i}") for i in range(count)]
    world.manager.wait_at_rest()
    return {"shares, ms": [m for m, _ in found], "running, ms": [r for _, r in found], "floor, ms": floor}
