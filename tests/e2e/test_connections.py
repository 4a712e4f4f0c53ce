"""How members are reached and what they serve: proxies, TLS checks, versions of a type, types that come and go."""
import base64
import os

from harness import eventually, expect, k, stays, test, wait_allowed
from proxies import ForwardProxy
from webhooks import certificate

QUICK = {"clusterHealthCheck": {"period": "1s", "timeout": "2s", "failureThreshold": 1}}


def bundle(*cas):
    """Base64 of the PEM texts together."""
    return base64.b64encode(b"".join(base64.b64decode(ca) for ca in cas)).decode()


def through(t, scheme, plane_name="proxied", **kwargs):
    """A control plane whose member1 is reached through a proxy. Returns (plane, proxy)."""
    folder = os.path.join(t.env.folder, t.unique("proxy"))
    os.makedirs(folder)
    path, ca = certificate(folder) if scheme == "https" else (None, None)
    proxy = ForwardProxy(scheme, path, **kwargs)
    t.cleanup(proxy.close)
    if proxy.password:
        t.env.secrets.add(proxy.password)
    plane = t.plane(plane_name, "Cluster", QUICK, start=True)
    server, member_ca = t.env.entry("member1")
    plane.add_cluster("member1", server, t.env.admin_token("member1"), bundle(member_ca, ca) if ca else member_ca, proxyURL=proxy.url)
    return plane, proxy


def reached(t, scheme, **kwargs):
    plane, proxy = through(t, scheme, **kwargs)
    plane.wait_ready("member1")
    server = t.env.entry("member1")[0].split("//")[1].strip("/")
    expect(set(proxy.targets), {server}, "what the proxy was asked for")
    return plane, proxy


@test(smoke=True)
def a_member_behind_an_http_proxy(t):
    """2.5 proxyURL."""
    reached(t, "http")


@test(smoke=True)
def a_member_behind_an_https_proxy(t):
    """2.5 proxyURL: TLS in TLS; the proxy's certificate may be of the authority in caBundle."""
    reached(t, "https")


@test(smoke=True)
def a_member_behind_a_socks5_proxy(t):
    reached(t, "socks5")


@test()
def proxies_that_want_a_password_get_it(t):
    for scheme in ("http", "https", "socks5"):
        plane, proxy = reached(t, scheme, user="user", password="pass-word-of-the-proxy")
        expect(proxy.refused, 0, "refused")
        shown = str(t.host.get(k.KFC, plane.namespace, "member1").get("status"))
        assert proxy.password not in shown, shown


@test()
def a_proxy_that_does_not_serve_is_told(t):
    """A refusal, silence and a broken connection make the member offline, and it comes back with the proxy."""
    for scheme in ("http", "socks5"):
        plane, proxy = reached(t, scheme, user="user", password="pass-word-of-the-proxy")
        for how in ("refuse", "close", "hang"):
            proxy.broken = how
            t.host.patch(k.KFC, plane.namespace, "member1", {"spec": {"proxyURL": f"{proxy.url}/{how}"}})

            def offline():
                condition = k.condition(plane.cluster("member1"), "Offline")
                expect((condition.get("status"), condition.get("reason")), ("True", "ClusterNotReachable"), f"Offline ({how})")
                assert proxy.password not in condition["message"], condition
            eventually(offline)
            proxy.broken = None
            plane.wait_ready("member1", timeout=60)


@test()
def a_proxy_of_an_unknown_authority_is_not_trusted(t):
    plane, proxy = through(t, "https")
    plane.wait_ready("member1")
    t.host.patch(k.KFC, plane.namespace, "member1", {"spec": {"caBundle": t.env.entry("member1")[1]}})

    def offline():
        condition = k.condition(plane.cluster("member1"), "Offline")
        assert condition.get("status") == "True" and "certificate" in condition["message"], condition
    eventually(offline)
    assert proxy.targets, "it was used before"


@test()
def members_that_serve_other_versions_of_a_type(t):
    """A member that serves the FTC's version works; one that does not is told apart, and heals when it serves it."""
    plane, gadgets, _ = t.private()
    name = f"{gadgets.plural}.{gadgets.group}"
    gadgets.create("before")
    gadgets.propagated("before")

    def serve_other(definition):
        first = definition["spec"]["versions"][0]
        definition["spec"]["versions"] = [dict(first, served=False, storage=False), dict(first, name="v2")]

    def serve_both(definition):
        definition["spec"]["versions"][0]["served"] = True
    t.edit(k.CRDS, None, name, serve_other, t.member2)
    gadgets.create("during")

    def told():
        expect(gadgets.clusters("during"), {"member1": "", "member2": "CachedRetrievalFailed"}, "clusters")
        expect(gadgets.clusters("before"), {"member1": "", "member2": "CachedRetrievalFailed"}, "clusters of what was there before")
    eventually(told, 60)
    there = eventually(lambda: t.member2.get(f"{gadgets.group}/v2/{gadgets.plural}", plane.namespace, "before"))
    expect(there["data"], {"lang": "en"}, "what is there")
    t.edit(k.CRDS, None, name, serve_both, t.member2)
    gadgets.propagated("during", timeout=90)
    gadgets.propagated("before", timeout=90)


