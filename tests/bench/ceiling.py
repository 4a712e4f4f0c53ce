"""The raw ceilings: what the API servers take when h2load asks them directly, all of them busy, nobody else at work."""
from base import FCM, MEMBERS, k
from load import STREAMS, Load, configmap, federated_configmap

NAMESPACE = "ceiling"
MOST = 2000


def _posts(world, count, streams=STREAMS):
    return {"host": Load(world, "host", FCM, NAMESPACE, federated_configmap("raw-", MEMBERS), count, streams=streams),
            **{m: Load(world, m, k.CONFIGMAPS, NAMESPACE, configmap("raw-"), count) for m in MEMBERS}}


def posts(world, count):
    """The same objects POSTed to host and members at the same time; objects per second until the last of the three is done."""
    seconds = {name: load.wait() for name, load in _posts(world, count).items()}
    return {"objects/s": count / max(seconds.values()), "host/s": count / seconds["host"],
            "members/s": count / max(seconds[m] for m in MEMBERS)}


def _version(owner):
    """A version record; its owner must exist, or Kubernetes' garbage collector takes it away."""
    return {"apiVersion": "core.kubefed.io/v1alpha1", "kind": "PropagatedVersion", "metadata": {
        "generateName": "raw-", "ownerReferences": [{
            "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"]}]}}


def _federated_status():
    return {"status": {"observedGeneration": 1, "clusters": [{"name": m} for m in MEMBERS], "conditions": [
        {"type": "Propagation", "status": "True", "lastTransitionTime": "2021-01-01T00:00:00Z",
         "lastUpdateTime": "2021-01-01T00:00:00Z"}]}}


def _version_status():
    return {"status": {"templateVersion": "0" * 32, "overridesVersion": "0" * 32,
                       "clusterVersions": [{"clusterName": m, "version": "rv:1000"} for m in MEMBERS]}}


def _bookkeeping(world, count, owner, streams):
    """What a federation has to write on the host for `count` objects that are there: {what: Load}. An annotation stands for
    the finalizer, which somebody would have to remove again."""
    objects = world.names("host", FCM, NAMESPACE)[:count]
    records = world.names("host", k.PV, NAMESPACE)[:count]
    count = min(len(objects), len(records))
    return {
        "finalizer": Load(world, "host", FCM, NAMESPACE, {"metadata": {"annotations": {"finalizer": "yes"}}}, count,
                          objects, streams=streams),
        "status": Load(world, "host", FCM, NAMESPACE, _federated_status(), count, objects, "status", streams),
        "record": Load(world, "host", k.PV, NAMESPACE, _version(owner), count, streams=streams),
        "record's status": Load(world, "host", k.PV, NAMESPACE, _version_status(), count, records, "status", streams),
    }


def same_requests(world, count):
    """All requests that propagation makes for `count` objects, at the same time and without their dependence on each other:
    the POSTs of above, and on the host finalizer, status, version record and its status. `posts` has made objects to write
    to. This rate hardly depends on the number, so that no more than MOST are made."""
    count = min(count, MOST)
    owner = world.host.create(FCM, NAMESPACE, {"metadata": {"generateName": "owner-"},
                                               "spec": {"template": {}, "placement": {"clusters": []}}})
    Load(world, "host", k.PV, NAMESPACE, _version(owner), count).wait()
    loads = {**_bookkeeping(world, count, owner, STREAMS // 4), **_posts(world, count)}
    seconds = {name: load.wait() for name, load in loads.items()}
    return {"objects/s": count / max(seconds.values()), **{f"{name} seconds": s for name, s in seconds.items()}}


def clear(world):
    world.clear("host", k.PV, NAMESPACE)
    world.clear("host", FCM, NAMESPACE)
    for m in MEMBERS:
        world.clear(m, k.CONFIGMAPS, NAMESPACE)
