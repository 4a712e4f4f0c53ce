"""A small Kubernetes client for the project's Python tools: one connection per thread and cluster, no dependencies.

A resource is named by "group/version/plural" ("v1/configmaps" for the core group), an object by that, namespace and
name. Objects are plain dictionaries. Errors are ApiError with the HTTP code, reason and message of the API server, or
Unreachable when there was no answer.
"""
import base64
import http.client
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

CONFIGMAPS = "v1/configmaps"
NAMESPACES = "v1/namespaces"
SECRETS = "v1/secrets"
SERVICES = "v1/services"
SERVICEACCOUNTS = "v1/serviceaccounts"
EVENTS = "v1/events"
DEPLOYMENTS = "apps/v1/deployments"
CRDS = "apiextensions.k8s.io/v1/customresourcedefinitions"
CLUSTERROLES = "rbac.authorization.k8s.io/v1/clusterroles"
CLUSTERROLEBINDINGS = "rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "rbac.authorization.k8s.io/v1/roles"
ROLEBINDINGS = "rbac.authorization.k8s.io/v1/rolebindings"
KFC = "core.kubefed.io/v1beta1/kubefedclusters"
KFCONFIG = "core.kubefed.io/v1beta1/kubefedconfigs"
FTC = "core.kubefed.io/v1beta1/federatedtypeconfigs"
PV = "core.kubefed.io/v1alpha1/propagatedversions"
CPV = "core.kubefed.io/v1alpha1/clusterpropagatedversions"
FED = "types.kubefed.io/v1beta1/federated"      # + plural

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Unreachable(Exception):
    """No answer from the API server."""


class ApiError(Exception):
    def __init__(self, code, reason, message):
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason, self.message = code, reason, message


def path_of(resource, namespace=None, name=None, subresource=None):
    """The URL path of a collection, an object or a sub-resource."""
    parts = resource.split("/")
    prefix = f"/api/{parts[0]}" if len(parts) == 2 else f"/apis/{parts[0]}/{parts[1]}"
    path = prefix
    if namespace:
        path += f"/namespaces/{namespace}"
    path += f"/{parts[-1]}"
    if name:
        path += f"/{urllib.parse.quote(name)}"
    if subresource:
        path += f"/{subresource}"
    return path


class Cluster:
    """One context of a kubeconfig."""

    def __init__(self, context, server, tls, headers, entry):
        self.context, self.server, self.tls, self.headers, self.entry = context, server, tls, headers, entry
        self.timeout = 30
        self._local = threading.local()
        self._url = urllib.parse.urlsplit(server)

    def _connection(self):
        connection = getattr(self._local, "connection", None)
        if connection is None:
            cls = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
            kwargs = {"context": self.tls} if self._url.scheme == "https" else {}
            connection = cls(self._url.hostname, self._url.port, timeout=self.timeout, **kwargs)
            self._local.connection = connection
        return connection

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def raw(self, method, path, body=None, content_type="application/json"):
        """The status code and the body as text. A connection that the server closed meanwhile is opened again once."""
        headers = dict(self.headers)
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = content_type
        headers["Accept"] = "application/json" if not path.startswith("/metrics") else "text/plain"
        for attempt in (1, 2):
            fresh = getattr(self._local, "connection", None) is None
            try:
                connection = self._connection()
                connection.request(method, self._url.path.rstrip("/") + path, body=data, headers=headers)
                response = connection.getresponse()
                return response.status, response.read().decode("utf-8", "replace")
            except (http.client.HTTPException, OSError) as e:
                self.close()
                if fresh or attempt == 2 or isinstance(e, TimeoutError):
                    raise Unreachable(f"{method} {self.server}{path}: {e}") from e
        raise AssertionError("not reached")

    def call(self, method, path, body=None, content_type="application/json"):
        status, text = self.raw(method, path, body, content_type)
        try:
            answer = json.loads(text) if text else {}
        except ValueError:
            answer = {}
        if status >= 300:
            raise ApiError(status, answer.get("reason", ""), answer.get("message", text[:300]))
        return answer

    def get(self, resource, namespace, name, subresource=None):
        return self.call("GET", path_of(resource, namespace, name, subresource))

    def find(self, resource, namespace, name):
        """Like get, but None when the object (or its kind) does not exist."""
        try:
            return self.get(resource, namespace, name)
        except ApiError as e:
            if e.code == 404:
                return None
            raise

    def list(self, resource, namespace=None, selector=None):
        query = f"?labelSelector={urllib.parse.quote(selector)}" if selector else ""
        return self.call("GET", path_of(resource, namespace) + query).get("items", [])

    def create(self, resource, namespace, obj):
        return self.call("POST", path_of(resource, namespace), with_kind(resource, obj))

    def replace(self, resource, namespace, obj, subresource=None):
        return self.call("PUT", path_of(resource, namespace, obj["metadata"]["name"], subresource),
                         with_kind(resource, obj))

    def patch(self, resource, namespace, name, body, subresource=None, content_type=MERGE_PATCH):
        return self.call("PATCH", path_of(resource, namespace, name, subresource), body, content_type)

    def delete(self, resource, namespace, name, options=None, missing_ok=False):
        try:
            return self.call("DELETE", path_of(resource, namespace, name), options)
        except ApiError as e:
            if not (missing_ok and e.code == 404):
                raise
            return None


