"""What the tests of the chart stand on: rendering it, small charts made for one test, finding objects."""
import contextlib
import json
import os
import tempfile

import helmchart as h

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(TOP, "deploy", "chart", "kubefed")
NAMESPACE = "kube-federation-system"
SCOPES = ("Cluster", "Namespaced")
DEPLOYMENTS = ("kubefed-controller-manager", "kubefed-admission-webhook")


def rendering(given=None, sets=(), **options):
    values = h.numbered(given or {})
    for expression in sets:
        values = h.merged(values, h.parse_set(expression))
    return h.Rendering(CHART, values, options.pop("name", "kubefed"), options.pop("namespace", NAMESPACE), **options)


def render(given=None, sets=(), **options):
    """The objects of the project's chart."""
    return [document.object for document in rendering(given, sets, **options).objects()]


def scoped(scope, *sets, **options):
    return render(None, [f"global.scope={scope}", *sets], **options)


def find(objects, kind, name):
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def kinds(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def config(objects):
    return find(objects, "KubeFedConfig", "kubefed")["spec"]


def pod(objects, deployment):
    return find(objects, "Deployment", deployment)["spec"]["template"]


def container(objects, deployment):
    return pod(objects, deployment)["spec"]["containers"][0]


def path_value(value, path):
    """a.b.0.c"""
    for step in path.split("/"):
        value = value[int(step)] if isinstance(value, list) else value.get(step)
    return value


@contextlib.contextmanager
def small_chart(files):
    """A chart in a folder that is gone afterwards: {path: text}; Chart.yaml is made when it is not given."""
    with tempfile.TemporaryDirectory(prefix="kubefed-chart-") as folder:
        files.setdefault("Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.2.3\nappVersion: v9\n")
        for path, text in files.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(json.dumps(text) if isinstance(text, dict) else text)
        yield folder