@test(smoke=True)
def a_type_that_goes_from_a_member_and_comes_back(t):
    """Q-28: a complete cache is no longer trusted when its type is gone; the others go on."""
    plane, gadgets, _ = t.private()
    gadgets.create("before")
    gadgets.propagated("before")
    name = f"{gadgets.plural}.{gadgets.group}"
    t.member2.delete(k.CRDS, None, name)
    eventually(lambda: expect(gadgets.clusters("before"), {"member1": "", "member2": "CachedRetrievalFailed"}, "clusters"), 60)
    gadgets.create("during")
    eventually(lambda: expect(gadgets.clusters("during"), {"member1": "", "member2": "CachedRetrievalFailed"}, "clusters"))
    # What is deleted meanwhile does not wait: the member says that it has none.
    gadgets.create("doomed")
    eventually(lambda: expect(gadgets.clusters("doomed").get("member1"), "", "member1"))
    t.host.delete(gadgets.fed, plane.namespace, "doomed")
    t.gone(t.host, gadgets.fed, plane.namespace, "doomed")
    t.gone(t.member2, k.CRDS, None, name)
    gadgets.install("member2")
    gadgets.propagated("before", timeout=90)
    gadgets.propagated("during", timeout=90)


@test()
def a_member_that_takes_rights_away(t):
    """RBAC for one type is revoked in a member while its cache is complete: reported; given back: healed."""
    plane, gadgets, _ = t.private(members=("member1",), start=False)
    account = t.unique("limited")
    t.member1.create(k.SERVICEACCOUNTS, "default", {"metadata": {"name": account}})
    token = t.member1.call("POST", k.path_of(k.SERVICEACCOUNTS, "default", account, "token"), {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}})["status"]["token"]
    t.env.secrets.add(token)
    rules = [{"apiGroups": [gadgets.group], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["get"]}]
    role = t.unique("limited-role")
    t.member1.create(k.CLUSTERROLES, None, {"metadata": {"name": role}, "rules": rules})
    t.member1.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": role}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}]})
    t.host.patch(k.SECRETS, plane.namespace, "member1-secret", {"data": {"token": base64.b64encode(token.encode()).decode()}})
    update = {"verb": "update", "group": gadgets.group, "resource": gadgets.plural, "namespace": plane.namespace}
    wait_allowed(t.member1, account, True, **update)
    plane.start()
    plane.wait_ready("member1")
    gadgets.create("thing", ["member1"])
    gadgets.propagated("thing", ["member1"])
    t.member1.patch(k.CLUSTERROLES, None, role, {"rules": rules[1:]})
    wait_allowed(t.member1, account, False, **update)
    t.host.patch(gadgets.fed, plane.namespace, "thing", {"spec": {"template": {"data": {"lang": "de"}}}})
    eventually(lambda: expect(gadgets.clusters("thing")["member1"] in ("UpdateFailed", "CachedRetrievalFailed"), True, "told"), 60)
    t.member1.patch(k.CLUSTERROLES, None, role, {"rules": rules})
    gadgets.propagated("thing", ["member1"], timeout=120)
    expect(gadgets.in_member("member1", "thing")["data"], {"lang": "de"}, "data")


@test()
def a_relabelled_cluster_moves_only_what_selects(t):
    """P-11: placement follows the labels; objects placed by name are not looked at, and nothing is listed again."""
    plane, gadgets, _ = t.private(members=("member1",))
    t.federate(gadgets.fed, plane.namespace, "selected", {"data": {"a": "b"}}, clusters=None, selector={"matchLabels": {"tier": "gold"}})
    gadgets.create("named", ["member1"])
    gadgets.propagated("named", ["member1"])
    eventually(lambda: expect(gadgets.get("selected")["status"].get("observedGeneration"), 1, "generation seen"))
    expect(gadgets.in_member("member1", "selected"), None, "what is not selected")
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {"tier": "gold"}}})
    gadgets.propagated("selected", ["member1"])
    t.host.patch(k.KFC, plane.namespace, "member1", {"metadata": {"labels": {"tier": None}}})
    t.gone(t.member1, gadgets.target, plane.namespace, "selected")
    stays(lambda: expect(gadgets.clusters("named"), {"member1": ""}, "what is placed by name"), 1)
