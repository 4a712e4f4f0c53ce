"""What the end-to-end tests stand on: the lab, control planes, controller managers, waiting.

Tests run at the same time on one lab, so each uses names of its own. What cannot be shared:
 * A cluster-scoped control plane looks after every namespace and every labelled object of the types that it has enabled.
   There is exactly one at a time: the *main* one (env.main), with host, member1 and member2 joined.
 * A test that wants a control plane for itself takes a *private* one: namespace-scoped, with a target type of its own
   (a CRD made for the test), which the main one does not know. What it made stays: the lab is thrown away at the end.
 * A test marked alone=True runs when no other test runs; the main controller is stopped then, and the test starts its own.
"""
import base64
import json
import os
import subprocess
import threading
import time

from counting import settle, write_counts, writes_between  # noqa: F401 (for the tests)
from planes import SANITIZER, Controller, ControlPlane, merged, run_ctl  # noqa: F401
from waiting import TOP, Skip, describe_error, eventually, expect, k, show, slowness, stays  # noqa: F401

SYSTEM = "kube-federation-system"
MANAGED = "kubefed.io/managed"
SYNC_FINALIZER = "kubefed.io/sync-controller"
FNS, FCM = k.FED + "namespaces", k.FED + "configmaps"
FDEPLOY, FSVC = k.FED + "deployments", k.FED + "services"
# What failed is tried again after that many seconds at the earliest. What follows from an event is there before.
BEFORE_RETRY = 5
# A request to a member ends after that many seconds without an answer.
MEMBER_TIMEOUT = 25

# ---- registry

class Test:
    def __init__(self, function, alone, smoke):
        self.function, self.alone, self.smoke = function, alone, smoke
        self.module = function.__module__.removeprefix("test_")
        self.name = f"{self.module}.{function.__name__}"
        self.doc = (function.__doc__ or "").strip()


TESTS = []


def test(alone=False, smoke=False):
    """Registers a test function; it gets a Case. The function's name says what it shows."""
    def register(function):
        TESTS.append(Test(function, alone, smoke))
        return function
    return register


# ---- the lab

class Secrets:
    """Texts that must appear in no log. Other tests add theirs at any time, so that each loop goes over a copy."""

    def __init__(self):
        self._texts, self._lock = set(), threading.Lock()

    def add(self, text):
        self.update([text])

    def update(self, texts):
        with self._lock:
            self._texts.update(texts)

    def __iter__(self):
        with self._lock:
            return iter(list(self._texts))


