"""What the controller manager does when there is nothing to do: idle, and after a restart with everything in place."""
import time

import counters
from base import CLUSTERS, k, until
from manager import LEADS
from watch import Watch

# The lock of the leader, its event, and the heartbeats of the clusters' health, all on the host.
ALWAYS = {"POST configmaps", "PUT configmaps", "PATCH configmaps", "POST events", "PATCH events",
          "PUT kubefedclusters/status", "PATCH kubefedclusters/status"}


def idle(world, seconds):
    """Requests sent and CPU time spent when nothing happens, per minute."""
    world.manager.wait_at_rest()
    before, cpu, began = world.manager.requests(), world.manager.cpu(), time.monotonic()
    time.sleep(seconds)
    after, minutes = world.manager.requests(), (time.monotonic() - began) / 60
    return {"requests/min": {c: (after[c] - before[c]) / minutes for c in CLUSTERS},
            "cpu ms/min": (world.manager.cpu() - cpu) * 1000 / minutes, "memory": world.manager.memory()}


def _change(world, namespace, count):
    """Changes that many objects in the first member; their names."""
    names = [n for n in world.names("member1", k.CONFIGMAPS, namespace) if n.startswith("bench-")][:count] if count else []
    for name in names:
        world.members["member1"].patch(k.CONFIGMAPS, namespace, name, {"data": {"drift": "yes"}})
    return names


def restart(world, namespace, changes):
    """Stops the controller manager, changes objects in a member, starts it: when is all in sync, what is written?"""
    manager = world.manager
    manager.wait_at_rest()
    manager.stop()
    left, last = set(_change(world, namespace, changes)), [0.0]
    before = {c: counters.counts(world.apis[c]) for c in CLUSTERS}

    def event(kind, name, propagated, drifted, now):
        if kind == "M" and not drifted and name in left:
            left.discard(name)
            last[0] = now
    watch = Watch(world, "member1", k.CONFIGMAPS, namespace, event)
    manager.start()
    manager.wait_log(LEADS, 60, 0.005)
    leads = time.monotonic() - manager.began
    manager.wait_log('Started sync controller for "FederatedConfigMap"', 120)
    # Each look costs the program a moment, so it is not asked more often.
    manager.wait_at_rest(120, 0.02)
    rest = time.monotonic() - manager.began
    until("all changes are undone", lambda: not left, 60)
    watch.close()
    cpu = manager.cpu()
    time.sleep(2)
    manager.wait_at_rest()
    writes = {f"{c}: {what}": n for c in CLUSTERS
              for what, n in counters.between(before[c], counters.counts(world.apis[c]), writes_only=True).items()
              if c != "host" or what not in ALWAYS}
    return {"leads after": leads, "at rest after": rest, "changes": changes,
            "last change undone after": last[0] - manager.began if changes else None, "cpu seconds": cpu,
            "writes": writes, "memory": manager.memory()}
