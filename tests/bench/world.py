"""What is measured: a lab of a host and two members, and one control plane on it."""
import json
import os
import shutil
import subprocess
import time

from base import CLUSTERS, FCM, FNS, MEMBERS, SYSTEM, TOP, Trouble, cpu_seconds, k, until
from manager import Manager

LAB = os.path.join(TOP, "lab", "lab")


class World:
    def __init__(self, folder, bin_dir, say):
        self.folder, self.bin, self.say = folder, bin_dir, say
        self.lab_dir = os.path.join(folder, "lab")
        self.kubeconfig = os.path.join(self.lab_dir, "kubeconfig")
        self.manager = Manager(self)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def helper(self, name):
        """A helper program of the bench, from the same build as the programs."""
        for place in ("..", "../release", "../.."):
            path = os.path.normpath(os.path.join(self.bin, place, "tests", "bench", name))
            if os.path.exists(path):
                return path
        raise Trouble(f"the helper program {name} is not built beside {self.bin}; `make` builds it")

    def run(self, *command, seconds=300):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{' '.join(command)} did not end within {seconds} s") from None
        if done.returncode != 0:
            raise Trouble(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stdout.strip()}")
        return done.stdout

    def kubefedctl(self, *arguments):
        return self.run(os.path.join(self.bin, "kubefedctl"), *arguments, "--kubeconfig", self.kubeconfig,
                        "--host-cluster-context", "host")

    # ---- up and down

    def up(self):
        self.say("starting a host and two members (the very first time Kubernetes is built: some minutes)")
        # As real API servers run; the lab saves memory otherwise, which costs them half of their speed with many objects.
        os.environ.setdefault("LAB_GOGC", "100")
        self.run(LAB, "up", "--clusters", "3", "--dir", self.lab_dir, "--watch-pid", str(os.getpid()), seconds=1800)
        self._use_tokens()
        self.apis = k.load(self.kubeconfig)
        self.host = self.apis["host"]
        self.members = {m: self.apis[m] for m in MEMBERS}
        with open(os.path.join(self.lab_dir, "state.json")) as f:
            self.lab = json.load(f)
        kubectl = ["kubectl", "--kubeconfig", self.kubeconfig, "--context", "host"]
        self.run(*kubectl, "apply", "-f", os.path.join(TOP, "deploy", "crds"))
        until("the API of KubeFedConfig", lambda: self.host.raw("GET", k.path_of(k.KFCONFIG, SYSTEM))[0] == 200, 30)
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": SYSTEM}})
        self.run(*kubectl, "apply", "-f", os.path.join(TOP, "demo", "kubefedconfig.yaml"))
        for name in MEMBERS:
            self.kubefedctl("join", name, "--cluster-context", name)
        for name in ("namespaces", "configmaps"):
            self.kubefedctl("enable", name)
        for fed in (FCM, FNS):
            until(f"the API of {fed}", lambda f=fed: self.host.raw("GET", k.path_of(f))[0] == 200, 30)

    def _use_tokens(self):
        """Service accounts have tokens; to verify a client certificate costs an API server more, at every request."""
        config = k.view(self.kubeconfig)
        for user in config["users"]:
            user["user"] = {"token": self.token(user["name"])}
        self.kubeconfig = self.path("kubeconfig")
        with open(os.open(self.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            json.dump(config, f)

    def down(self):
        self.manager.stop()
        subprocess.run([LAB, "down", "--dir", self.lab_dir], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- what is there

    def namespace(self, name, federate=True):
        """In host and members: made directly, or federated, which needs the controller manager."""
        self.host.create(k.NAMESPACES, None, {"metadata": {"name": name}})
        if federate:
            self.host.create(FNS, name, {"metadata": {"name": name},
                                         "spec": {"placement": {"clusters": [{"name": m} for m in MEMBERS]}}})
        for api in self.members.values():
            if not federate:
                api.create(k.NAMESPACES, None, {"metadata": {"name": name}})
            # Kubernetes itself puts a ConfigMap and a service account there.
            until(f"namespace {name} in the members", lambda a=api: a.find(k.CONFIGMAPS, name, "kube-root-ca.crt"), 30)

    def token(self, cluster):
        with open(os.path.join(self.lab_dir, cluster, "token")) as f:
            return f.read().strip()

    def count(self, cluster, resource, namespace, spared=None):
        """How many objects there are, without reading them, but for the one of the name `spared`."""
        if spared:
            return len([n for n in self.names(cluster, resource, namespace) if n != spared])
        answer = self.apis[cluster].call("GET", k.path_of(resource, namespace) + "?limit=1")
        return len(answer["items"]) + answer["metadata"].get("remainingItemCount", 0)

    def names(self, cluster, resource, namespace):
        """The names of all objects, read in chunks."""
        found, more = [], ""
        while True:
            answer = self.apis[cluster].call("GET", k.path_of(resource, namespace) + "?limit=500" + more)
            found += [o["metadata"]["name"] for o in answer["items"]]
            if not answer["metadata"].get("continue"):
                return found
            more = "&continue=" + answer["metadata"]["continue"]

    def clear(self, cluster, resource, namespace, spared=None, seconds=300):
        """Deletes a whole collection, but for the object of the name `spared`."""
        deadline = time.monotonic() + seconds
        query = f"?fieldSelector=metadata.name!%3D{spared}" if spared else ""
        while self.count(cluster, resource, namespace, spared):
            if time.monotonic() > deadline:
                raise Trouble(f"{resource} in {cluster} are not gone after {seconds} s")
            try:
                self.apis[cluster].call("DELETE", k.path_of(resource, namespace) + query)
            except (k.ApiError, k.Unreachable):
                time.sleep(0.5)

    def cpu(self):
        """{what: CPU seconds so far}: the API servers and etcds of host and members, and the controller manager."""
        def of(names):
            pids = [p["pid"] for name, p in self.lab["processes"].items() if name in names]
            return sum(cpu_seconds(pid) for pid in pids)
        found = {"host": of({"host/apiserver", "host/etcd"}),
                 "members": of({f"{m}/{p}" for m in MEMBERS for p in ("apiserver", "etcd")}),
                 "Kubernetes' controllers": of({f"{c}/controllers" for c in CLUSTERS})}
        if self.manager.process:
            found["controller manager"] = self.manager.cpu()
        return found