class Env:
    """One run: a private folder, one lab, the main control plane, and what the programs are."""

    def __init__(self, bin_dir, folder, keep=False):
        self.bin, self.folder, self.keep = bin_dir, folder, keep
        self.lab_dir = os.path.join(folder, "lab")
        self.logs = os.path.join(folder, "logs")
        os.makedirs(self.logs, exist_ok=True)
        self.apis = {}
        self.secrets = Secrets()
        self._lock = threading.RLock()
        self._main = None
        self._main_error = None
        self._numbers = {}
        self._tokens = {}

    @property
    def kubeconfig(self):
        return os.path.join(self.lab_dir, "kubeconfig")

    def lab(self, *arguments, check=True):
        result = subprocess.run([os.environ.get("E2E_LAB", os.path.join(TOP, "lab", "lab")), *arguments, "--dir", self.lab_dir],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and result.returncode != 0:
            raise RuntimeError(f"lab {' '.join(arguments)} failed with status {result.returncode}:\n{result.stdout}")
        return result.stdout

    def up(self):
        guard = [] if self.keep else ["--watch-pid", str(os.getpid())]
        self.lab("up", "--clusters", "4", "--no-token-secrets", "member3", *guard)
        self.apis = k.load(self.kubeconfig)
        for name in ("host", "member1", "member2", "member3"):
            if name not in self.apis:
                raise RuntimeError(f"the lab's kubeconfig has no context {name}")
        subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, "--context", "host", "apply", "-f",
                        os.path.join(TOP, "deploy", "crds")], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        eventually(lambda: [self.host.list(r) for r in (k.KFC, k.KFCONFIG, k.FTC, k.PV)])

    @property
    def host(self):
        return self.apis["host"]

    def number(self, prefix):
        """1, 2, 3... for each prefix, for names that no other test uses."""
        with self._lock:
            self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
            return self._numbers[prefix]

    def entry(self, context):
        """The cluster entry of the kubeconfig with the CA inline: {server, ca (base64)}."""
        entry = self.apis[context].entry
        ca = entry.get("certificate-authority-data")
        if not ca and entry.get("certificate-authority"):
            with open(os.path.join(self.lab_dir, entry["certificate-authority"]), "rb") as f:
                ca = base64.b64encode(f.read()).decode()
        return entry["server"], ca

    def admin_token(self, member, account="e2e-admin"):
        """A bearer token with all rights in that member, of a service account made for it."""
        with self._lock:
            if (member, account) not in self._tokens:
                api = self.apis[member]
                make_admin(api, account)
                self._tokens[member, account] = token_for(api, account)
                self.secrets.add(self._tokens[member, account])
            return self._tokens[member, account]

    def main(self):
        """The cluster-scoped control plane that most tests share; started by the first that asks."""
        with self._lock:
            if self._main_error:
                raise AssertionError(f"the shared control plane could not be set up: {self._main_error}")
            if self._main is None:
                try:
                    self._main = self._start_main()
                except Exception as e:
                    self._main_error = str(e)
                    raise
            if not self._main.controller.alive():
                died = None if self._main.controller.ended_on_purpose else self._main.controller.describe_end()
                self._main.start()
                if died:
                    print(f"the shared controller manager had ended and was started again: {died}", flush=True)
            return self._main

    def _start_main(self):
        plane = ControlPlane(self, SYSTEM, scope="Cluster")
        plane.create()
        plane.start()
        for member in ("member1", "member2", "host"):
            plane.ctl("join", member, "--cluster-context", member)
        for name in ("namespaces", "configmaps", "deployments.apps", "services"):
            plane.ctl("enable", name)
        plane.wait_ready("member1", "member2", "host")
        plane.wait_running("namespaces", "configmaps", "deployments.apps", "services")
        return plane

    def stop_main(self):
        """Ends the shared controller, for tests that run alone. Returns the plane, or None if none was started."""
        with self._lock:
            if self._main and self._main.controller and self._main.controller.alive():
                self._main.controller.stop()
            return self._main

    def down(self):
        """Ends everything that was started. Problems are returned as texts."""
        problems = []
        with self._lock:
            if self._main and self._main.controller:
                try:
                    self._main.controller.close()
                except AssertionError as e:
                    problems.append(f"shared controller manager: {e}")
        try:
            self.lab("down")
        except RuntimeError as e:
            problems.append(str(e))
        return problems


