"""Real API servers that refuse: an admission webhook that nobody answers makes requests of a chosen kind fail."""
from waiting import eventually, k

WEBHOOKS = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class Refusal:
    """Requests for that resource fail from now on, until end(); `text` is what the API server says."""

    def __init__(self, t, api, resource, operation, attempt, namespace):
        """attempt is (method, path, body) of a request that is refused; it is made as a dry run."""
        self._api, self._name, self._attempt = api, t.unique("refusal"), attempt
        api.patch(k.NAMESPACES, None, namespace, {"metadata": {"labels": {self._name: "here"}}})
        *group, version, plural = resource.split("/")
        api.create(WEBHOOKS, None, {"metadata": {"name": self._name}, "webhooks": [{
            "name": f"{self._name}.e2e.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "timeoutSeconds": 1, "failurePolicy": "Fail", "clientConfig": {"url": "https://127.0.0.1:1/"},
            "namespaceSelector": {"matchLabels": {self._name: "here"}},
            "rules": [{"apiGroups": group or [""], "apiVersions": [version], "resources": [plural.replace(":", "/")],
                       "operations": [operation], "scope": "*"}]}]})
        t.cleanup(self.end)
        self.text = eventually(self._refused)

    def _try(self):
        method, path, body = self._attempt
        content_type = k.MERGE_PATCH if method == "PATCH" else "application/json"
        self._api.call(method, path + "?dryRun=All", body, content_type)

    def _refused(self):
        try:
            self._try()
        except k.ApiError as e:
            if e.code == 500:
                return e.message
        raise AssertionError("the API server does not refuse yet")

    def end(self):
        self._api.delete(WEBHOOKS, None, self._name, missing_ok=True)


def refuse_creation(t, api, resource, namespace):
    kind = k.kind_of(resource.rsplit("/", 1)[1])
    body = k.with_kind(resource, {"kind": kind, "metadata": {"name": "attempt"}, "spec": {}})
    return Refusal(t, api, resource, "CREATE", ("POST", k.path_of(resource, namespace), body), namespace)


def refuse_update(t, api, resource, namespace, name):
    """Of existing objects; name is that of one. A namespace is in itself."""
    path = k.path_of(resource, None if resource == k.NAMESPACES else namespace, name)
    attempt = ("PATCH", path, {"metadata": {"annotations": {"attempt": "1"}}})
    return Refusal(t, api, resource, "UPDATE", attempt, namespace)


def refuse_status(t, api, resource, namespace, name):
    path = k.path_of(resource, namespace, name, "status")
    return Refusal(t, api, f"{resource}:status", "UPDATE", ("PATCH", path, {"status": {"attempt": 1}}), namespace)


def refuse_deletion(t, api, resource, namespace, name):
    return Refusal(t, api, resource, "DELETE", ("DELETE", k.path_of(resource, namespace, name), None), namespace)


__all__ = [name for name in dir() if name.startswith("refuse_")]
