"""Load straight to API servers, made by h2load (package nghttp2-client)."""
import json
import re
import subprocess
import threading
import time

from base import Trouble, k

STREAMS = 32    # requests under way at once to one API server; one connection


def configmap(prefix):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": prefix}, "data": {"payload": "x" * 1024}}


def federated_configmap(prefix, members):
    return {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap", "metadata": {"generateName": prefix},
            "spec": {"template": {"data": {"payload": "x" * 1024}}, "placement": {"clusters": [{"name": m} for m in members]}}}


class Load:
    """One h2load run of `requests` requests with the same body: POSTs, whose generateName makes them different objects, or
    PATCHes of `names`, one each."""
    runs = 0

    def __init__(self, world, cluster, resource, namespace, body, requests, names=None, subresource=None, streams=STREAMS):
        self.requests, self.created, self.seconds, self.problem = requests, None, None, None
        Load.runs += 1
        paths = [world.path(f"{kind}-{Load.runs}") for kind in ("body", "paths")]
        with open(paths[0], "w") as f:
            json.dump(body, f)
        server = world.apis[cluster].server
        with open(paths[1], "w") as f:
            for name in names or [None]:
                f.write(server + k.path_of(resource, namespace, name, subresource) + "\n")
        method = ["-H", ":method: PATCH", "-H", "content-type: application/merge-patch+json"] if names else \
            ["-H", "content-type: application/json"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            ["h2load", "-n", str(requests), "-c", "1", "-m", str(min(streams, requests)), "-t", "1", "-d", paths[0], *method,
             "-H", f"authorization: Bearer {world.token(cluster)}", "-i", paths[1]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self):
        try:
            out = self.process.communicate(timeout=600)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.problem = f"{self.requests} requests of h2load did not end within 600 s"
            return
        seconds = time.monotonic() - self.began
        done = re.search(r"status codes: (\d+) 2xx", out)
        good = int(done.group(1)) if done else 0
        # A name that the server makes up may be taken already, about one in 3,000 when there are 10,000.
        if self.process.returncode != 0 or good < 0.99 * self.requests:
            self.problem = f"h2load: not all of {self.requests} requests were answered with 2xx:\n{out[-1500:]}"
        self.created, self.seconds = good, seconds

    def ended(self):
        """True when it is over; `created` and `seconds` are set then."""
        if self.problem:
            raise Trouble(self.problem)
        return self.seconds is not None

    def wait(self):
        self.thread.join(620)
        if not self.ended():
            raise Trouble("h2load does not end")
        return self.seconds
