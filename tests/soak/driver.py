"""Carries the steps out: requests to host and members, faults, and what is there at the end."""
import threading
import time

import common  # noqa: F401
import faults
import shapes
from harness import GADGET_SCHEMA, Controller, ControlPlane, crd
from shapes import GADGETS, MEMBERS, TYPES
from waiting import eventually, expect, k

SYSTEM = "kube-federation-system"
FINALIZER = "soak.example.com/keep"
# On a busy machine an answer may take seconds. Who did not get it would be right to give up a member, or to lead no longer, but silence
# ends with that.
CONFIG = {"clusterHealthCheck": {"period": "1s", "timeout": "3s", "failureThreshold": 2},
          "controllerDuration": {"availableDelay": "1s", "unavailableDelay": "1s"},
          "leaderElect": {"leaseDuration": "18s", "renewDeadline": "15s", "retryPeriod": "1s"}}
GONE_TOLERATED = (403, 404, 409)


class SlowProxy(faults.Proxy):
    """A proxy that can also delay what it forwards. A timer may mend it while a step breaks it, or all are mended."""
    delay = 0

    def __init__(self, host, port):
        self._changing = threading.Lock()
        super().__init__(host, port)

    def _pump(self, source, sink):
        outer = self

        class Slow:
            """The sink, with a pause before each write."""
            def sendall(self, data):
                if outer.delay:
                    time.sleep(outer.delay)
                sink.sendall(data)

            def __getattr__(self, name):
                return getattr(sink, name)

            def __hash__(self):
                return hash(sink)

            def __eq__(self, other):
                return sink is other or self is other
        super()._pump(source, Slow())

    def refuse(self):
        with self._changing:
            super().refuse()

    def mend(self):
        with self._changing:
            self.delay = 0
            self.pass_on()


def gadget_definition():
    return crd(shapes.GADGET_GROUP, "v1", "gadgets", "Gadget", GADGET_SCHEMA)


