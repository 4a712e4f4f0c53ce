"""The Helm chart, rendered and applied to a real cluster as an operator would, without the pods: no node runs them here."""
import base64
import json
import os
import subprocess
import sys

from waiting import eventually, k

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What would only wait for nodes, or is refused by a server that is older than what the chart asks for.
PODS = {"Deployment", "PodDisruptionBudget"}


def render(namespace, *arguments):
    """The objects of the chart as dictionaries, in the order in which Helm installs them."""
    result = subprocess.run([sys.executable, os.path.join(TOP, "tools", "render-chart"), "--namespace", namespace, "--name", "kubefed",
                             "--kube-version", "1.20", *arguments, os.path.join(TOP, "deploy", "chart", "kubefed")],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 0, f"render-chart: {result.stderr}"
    return [obj for obj in load(result.stdout) if obj]


def load(text):
    """YAML by kubefedctl's own reader would not be a second opinion: PyYAML, through the renderer's Python."""
    tools = os.path.join(TOP, "tools")
    if tools not in sys.path:
        sys.path.append(tools)
    from helmyaml import yaml
    return list(yaml.safe_load_all(text))


def find(objects, kind, name):
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"].startswith(name))


def command_of(objects, name):
    """The command line of the container of a Deployment, without the program."""
    containers = find(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return containers[0]["command"][1:] + containers[0].get("args", [])


def environment_of(objects, name):
    """What the container of a Deployment gets, as far as it is written there."""
    containers = find(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in containers[0].get("env", [])}


def apply(env, objects):
    """kubectl apply of everything but pods."""
    items = [o for o in objects if o["kind"] not in PODS]
    result = subprocess.run(["kubectl", "--kubeconfig", env.kubeconfig, "--context", "host", "apply", "-f", "-"],
                            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, f"kubectl apply: {result.stdout}"


def delete_unnamespaced(env, objects):
    """What does not go with the namespace."""
    items = [o for o in objects if o["kind"].endswith("WebhookConfiguration") or o["kind"].startswith("ClusterRole")]
    subprocess.run(["kubectl", "--kubeconfig", env.kubeconfig, "--context", "host", "delete", "--ignore-not-found", "-f", "-"],
                   input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), stdout=subprocess.DEVNULL, text=True,
                   check=True)


def account_kubeconfig(env, namespace, account, name):
    """A kubeconfig with nothing but the rights of that service account on the host; its token must appear in no log."""
    def token():
        answer = env.host.call("POST", k.path_of(k.SERVICEACCOUNTS, namespace, account, "token"),
                               {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 36000}})
        return answer["status"]["token"]
    text = eventually(token)
    env.secrets.add(text)
    server, ca = env.entry("host")
    path = os.path.join(env.folder, name + ".json")
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "host",
                   "clusters": [{"name": "host", "cluster": {"server": server, "certificate-authority-data": ca}}],
                   "users": [{"name": account, "user": {"token": text}}],
                   "contexts": [{"name": "host", "context": {"cluster": "host", "user": account, "namespace": namespace}}]}, f)
    return path


def wait_for_rights(kubeconfig, objects, account):
    """Until the API server has heard of the roles that `objects` bind to the account: until then it refuses what they allow."""
    api = k.load(kubeconfig)["host"]
    roles = {(o["kind"], o["metadata"]["name"]): o.get("rules") or [] for o in objects if o["kind"] in ("Role", "ClusterRole")}
    for binding in objects:
        if binding["kind"].endswith("RoleBinding") and any(s["name"] == account for s in binding.get("subjects") or []):
            rules = roles.get((binding["roleRef"]["kind"], binding["roleRef"]["name"]), [])
            # All rules of a role become known at once.
            for rule in [r for r in rules if r.get("resources")][:1]:
                eventually(lambda r=rule, b=binding: _may(api, r, b["metadata"].get("namespace", "")))


def _may(api, rule, namespace):
    resource, _, subresource = rule["resources"][0].partition("/")
    asked = {"namespace": namespace, "verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": resource,
             "subresource": subresource, "name": (rule.get("resourceNames") or [""])[0]}
    answer = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked}})
    assert answer["status"]["allowed"], f"it may not yet: {asked}"


def secret_text(env, namespace, name, key):
    data = env.host.get(k.SECRETS, namespace, name).get("data") or {}
    return base64.b64decode(data.get(key, "")).decode()
