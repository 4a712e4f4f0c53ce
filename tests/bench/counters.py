"""Requests as the API servers themselves count them (apiserver_request_total)."""
import re

SAMPLE = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.M)
LABEL = re.compile(r'(\w+)="([^"]*)"')
# Kubernetes' own traffic, at any time.
OWN = {"leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "serviceaccounts/token", "endpoints",
       "endpointslices", "flowschemas/status", "prioritylevelconfigurations/status"}
READS = ("GET", "LIST", "WATCH")


def counts(api):
    """{"VERB resource": requests so far}. A watch counts when it ends."""
    found = {}
    for labels, value in SAMPLE.findall(api.raw("GET", "/metrics")[1]):
        label = dict(LABEL.findall(labels))
        resource = label.get("resource", "") + ("/" + label["subresource"] if label.get("subresource") else "")
        if resource and resource not in OWN:
            name = f"{label.get('verb')} {resource}"
            found[name] = found.get(name, 0) + float(value)
    return found


def between(before, after, writes_only=False):
    """What was added, largest first."""
    added = {name: int(value - before.get(name, 0)) for name, value in after.items() if value != before.get(name, 0)}
    if writes_only:
        added = {name: value for name, value in added.items() if name.split()[0] not in READS}
    return dict(sorted(added.items(), key=lambda x: -x[1]))
