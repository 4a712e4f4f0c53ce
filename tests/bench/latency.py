"""One object at a time on idle clusters: creation, repair, deletion, and the floor under creation."""
import json
import subprocess
import threading
import time

from base import FCM, MEMBERS, Trouble, k
from load import federated_configmap
from watch import Moments, Watch

PAUSE = 0.05
DEADLINE = 30


def _creations(world, namespace, count):
    """Milliseconds from the POST on the host to presence in all members, each."""
    moments, times = Moments(), []

    def arrival(member):
        return lambda kind, name, propagated, drifted, now: moments.note(member, name, now)
    watches = [Watch(world, m, k.CONFIGMAPS, namespace, arrival(m)) for m in MEMBERS]
    for number in range(count):
        name = f"single-{number}"
        body = json.dumps({**federated_configmap("", MEMBERS), "metadata": {"name": name}}).encode()
        began = time.monotonic()
        world.host.call("POST", k.path_of(FCM, namespace), body)
        times.append(1000 * (moments.wait(name, len(MEMBERS), DEADLINE, "in all members") - began))
        time.sleep(PAUSE)
    for w in watches:
        w.close()
    return times


def floor(world, count):
    """The same, with a program that answers a watch event with a POST to each member and does nothing else."""
    process = subprocess.Popen([world.helper("floor"), world.kubeconfig, "floor", "host", *MEMBERS], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    # Without its line in time the program is ended, which ends the wait for the line.
    guard = threading.Timer(DEADLINE, process.kill)
    guard.start()
    try:
        if process.stdout.readline().strip() != "ready":
            raise Trouble("the floor program did not start; its message is above")
        guard.cancel()
        times = _creations(world, "floor", count)
    finally:
        guard.cancel()
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
    world.clear("host", FCM, "floor")
    for m in MEMBERS:
        world.clear(m, k.CONFIGMAPS, "floor")
    return times


def creation(world, count):
    world.namespace("latency")
    world.manager.wait_at_rest()
    times = _creations(world, "latency", count)
    world.manager.wait_at_rest()
    return times


def repair(world, count):
    """Milliseconds from the answer to a change in a member until it is undone, each of another object: a controller that
    fights for one object again and again backs off."""
    moments, dirty, times = Moments(), set(), []

    def event(kind, name, propagated, drifted, now):
        if drifted:
            dirty.add(name)
        elif name in dirty:
            moments.note("member1", name, now)
    watch = Watch(world, "member1", k.CONFIGMAPS, "latency", event)
    for number in range(count):
        name = f"single-{number}"
        world.members["member1"].patch(k.CONFIGMAPS, "latency", name, {"data": {"drift": "yes"}})
        began = time.monotonic()
        # The repair may be seen before the answer to the change is.
        times.append(max(0.0, 1000 * (moments.wait(name, 1, DEADLINE, "repaired") - began)))
        time.sleep(PAUSE)
    watch.close()
    return times


def deletion(world, count):
    """Milliseconds from the DELETE on the host until the federated object is gone, and with it the members' objects."""
    moments, times = Moments(), []

    def event(kind, name, propagated, drifted, now):
        if kind == "D":
            moments.note("host", name, now)
    watch = Watch(world, "host", FCM, "latency", event)
    for number in range(count):
        name = f"single-{number}"
        began = time.monotonic()
        world.host.delete(FCM, "latency", name)
        times.append(1000 * (moments.wait(name, 1, DEADLINE, "deleted") - began))
        for m, api in world.members.items():
            if api.find(k.CONFIGMAPS, "latency", name):
                raise Trouble(f"{name} is still in {m} after its deletion")
        time.sleep(PAUSE)
    watch.close()
    return times