class Driver:
    def __init__(self, env, types):
        self.env, self.host, self.types = env, env.host, types
        self.members = {m: env.apis[m] for m in MEMBERS}
        self.plane = ControlPlane(env, SYSTEM, "Cluster", CONFIG)
        self.proxies, self.specs, self.timers, self.tokens = {}, {}, [], {}
        self.deferred = set()       # keys whose creation waits for the end of an earlier object
        self.held = set()           # slots with a finalizer of the driver
        self._lock = threading.Lock()

    # -- setting up

    def set_up(self, clusters):
        self.plane.create()
        self._make_gadgets()
        for name in self.types:
            self.plane.ctl("enable", TYPES[name].ftc)
        for member in MEMBERS:
            host, port = self.members[member].server.split("//")[1].rstrip("/").rsplit(":", 1)
            self.proxies[member] = SlowProxy(host.strip("[]"), int(port))
            made = self.plane.add_member(member, port=self.proxies[member].port, labels=clusters[member].labels)
            self.specs[member] = made["spec"]
        self.plane.start()
        self.plane.wait_ready(*MEMBERS)
        self.plane.wait_running(*(TYPES[name].ftc for name in self.types))

    def _make_gadgets(self):
        for api in (self.host, *self.members.values()):
            api.create(k.CRDS, None, gadget_definition())
        for api in (self.host, *self.members.values()):
            eventually(lambda a=api: a.list(GADGETS))

    # -- federated objects

    @staticmethod
    def body(key, fed):
        return {"metadata": {"name": key[2], "annotations": fed.annotations}, "spec": fed.spec}

    def put(self, key, fed):
        """Creates or changes; an earlier object of that name may still be on its way out."""
        kind = TYPES[key[0]]
        deadline = time.monotonic() + 3
        while True:
            if self._put_once(kind, key, fed):
                with self._lock:
                    self.deferred.discard(key)
                return
            if time.monotonic() > deadline:
                with self._lock:
                    self.deferred.add(key)
                return
            time.sleep(0.1)

    def _put_once(self, kind, key, fed):
        old = self.host.find(kind.fed, key[1], key[2])
        if old and old["metadata"].get("deletionTimestamp"):
            return False
        try:
            if old is None:
                self.host.create(kind.fed, key[1], self.body(key, fed))
            else:
                old["spec"] = fed.spec
                old["metadata"]["annotations"] = fed.annotations
                self.host.replace(kind.fed, key[1], old)
        except k.ApiError as e:
            if e.code in (404, 409):
                return False
            raise
        return True

    def delete(self, key, orphan):
        kind = TYPES[key[0]]
        with self._lock:
            self.deferred.discard(key)
        try:
            if orphan:
                self.host.patch(kind.fed, key[1], key[2], {"metadata": {"annotations": {"kubefed.io/orphan": "true"}}})
            self.host.delete(kind.fed, key[1], key[2])
        except k.ApiError as e:
            if e.code != 404:
                raise

    def finish_deferred(self, objects):
        """After the faults: what could not be created yet."""
        for key in sorted(self.deferred):
            if key in objects:
                eventually(lambda k_=key: self._put_or_complain(k_, objects[k_]), 120, 0.2)
        self.deferred.clear()

    def _put_or_complain(self, key, fed):
        assert self._put_once(TYPES[key[0]], key, fed), f"{key}: an earlier object of that name does not go"

    def create_namespace(self, name):
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})

    def delete_namespace(self, name, keys):
        with self._lock:
            self.deferred -= set(keys)
        self.host.delete(k.NAMESPACES, None, name)

    # -- clusters and types

    def label_cluster(self, member, labels):
        everything = {"tier": None, "zone": None}
        self.host.patch(k.KFC, SYSTEM, member, {"metadata": {"labels": {**everything, **labels}}})

    def unregister(self, member):
        self.host.delete(k.KFC, SYSTEM, member)

    def register(self, member, labels):
        self.host.create(k.KFC, SYSTEM, {"metadata": {"name": member, "labels": labels}, "spec": self.specs[member]})

    def enable(self, type_name, enabled):
        propagation = "Enabled" if enabled else "Disabled"
        self.host.patch(k.FTC, SYSTEM, TYPES[type_name].ftc, {"spec": {"propagation": propagation}})

    # -- members

    @staticmethod
    def _address(slot):
        """(resource, namespace, name) of a target object."""
        _, type_name, namespace, name = slot
        return TYPES[type_name].target, TYPES[type_name].where(namespace), name

    def patch(self, slot, body):
        self._tolerant(lambda: self.members[slot[0]].patch(*self._address(slot), body))

    def hold(self, slot):
        with self._lock:
            self.held.add(slot)
        # 422: an object that is being deleted gets no new finalizers.
        body = {"metadata": {"finalizers": [FINALIZER]}}
        self._tolerant(lambda: self.members[slot[0]].patch(*self._address(slot), body), (*GONE_TOLERATED, 422))

    def release(self):
        """Takes the driver's finalizers away. What is under deletion by a finalizer of Kubernetes keeps that one."""
        for slot in sorted(self.held):
            self._release_one(slot)
        self.held.clear()

    def _release_one(self, slot):
        api = self.members[slot[0]]
        while True:
            obj = api.find(*self._address(slot))
            rest = [f for f in (obj or {}).get("metadata", {}).get("finalizers") or [] if f != FINALIZER]
            if not obj or len(rest) == len(obj["metadata"].get("finalizers") or []):
                return
            try:
                api.patch(*self._address(slot), {"metadata": {
                    "finalizers": rest or None, "resourceVersion": obj["metadata"]["resourceVersion"]}})
                return
            except k.ApiError as e:
                if e.code not in GONE_TOLERATED:
                    raise

    def delete_in_member(self, slot):
        self._tolerant(lambda: self.members[slot[0]].delete(*self._address(slot)))

    def create_in_member(self, slot, body):
        target, namespace, _ = self._address(slot)
        body = {"kind": TYPES[slot[1]].kind, **body}
        self._tolerant(lambda: self.members[slot[0]].create(target, namespace, body))

    @staticmethod
    def _tolerant(call, codes=GONE_TOLERATED):
        """The object, or its namespace, may just not be there."""
        try:
            call()
        except k.ApiError as e:
            if e.code not in codes:
                raise

    # -- faults

    def flap(self, member, how, seconds):
        proxy = self.proxies[member]
        if how == "hang":
            proxy.hang()
        elif how == "refuse":
            proxy.refuse()
        else:
            proxy.delay = 0.15
        timer = threading.Timer(seconds, proxy.mend)
        timer.daemon = True
        timer.start()
        self.timers.append(timer)

    def restart(self, how, down):
        old = self.plane.controller
        assert old.alive(), f"the controller manager ended by itself: {old.describe_end()}"
        if how == "takeover":       # a second one waits already when the first is killed
            self._start_another()
            time.sleep(0.5)
        if how == "SIGTERM":
            old.wait_log("Serving health")      # before, it may not know the signal yet
            old.stop()
        else:
            old.kill()
            old.check_log()
        if how != "takeover":
            time.sleep(down)
            self._start_another()

    def _start_another(self):
        self.plane.controller = Controller(self.plane)
        self.plane.controller.start(wait=False)

    def break_secret(self, member, seconds):
        name = f"{member}-secret"
        good = self.host.get(k.SECRETS, SYSTEM, name)["data"]["token"]
        self.tokens.setdefault(member, good)
        self.host.patch(k.SECRETS, SYSTEM, name, {"data": {"token": shapes.encoded("wrong")}})
        timer = threading.Timer(seconds, self.mend_secret, [member])
        timer.daemon = True
        timer.start()
        self.timers.append(timer)

    def mend_secret(self, member):
        self.host.patch(k.SECRETS, SYSTEM, f"{member}-secret", {"data": {"token": self.tokens[member]}})

    def remove_definition(self, member):
        self.members[member].delete(k.CRDS, None, f"gadgets.{shapes.GADGET_GROUP}")

    def _restore_definition(self, member):
        api, name = self.members[member], f"gadgets.{shapes.GADGET_GROUP}"
        eventually(lambda: expect(api.find(k.CRDS, None, name), None, f"definition of gadgets in {member}"), 120)
        api.create(k.CRDS, None, gadget_definition())
        eventually(lambda: api.list(GADGETS))

    def end_faults(self, world):
        for timer in self.timers:
            timer.cancel()
        self.timers = []
        for proxy in self.proxies.values():
            proxy.mend()
        for member in self.tokens:
            self.mend_secret(member)
        for name, enabled in world.enabled.items():
            if not enabled:
                self.enable(name, True)
                world.enabled[name] = True
        self.release()
        for member in sorted(world.lacking):
            self._restore_definition(member)
        world.lacking.clear()
        self.plane.controller.wait_log("Starting cluster controller", 90)
        self.finish_deferred(world.objects)

    def close(self):
        for timer in self.timers:
            timer.cancel()
        for proxy in self.proxies.values():
            proxy.close()

    # -- what is there

    @staticmethod
    def _place(obj):
        return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def listing(self, api, resource):
        """{(namespace, name): object} of the driver's objects."""
        return {self._place(o): o for o in api.list(resource)
                if o["metadata"]["name"].startswith("soak-") and o.get("type") != "kubernetes.io/service-account-token"}

    def observe(self):
        """({slot: object}, {key: federated object}, {key: version record})"""
        slots, feds, versions = {}, {}, {}
        records = {resource: {self._place(o): o for o in self.host.list(resource)} for resource in (k.PV, k.CPV)}
        for name in self.types:
            kind = TYPES[name]
            for (namespace, object_name), obj in self.listing(self.host, kind.fed).items():
                key = (name, namespace, object_name)
                feds[key] = obj
                versions[key] = records[kind.pv].get((namespace, f"{kind.kind.lower()}-{object_name}"))
            for member, api in self.members.items():
                found = self.listing(api, kind.target)
                for (namespace, object_name), obj in found.items():
                    namespace = object_name if name == "namespaces" else namespace
                    slots[(member, name, namespace, object_name)] = obj
        return slots, feds, versions

    def host_namespaces(self):
        return sorted(name for _, name in self.listing(self.host, k.NAMESPACES))