KINDS = {
    "configmaps": "ConfigMap", "namespaces": "Namespace", "secrets": "Secret", "services": "Service",
    "serviceaccounts": "ServiceAccount", "deployments": "Deployment", "jobs": "Job", "events": "Event",
    "kubefedclusters": "KubeFedCluster", "kubefedconfigs": "KubeFedConfig",
    "federatedtypeconfigs": "FederatedTypeConfig", "customresourcedefinitions": "CustomResourceDefinition",
    "clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding", "roles": "Role",
    "rolebindings": "RoleBinding", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet", "propagatedversions": "PropagatedVersion",
    "clusterpropagatedversions": "ClusterPropagatedVersion", "federatedservicestatuses": "FederatedServiceStatus",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler", "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume", "ingresses": "Ingress",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "replicaschedulingpreferences": "ReplicaSchedulingPreference",
}


def kind_of(plural):
    if plural.startswith("federated") and plural not in KINDS:
        return "Federated" + kind_of(plural[len("federated"):])
    return KINDS.get(plural) or plural.rstrip("s").capitalize()


def with_kind(resource, obj):
    """The object with apiVersion and kind filled in where it has none."""
    version, plural = resource.rsplit("/", 1)
    return {"apiVersion": version, "kind": kind_of(plural), **obj}


def _file_of(entry, key, folder):
    """Path of a credential that a kubeconfig gives as a file or inline."""
    if entry.get(key + "-data"):
        fd, path = tempfile.mkstemp(dir=folder)
        with os.fdopen(fd, "wb") as f:
            f.write(base64.b64decode(entry[key + "-data"]))
        return path
    return entry.get(key)


def view(kubeconfig):
    """The whole kubeconfig as a dictionary; kubectl reads the YAML."""
    out = subprocess.run(["kubectl", "config", "view", "--raw", "-o", "json", "--kubeconfig", kubeconfig],
                         check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    return json.loads(out)


def load(kubeconfig):
    """{context: Cluster} of a kubeconfig."""
    config = view(kubeconfig)
    clusters = {c["name"]: c["cluster"] for c in config.get("clusters") or []}
    users = {u["name"]: u["user"] for u in config.get("users") or []}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for item in config.get("contexts") or []:
            context = item["context"]
            cluster, user = clusters[context["cluster"]], users.get(context.get("user"), {})
            tls = None
            if cluster["server"].startswith("https"):
                tls = ssl.create_default_context(cafile=_file_of(cluster, "certificate-authority", folder))
                if cluster.get("insecure-skip-tls-verify"):
                    tls.check_hostname = False
                    tls.verify_mode = ssl.CERT_NONE
                certificate = _file_of(user, "client-certificate", folder)
                if certificate:
                    tls.load_cert_chain(certificate, _file_of(user, "client-key", folder))
            headers = {}
            if user.get("token"):
                headers["Authorization"] = "Bearer " + user["token"]
            found[item["name"]] = Cluster(item["name"], cluster["server"], tls, headers, cluster)
    return found


def condition(obj, kind):
    """The condition of that type in an object's status, or {}."""
    for c in (obj or {}).get("status", {}).get("conditions") or []:
        if c.get("type") == kind:
            return c
    return {}


def process_start(pid):
    """Start time of a process in clock ticks since boot, or None when there is no such process (or only its corpse)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as f:
        return f.read().strip()


def until(deadline, what, probe, pause=0.05):
    """Calls probe() until it returns something true, or raises TimeoutError with what() at the deadline (monotonic)."""
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(what() if callable(what) else what)
        time.sleep(pause)
