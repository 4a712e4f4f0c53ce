"""Load straight to API servers, made by h2load (package nghttp2-client): POSTs of one body with generateName."""
import json
import re
import subprocess
import time

from world import Trouble, k

STREAMS = 32


def configmap(prefix):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": prefix}, "data": {"payload": "x" * 1024}}


def federated_configmap(prefix, members):
    return {"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap", "metadata": {"generateName": prefix},
            "spec": {"template": {"data": {"payload": "x" * 1024}}, "placement": {"clusters": [{"name": m} for m in members]}}}


class Load:
    """One h2load run: one connection, STREAMS requests under way at any time."""

    def __init__(self, world, cluster, resource, namespace, body, requests):
        self.requests, self.created = requests, None
        path = world.path(f"body-{cluster}-{namespace}.json")
        with open(path, "w") as f:
            json.dump(body, f)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            ["h2load", "-n", str(requests), "-c", "1", "-m", str(min(STREAMS, requests)), "-t", "1", "-d", path,
             "-H", "content-type: application/json", "-H", f"authorization: Bearer {world.token(cluster)}",
             world.apis[cluster].server + k.path_of(resource, namespace)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait(self):
        """Seconds that it took. `created` is the number of objects then: a name that the server makes up may be taken, about
        one in 3,000 when there are 10,000, and such a POST fails."""
        out = self.process.communicate(timeout=600)[0]
        done = re.search(r"status codes: (\d+) 2xx", out)
        self.created = int(done.group(1)) if done else 0
        if self.process.returncode != 0 or self.created < 0.99 * self.requests:
            raise Trouble(f"h2load: not all of {self.requests} requests were answered with 2xx:\n{out[-1500:]}")
        return time.monotonic() - self.began
