"""Counting writes, as the API servers themselves do: what does not change anything is counted as well."""
import re
import time

from waiting import slowness

WRITE = re.compile(r'^apiserver_request_total\{(.*)\} (\S+)$', re.M)
LABEL = re.compile(r'(\w+)="([^"]*)"')
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION", "CREATE", "UPDATE"}
# What Kubernetes itself writes at any time.
NOT_OURS = {"leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "serviceaccounts/token",
            "endpoints", "endpointslices", "flowschemas/status", "prioritylevelconfigurations/status"}


def write_counts(api):
    """{"VERB resource": count} of all requests that write, as the API server itself counts them."""
    counts = {}
    for labels, value in WRITE.findall(api.raw("GET", "/metrics")[1]):
        label = dict(LABEL.findall(labels))
        resource = label.get("resource", "") + ("/" + label["subresource"] if label.get("subresource") else "")
        if label.get("verb") in WRITES and resource and resource not in NOT_OURS:
            key = f"{label['verb']} {resource}"
            counts[key] = counts.get(key, 0) + float(value)
    return counts


def writes_between(before, after):
    return {key: int(after[key] - before.get(key, 0)) for key in after if after[key] != before.get(key, 0)}


def settle(apis, seconds=2, timeout=120, ignore=()):
    """Waits until no API server has been written to for that many seconds."""
    deadline = time.monotonic() + timeout * slowness()
    quiet_since, last = time.monotonic(), [write_counts(a) for a in apis]
    while time.monotonic() - quiet_since < seconds:
        time.sleep(0.2)
        now = [write_counts(a) for a in apis]
        changed = [{w: n for w, n in writes_between(b, a).items() if w not in ignore} for b, a in zip(last, now)]
        if any(changed):
            quiet_since = time.monotonic()
            assert quiet_since < deadline, f"writes do not end: {changed}"
        last = now