def make_admin(api, account):
    for resource, namespace, obj in (
            (k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}}),
            (k.CLUSTERROLEBINDINGS, None, {
                "metadata": {"name": f"e2e:{account}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]})):
        try:
            api.create(resource, namespace, obj)
        except k.ApiError as e:
            if e.code != 409:
                raise


def wait_allowed(api, account, allowed, namespace=None, **request):
    """Waits until the API server has noticed what a ServiceAccount of namespace default may do now, or no longer."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
        "user": f"system:serviceaccount:default:{account}", "groups": ["system:serviceaccounts", "system:authenticated"],
        "resourceAttributes": {**request, **({"namespace": namespace} if namespace else {})}}}

    def noticed():
        answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        expect(answer["status"]["allowed"], allowed, f"{account} may {request}")
    eventually(noticed)


def token_for(api, account):
    answer = api.call("POST", k.path_of(k.SERVICEACCOUNTS, "default", account, "token"),
                      {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                       "spec": {"expirationSeconds": 36000}})
    return answer["status"]["token"]


# ---- one test

GADGET_SCHEMA = {"type": "object", "properties": {
    "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "data": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}


class Case:
    """What a running test holds: names of its own, helpers, and cleanups that run in reverse order."""

    def __init__(self, env, test):
        self.env, self.test = env, test
        self.host = env.host
        self.member1, self.member2, self.member3 = (env.apis[m] for m in ("member1", "member2", "member3"))
        self.members = {m: env.apis[m] for m in ("member1", "member2")}
        self._cleanups = []
        self._planes = []
        self.shared = None

    def unique(self, prefix):
        return f"{prefix}-{self.env.number(prefix)}"

    def cleanup(self, function, *arguments):
        self._cleanups.append((function, arguments))

    def finish(self):
        """Cleans up; returns the texts of what went wrong meanwhile."""
        problems = []
        for function, arguments in reversed(self._cleanups):
            try:
                function(*arguments)
            except Exception as e:
                problems.append(f"cleanup: {describe_error(e)}")
        return problems

    def tails(self):
        """Ends of the logs of the controllers that this test used."""
        out = ""
        for plane in self._planes + ([self.shared] if self.shared else []):
            if plane.controller and plane.controller.process:
                out += f"    log {plane.controller.log_path} ends with:\n{plane.controller.tail(25)}\n"
        return out

    # -- control planes

    def main(self):
        self.shared = self.env.main()
        return self.shared

    def plane(self, prefix="plane", scope="Namespaced", config=None, start=False):
        """A control plane for this test alone, with an empty system namespace in the members."""
        plane = ControlPlane(self.env, self.unique(prefix), scope, config)
        self._planes.append(plane)
        plane.create()
        self.cleanup(self._drop_plane, plane)
        if start:
            plane.start()
        return plane

    def _drop_plane(self, plane):
        if plane.controller:
            plane.controller.close()

    def private(self, members=("member1", "member2"), config=None, proxied=(), start=True, missing_in=()):
        """A namespace-scoped control plane with a target type of its own. Returns (plane, gadgets, proxies).

        gadgets is a Gadgets: the type's resources and helpers; proxies maps the members in `proxied` to a faults.Proxy.
        A member that no proxy can make hang is well, however long a busy machine takes for its answer to a probe.
        """
        import faults
        check = {"period": "1s", "timeout": "1s" if proxied else "20s"}
        plane = self.plane("private", "Namespaced", merged({"clusterHealthCheck": check}, config))
        gadgets = Gadgets(self, plane, members, missing_in)
        proxies = {}
        for member in members:
            try:
                self.env.apis[member].create(k.NAMESPACES, None, {"metadata": {"name": plane.namespace}})
            except k.ApiError as e:
                if e.code != 409:
                    raise
            port = None
            if member in proxied:
                address = self.env.apis[member].server.split("//")[1]
                host, target_port = address.rsplit(":", 1)
                proxies[member] = faults.Proxy(host.strip("[]"), int(target_port.strip("/")))
                self.cleanup(proxies[member].close)
                port = proxies[member].port
            plane.add_member(member, port=port)
        plane.add_type("v1/namespaces", namespaced=False, fed_scope="Namespaced")
        plane.add_type(gadgets.target)
        if start:
            plane.start()
            plane.wait_ready(*members)
            plane.wait_running(gadgets.ftc)
        return plane, gadgets, proxies

    # -- the shared control plane

    def namespace(self, clusters=("member1", "member2"), federate=True, selector=None):
        """A host namespace of its own, federated to the clusters."""
        name = self.unique("ns")
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
        self.cleanup(lambda: self.host.delete(k.NAMESPACES, None, name, missing_ok=True))
        if federate:
            placement = {"clusterSelector": selector} if selector is not None else \
                {"clusters": [{"name": c} for c in clusters]}
            self.host.create(FNS, name, {"metadata": {"name": name}, "spec": {"placement": placement}})
        return name

    def federate(self, fed, namespace, name, template=None, clusters=("member1", "member2"), overrides=None,
                 selector=None, annotations=None, **spec):
        """Creates a federated object; clusters=None leaves them out of the placement."""
        placement = {}
        if clusters is not None:
            placement["clusters"] = [{"name": c} for c in clusters]
        if selector is not None:
            placement["clusterSelector"] = selector
        body = {"metadata": {"name": name}, "spec": {"placement": placement, **spec}}
        if template is not None:
            body["spec"]["template"] = template
        if overrides is not None:
            body["spec"]["overrides"] = overrides
        if annotations:
            body["metadata"]["annotations"] = annotations
        return self.host.create(fed, namespace, body)

    def configmap(self, namespace, name="greet", data=None, **kwargs):
        return self.federate(FCM, namespace, name, {"data": data or {"lang": "en"}}, **kwargs)

    def propagated(self, fed, namespace, name, clusters=("member1", "member2"), timeout=90):
        """Waits until the status says that the present generation is in exactly these clusters; returns the object."""
        return eventually(lambda: check_propagated(self.host.get(fed, namespace, name), clusters), timeout)

    def edit(self, resource, namespace, name, change, api=None):
        """Reads, changes and replaces an object, again when somebody else was faster."""
        api = api or self.host
        while True:
            obj = api.get(resource, namespace, name)
            change(obj)
            try:
                return api.replace(resource, namespace, obj)
            except k.ApiError as e:
                if e.code != 409:
                    raise

    def missed(self, text):
        """Tells in the output of the run what is no failure yet: a fault that shows only now and then is seen there."""
        print(f"note {self.test.name}: {text}", flush=True)

    def once_of(self, most, attempt):
        """attempt() must succeed once of so many times."""
        for number in range(1, most + 1):
            try:
                return attempt()
            except AssertionError as e:
                if number == most:
                    raise
                self.missed(f"attempt {number}: {e}")

    def quickly(self, attempt, seconds=8, most=3, below=None):
        """attempt(number) must be done within that many seconds, once of so many times.

        An API server on a busy machine may take longer for one answer; what has a fixed delay has it each time. A slow
        machine (E2E_SLOW) has more time, but not more than `below`, after which something else does the same. What an
        attempt has to prepare does not count when it returns the time.monotonic() at which the rest began.
        """
        limit = min(seconds * slowness(), below or float("inf"))
        took = []
        for number in range(most):
            began = time.monotonic()
            began = attempt(number) or began
            took.append(time.monotonic() - began)
            if took[-1] <= limit:
                return
            self.missed(f"attempt {number + 1} took {took[-1]:.1f} s, more than {limit:.1f} s")
        raise AssertionError(f"never within {limit:.1f} s: {', '.join(f'{s:.1f} s' for s in took)}")

    def gone(self, api, resource, namespace, name, timeout=90):
        eventually(lambda: expect(api.find(resource, namespace, name), None, f"{resource} {namespace}/{name}"), timeout)


def check_propagated(obj, clusters):
    status = obj.get("status") or {}
    condition = k.condition(obj, "Propagation")
    what = f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
    assert condition.get("status") == "True" and status.get("observedGeneration") == obj["metadata"]["generation"] and \
        status.get("clusters", []) == [{"name": c} for c in sorted(clusters)], \
        f"{what} (generation {obj['metadata']['generation']}) is not propagated to exactly {', '.join(sorted(clusters))}:" \
        f" {show(status)}"
    return obj


class Gadgets:
    """A target type made for one test: a CRD in host and members, and the federated kind for it."""

    def __init__(self, case, plane, members, missing_in=()):
        self.case, self.plane = case, plane
        number = case.env.number("gadget")
        self.plural, self.kind = f"gadget{number}s", f"Gadget{number}"
        self.group = "e2e.example.com"
        self.target = f"{self.group}/v1/{self.plural}"
        self.fed = k.FED + self.plural
        self.ftc = f"{self.plural}.{self.group}"
        for member in members:
            if member not in missing_in:
                self.install(member)
        case.host.create(k.CRDS, None, crd(
            "types.kubefed.io", "v1beta1", "federated" + self.plural, "Federated" + self.kind,
            {"type": "object", "required": ["spec"], "properties": {
                "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}))
        eventually(lambda: case.host.list(self.fed, plane.namespace))
        for member in members:
            if member not in missing_in:
                eventually(lambda m=member: case.env.apis[m].list(self.target))

    def install(self, member):
        api = self.case.env.apis[member]
        api.create(k.CRDS, None, crd(self.group, "v1", self.plural, self.kind, GADGET_SCHEMA))

    def create(self, name, clusters=("member1", "member2"), data=None, **kwargs):
        return self.case.federate(self.fed, self.plane.namespace, name, {"data": data or {"lang": "en"}},
                                  clusters=clusters, **kwargs)

    def get(self, name):
        return self.case.host.get(self.fed, self.plane.namespace, name)

    def propagated(self, name, clusters=("member1", "member2"), timeout=90):
        return self.case.propagated(self.fed, self.plane.namespace, name, clusters, timeout)

    def in_member(self, member, name):
        return self.case.env.apis[member].find(self.target, self.plane.namespace, name)

    def clusters(self, name):
        """{cluster: status or ""} as the federated object reports them."""
        return {c["name"]: c.get("status", "") for c in self.get(name).get("status", {}).get("clusters") or []}


def crd(group, version, plural, kind, schema, scope="Namespaced"):
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": scope,
                 "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": kind + "List"},
                 "versions": [{"name": version, "served": True, "storage": True, "subresources": {"status": {}},
                               "schema": {"openAPIV3Schema": schema}}]}}


# ---- certificates

def other_authority(folder):
    """A CA certificate (base64 PEM) that signed nothing."""
    path = os.path.join(folder, "other-ca.pem")
    if not os.path.exists(path):
        new = f"{path}.{threading.get_ident()}"     # several tests may want it first
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", new + ".key", "-out", new, "-days", "30", "-subj", "/CN=other authority"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        os.replace(new, path)
    with open(path, "rb") as f:
        return base64.b64encode(f.read()).decode()


def kubeconfig_with(env, folder, name, change):
    """A copy of the lab's kubeconfig after change(config); JSON is YAML too."""
    config = k.view(env.kubeconfig)
    change(config)
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        json.dump(config, f)
    return path


__all__ = [name for name in dir() if not name.startswith("_")]
