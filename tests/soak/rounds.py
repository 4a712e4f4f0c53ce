"""One round: random steps, the end of all faults, convergence to what the oracle says, silence."""
import concurrent.futures
import copy
import json
import time

import common  # noqa: F401
import oracle
from actions import path
from harness import eventually, expect, k, settle, write_counts, writes_between
from shapes import MEMBERS, TYPES
from waiting import describe_error, slowness

# The lock, events, and the heartbeat of clusters; and what the host's garbage collector does about version records.
HOST_MAY = {"PUT configmaps", "PATCH configmaps", "POST configmaps", "POST events", "PATCH events",
            "PUT kubefedclusters/status", "PATCH kubefedclusters/status", "DELETE propagatedversions",
            "DELETE clusterpropagatedversions"}
MEMBER_MAY = {f"{verb} {resource}" for verb in ("POST", "PUT", "PATCH", "DELETE") for resource in (
    "events", "replicasets", "replicasets/status", "pods", "pods/status")}
MEMBER_MAY |= {"PUT deployments/status", "PUT jobs/status"}


class Failed(Exception):
    """The round did not end as it must; keys: the objects concerned (or None for all)."""

    def __init__(self, text, keys=None):
        super().__init__(text)
        self.keys = keys


class Rounds:
    def __init__(self, world, chooser, driver):
        self.world, self.chooser, self.driver = world, chooser, driver
        self.round, self.step = 0, 0
        self.told = []              # (text of a step, Step) of this round
        self.found = ({}, {}, {})   # what was there when the last round had converged
        self._defaults = {}
        self.judge = oracle.Judge(world, self.defaults)

    def defaults(self, type_name, wanted):
        """What an API server makes of an object: the host is asked, without storing anything."""
        if type_name in ("gadgets", "namespaces"):
            return wanted
        text = json.dumps(wanted, sort_keys=True)
        if text not in self._defaults:
            body = copy.deepcopy(wanted)
            body["metadata"] = {"name": "soak-dry-run", "labels": body["metadata"]["labels"]}
            where = k.path_of(TYPES[type_name].target, "default" if TYPES[type_name].namespaced else None)
            self._defaults[text] = self.driver.host.call("POST", where + "?dryRun=All", body)
        return self._defaults[text]

    # -- the steps

    def run_steps(self, count):
        self.round += 1
        self.told = []
        self.world.start = self.found[0]
        self.world.begin_round()
        rng = self.world.rng
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            while count > 0:
                batch = self.chooser.batch(min(count, rng.randint(1, 6)))
                pause = rng.choice((0, 0, 0, 0.05, 0.3, 1))
                count -= len(batch)
                self._run_batch(pool, batch)
                time.sleep(pause)

    def run_fixed(self, steps):
        """The first steps of all, not drawn."""
        self.round, self.told = 0, []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            for step in steps:
                self._run_batch(pool, [step])

    def _run_batch(self, pool, batch):
        for step in batch:
            self.step += 1
            text = f"step {self.step}: {step.text}"
            self.told.append((text, step))
            print(text, flush=True)
        running = [pool.submit(step.run, self.driver) for step in batch]
        for step, future in zip(batch, running):
            try:
                future.result()
            except Exception as e:
                text = f"the step \"{step.text}\" could not be carried out: {describe_error(e)}"
                raise Failed(text, step.keys) from e
        controller = self.driver.plane.controller
        if not controller.alive():
            raise Failed(f"the controller manager ended by itself: {controller.describe_end()}")

    # -- convergence

    def converge(self, timeout):
        try:
            self.driver.end_faults(self.world)
        except AssertionError as e:
            raise Failed(f"the faults could not be ended: {describe_error(e)}") from e
        began = time.monotonic()
        while True:
            found, wrong = self._look()
            if not wrong:
                break
            if time.monotonic() - began > timeout * slowness():
                text = "\n".join(f"  {path(key) if key else ''}: {problem}" for key, problem in wrong[:40])
                raise Failed(f"not as it must be after {timeout * slowness():.0f} s: {len(wrong)} differences\n{text}",
                             {key for key, _ in wrong})
            if not self.driver.plane.controller.alive():
                raise Failed("the controller manager ended by itself: " + self.driver.plane.controller.describe_end())
            time.sleep(0.3)
        self.found = found
        self._stable(found[0])
        return time.monotonic() - began

    def _look(self):
        """What is there, and what of it is wrong. An API server that does not answer just now is asked again."""
        found = ({}, {}, {})
        try:
            found = self.driver.observe()
            return found, self.differences(*found)
        except (k.ApiError, k.Unreachable) as e:
            return found, [(None, describe_error(e))]

    def differences(self, slots, feds, versions):
        """[(key, text)] of what is not as it must be."""
        wrong = [(None, text) for text in self._clusters() + self._host_namespaces()]
        members = {}
        for slot in sorted(self.world.slots() | set(slots)):
            member, type_name, namespace, _ = slot
            if type_name not in self.driver.types:
                continue
            members.setdefault(slot[1:], {})[member] = slots.get(slot)
            there = (member, "namespaces", namespace, namespace) in slots
            problem = self.judge.slot(slot, slots.get(slot), there)
            if problem:
                wrong.append((slot[1:], f"in {member}: {problem}"))
        for key in sorted(set(feds) | set(self.world.objects)):
            problem = self._federated(key, feds.get(key), versions.get(key), members.get(key, {}))
            if problem:
                wrong.append((key, problem))
        return wrong

    def _federated(self, key, obj, record, members):
        if key not in self.world.objects:
            finalizers = json.dumps(obj["metadata"].get("finalizers"))
            return f"the federated object is still there: finalizers {finalizers}, status {obj.get('status')}"
        if obj is None:
            return "the federated object is not there"
        if obj["metadata"].get("deletionTimestamp"):
            return "the federated object is being deleted"
        if obj["spec"] != self.world.objects[key].spec:
            return "the federated object is not what the driver wrote"
        return self.judge.status(key, obj, members) or self.judge.version(key, obj, record, members)

    def _clusters(self):
        out = []
        found = {c["metadata"]["name"]: c for c in self.driver.host.list(k.KFC, self.driver.plane.namespace)}
        for member, cluster in self.world.clusters.items():
            ready = k.condition(found.get(member), "Ready").get("status")
            if cluster.registered and ready != "True":
                out.append(f"cluster {member} is not ready")
            if not cluster.registered and member in found:
                out.append(f"cluster {member} is still registered")
        return out

    def _host_namespaces(self):
        found, wanted = self.driver.host_namespaces(), sorted(self.world.namespaces)
        return [] if found == wanted else [f"host namespaces: expected {wanted}, are {found}"]

    def _stable(self, slots):
        """Identities that a managed object keeps as long as it is the same object (5.8)."""
        for slot, obj in slots.items():
            before = self.world.start.get(slot)
            if slot[1] != "services" or before is None or before["metadata"]["uid"] != obj["metadata"]["uid"]:
                continue
            ports = {(p.get("name"), p["protocol"], p["port"]): p.get("nodePort") for p in before["spec"]["ports"]}
            if set(self.world.operations_on(slot)) - {"meta", "finalizer", "unlabel"}:
                continue
            if obj["spec"].get("clusterIP") != before["spec"].get("clusterIP"):
                raise Failed(f"{slot}: the cluster address changed", {slot[1:]})
            for port in obj["spec"]["ports"] if len(self.world.history(slot[1:])) == 1 else ():
                known = ports.get((port.get("name"), port["protocol"], port["port"]))
                if known is not None and port.get("nodePort") != known:
                    raise Failed(f"{slot}: a node port changed from {known} to {port.get('nodePort')}", {slot[1:]})

    # -- silence

    def quiet(self, seconds):
        driver = self.driver
        apis = {"host": driver.host, **driver.members}
        try:
            eventually(lambda: expect(self._terminating(apis), [], "namespaces that are terminating"), 120)
            settle(list(apis.values()), 2, timeout=90, ignore=HOST_MAY | MEMBER_MAY)
        except AssertionError as e:
            raise Failed(f"it does not become quiet: {e}") from e
        before, objects = {name: write_counts(api) for name, api in apis.items()}, self._versions()
        time.sleep(seconds)
        for name, api in apis.items():
            writes = {w: n for w, n in writes_between(before[name], write_counts(api)).items()
                      if w not in (HOST_MAY if name == "host" else MEMBER_MAY)}
            if writes:
                raise Failed(f"writes to {name} in {seconds:.0f} quiet seconds: {writes}\n"
                             f"  changed: {self._changed(objects)}")
        if self._changed(objects):
            raise Failed(f"changed in {seconds:.0f} quiet seconds: {self._changed(objects)}")

    @staticmethod
    def _terminating(apis):
        return [(name, ns["metadata"]["name"]) for name, api in apis.items() for ns in api.list(k.NAMESPACES)
                if ns["status"].get("phase") == "Terminating"]

    def _versions(self):
        slots, feds, versions = self.driver.observe()
        found = {str(slot): obj for slot, obj in slots.items() if slot[1] not in ("deployments", "jobs")}
        found.update({"federated " + path(key): obj for key, obj in feds.items()})
        found.update({"version of " + path(key): obj for key, obj in versions.items() if obj})
        return {name: obj["metadata"]["resourceVersion"] for name, obj in found.items()}

    def _changed(self, before):
        now = self._versions()
        return sorted(name for name in set(before) | set(now) if before.get(name) != now.get(name))

    # -- a failure

    def steps_about(self, keys):
        """The steps of this round that may have to do with these objects; faults and clusters always do."""
        if keys is None or None in keys:
            return [text for text, _ in self.told]
        concerned = set(keys) | {("namespaces", key[1], key[1]) for key in keys}
        return [text for text, step in self.told if not step.keys or step.keys & concerned]


__all__ = ["Failed", "MEMBERS", "Rounds"]
