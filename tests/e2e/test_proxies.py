"""Members behind forward proxies (controllers.md 2.5 proxyURL, Q-08): what goes through, what fails, what is never shown."""
import json
import os

from harness import eventually, expect, k, show, stays, test
from proxies import Authority, ForwardProxy
from test_connections import bundle

QUICK = {"clusterHealthCheck": {"period": "1s", "timeout": "2s", "failureThreshold": 1}}
SCHEMES = ("http", "https", "socks5")
PASSWORD = "open-sesame-of-the-proxy"


def authority(t):
    return Authority(os.path.join(t.env.folder, t.unique("authority")))


def proxy_of(t, scheme, certificate=None, **kwargs):
    """(proxy, its CA or None). An https proxy gets a good certificate unless there is another."""
    ca = None
    if scheme == "https" and certificate is None:
        owner = authority(t)
        certificate, ca = owner.certificate("proxy"), owner.ca
    proxy = ForwardProxy(scheme, certificate, **kwargs)
    t.cleanup(proxy.close)
    if proxy.password:
        t.env.secrets.add(proxy.password)
    return proxy, ca


def trusted(t, member, *others):
    return bundle(t.env.entry(member)[1], *[ca for ca in others if ca])


def private_through(t, scheme, **kwargs):
    """A private control plane whose member2 is reached through a proxy. Returns (plane, gadgets, proxy)."""
    proxy, ca = proxy_of(t, scheme, **kwargs)
    plane, gadgets, _ = t.private(config=QUICK, start=False)
    t.host.patch(k.KFC, plane.namespace, "member2",
                 {"spec": {"proxyURL": proxy.url, "caBundle": trusted(t, "member2", ca)}})
    plane.start()
    plane.wait_ready("member1", "member2")
    plane.wait_running(gadgets.ftc)
    return plane, gadgets, proxy


def offline_message(plane, name, *words):
    def offline():
        condition = k.condition(plane.cluster(name), "Offline")
        expect((condition.get("status"), condition.get("reason")), ("True", "ClusterNotReachable"), f"Offline of {name}")
        for word in words:
            assert word in condition["message"], f"{word!r} is not in the message: {condition['message']}"
        return condition["message"]
    return eventually(offline)


def expect_unspoken(t, plane, *secrets):
    """Neither status nor events nor the log show these texts."""
    shown = json.dumps([c.get("status") for c in t.host.list(k.KFC, plane.namespace)])
    shown += json.dumps([e.get("message") for e in t.host.list(k.EVENTS, plane.namespace)])
    log = plane.controller.log()
    for secret in secrets:
        assert secret not in shown, f"{secret!r} is shown in {show(shown)}"
        assert secret not in log, f"{secret!r} is in the log"


def large(kib):
    """Data of that size, in many keys, that nothing can compress away."""
    return {f"key-{n}": os.urandom(512).hex() for n in range(kib)}


# ---- everything goes through

def works_in_full(t, scheme):
    plane, gadgets, proxy = private_through(t, scheme, user="user", password=PASSWORD)
    for number in range(20):
        gadgets.create(f"thing-{number}")
    gadgets.create("large", data=large(400))
    for name in [f"thing-{n}" for n in range(20)] + ["large"]:
        gadgets.propagated(name)
    expect(gadgets.in_member("member2", "large")["data"], gadgets.get("large")["spec"]["template"]["data"], "large data")
    # Watches go through as well.
    t.member2.patch(gadgets.target, plane.namespace, "large", {"data": {"key-0": "drifted"}})
    t.member2.delete(gadgets.target, plane.namespace, "thing-0")
    want = gadgets.get("large")["spec"]["template"]["data"]["key-0"]
    eventually(lambda: expect(gadgets.in_member("member2", "large")["data"]["key-0"], want, "data after drift"))
    eventually(lambda: expect(gadgets.in_member("member2", "thing-0")["data"], {"lang": "en"}, "what was deleted"))
    t.host.delete(gadgets.fed, plane.namespace, "large")
    t.gone(t.host, gadgets.fed, plane.namespace, "large")
    expect(gadgets.in_member("member2", "large"), None, "what is deleted")
    expect(proxy.refused, 0, "refused by the proxy")

    def are_few():
        assert len(proxy.tunnels) <= 2, f"{len(proxy.tunnels)} tunnels for one member (P-18)"
    eventually(are_few)     # one that was closed is there until the proxy notices


@test(smoke=True)
def objects_are_propagated_through_an_http_proxy(t):
    """2.5 proxyURL, P-18: large objects, watches and deletions, over two tunnels at most."""
    works_in_full(t, "http")


@test(smoke=True)
def objects_are_propagated_through_an_https_proxy(t):
    """2.5 proxyURL, P-18: the same in TLS within TLS."""
    works_in_full(t, "https")


@test(smoke=True)
def objects_are_propagated_through_a_socks5_proxy(t):
    """2.5 proxyURL, P-18."""
    works_in_full(t, "socks5")


@test(smoke=True)
def a_proxy_may_pass_on_a_few_bytes_at_a_time(t):
    """2.5 proxyURL: records of the inner TLS come in many pieces."""
    for scheme in ("https", "socks5"):
        plane, gadgets, proxy = private_through(t, scheme)
        proxy.piece = 7
        gadgets.create("thing", data=large(8))
        gadgets.propagated("thing")
        proxy.cut()     # the handshakes, too
        gadgets.create("other")
        gadgets.propagated("other")
        plane.controller.stop()


@test(smoke=True)
def what_an_https_proxy_passes_on_at_once_is_read_at_once(t):
    """2.5 proxyURL: many records of the inner TLS in one of the outer; events of a watch must not lie there unread."""
    plane, gadgets, proxy = private_through(t, "https")
    for name in ("chatty", "thing"):
        gadgets.create(name)
        gadgets.propagated(name)
    proxy.held = True
    for number in range(200):
        t.member2.patch(gadgets.target, plane.namespace, "chatty", {"status": {"n": number}}, subresource="status")
    t.member2.patch(gadgets.target, plane.namespace, "thing", {"data": {"lang": "drifted"}})
    proxy.held = False
    eventually(lambda: expect(gadgets.in_member("member2", "thing")["data"], {"lang": "en"}, "data"), timeout=30)


@test()
def the_proxy_looks_names_up(t):
    """2.5 proxyURL: CONNECT and SOCKS5 name the host of the endpoint as it is written; only the proxy need know it."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    for scheme in SCHEMES:
        proxy, ca = proxy_of(t, scheme)
        proxy.hosts["kubernetes.default.svc"] = "127.0.0.1"
        server = t.env.entry("member1")[0].replace("127.0.0.1", "kubernetes.default.svc")
        plane.add_cluster(scheme, server, t.env.admin_token("member1"), trusted(t, "member1", ca), proxyURL=proxy.url)
        plane.wait_ready(scheme)
        expect(set(proxy.targets), {server.split("//")[1].strip("/")}, f"what the {scheme} proxy was asked for")


@test()
def special_characters_in_a_password_are_decoded(t):
    """2.5 proxyURL: user and password are percent-encoded, as in every URL."""
    password = "p@ss:wörd/?#%25 x"
    t.env.secrets.add(password)
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    for scheme in SCHEMES:
        proxy, ca = proxy_of(t, scheme, user="some user", password=password)
        url = f"{scheme}://some%20user:p%40ss%3Aw%C3%B6rd%2F%3F%23%2525%20x@127.0.0.1:{proxy.port}"
        plane.add_cluster(scheme, t.env.entry("member1")[0], t.env.admin_token("member1"), trusted(t, "member1", ca),
                          proxyURL=url)
        plane.wait_ready(scheme)
        expect(proxy.refused, 0, f"refused by the {scheme} proxy")


# ---- together with disabledTLSValidations

@test()
def tls_checks_of_the_member_can_be_disabled_behind_every_proxy(t):
    """Q-08: proxyURL holds together with disabledTLSValidations."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    stranger = authority(t).ca
    server = t.env.entry("member1")[0].replace("127.0.0.1", "member.example")
    token = t.env.admin_token("member1")
    for scheme in SCHEMES:
        proxy, ca = proxy_of(t, scheme)
        proxy.hosts["member.example"] = "127.0.0.1"     # the API server has no certificate for that name
        known, unknown = trusted(t, "member1", ca), bundle(stranger, *([ca] if ca else []))
        for name, trust, disabled in (("all", unknown, ["*"]), ("name", known, ["SubjectName"]), ("none", known, []),
                                      ("unknown", unknown, ["SubjectName", "ValidityPeriod"]),
                                      ("date", known, ["ValidityPeriod"])):
            plane.add_cluster(f"{scheme}-{name}", server, token, trust, proxyURL=proxy.url, disabledTLSValidations=disabled)
        plane.wait_ready(f"{scheme}-all", f"{scheme}-name")
        for name in ("none", "unknown", "date"):
            offline_message(plane, f"{scheme}-{name}", "certificate")
        expect(set(proxy.targets), {server.split("//")[1].strip("/")}, f"what the {scheme} proxy was asked for")


@test()
def disabled_tls_checks_are_those_of_the_member_not_of_the_proxy(t):
    """Q-08, api-and-cli.md 1.3: the TLS checks to skip concern the member; its proxy gets a password and must be known."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    proxy, _ = proxy_of(t, "https", user="user", password=PASSWORD)
    plane.add_cluster("member1", t.env.entry("member1")[0], t.env.admin_token("member1"), t.env.entry("member1")[1],
                      proxyURL=proxy.url, disabledTLSValidations=["*"])
    offline_message(plane, "member1", "certificate")
    expect(proxy.targets, [], "what the proxy was asked for")


@test()
def the_certificate_of_an_https_proxy_is_checked(t):
    """2.5 proxyURL: expired or for another name, with a message that says so."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    owner = authority(t)
    for name, certificate, words in (
            ("expired", owner.certificate("expired", end="20210101000000Z"), ("certificate", "expired")),
            ("elsewhere", owner.certificate("elsewhere", names="DNS:proxy.example"), ("certificate", "proxy.example"))):
        proxy, _ = proxy_of(t, "https", certificate, user="user", password=PASSWORD)
        plane.add_cluster(name, t.env.entry("member1")[0], t.env.admin_token("member1"), trusted(t, "member1", owner.ca),
                          proxyURL=proxy.url)
        offline_message(plane, name, f"127.0.0.1:{proxy.port}", *words)
        expect(proxy.targets, [], "what the proxy was asked for")


# ---- faults

@test()
def tunnels_that_are_cut_are_made_anew(t):
    """5.13: nothing is lost and nothing is sent twice when a proxy ends its tunnels in the middle."""
    for scheme in SCHEMES:
        plane, gadgets, proxy = private_through(t, scheme)
        gadgets.create("first")
        gadgets.propagated("first")
        uid = gadgets.in_member("member2", "first")["metadata"]["uid"]
        for number in range(20):
            gadgets.create(f"thing-{number}", data=large(20))
            if number % 5 == 0:
                proxy.cut()
        for number in range(20):
            gadgets.propagated(f"thing-{number}")
        expect(gadgets.in_member("member2", "first")["metadata"]["uid"], uid, "uid of what was there before")
        plane.controller.stop()


@test()
def a_proxy_that_freezes_costs_its_member_only(t):
    """P-01, 5.13: established tunnels through which nothing goes any longer."""
    for scheme in SCHEMES:
        plane, gadgets, proxy = private_through(t, scheme)
        gadgets.create("before")
        gadgets.propagated("before")
        proxy.frozen = True
        gadgets.create("during")
        eventually(lambda: expect(gadgets.in_member("member1", "during")["data"], {"lang": "en"}, "data"), timeout=30)
        offline_message(plane, "member2")
        eventually(lambda: expect(gadgets.clusters("during")["member2"], "ClusterNotReady", "status of member2"))
        proxy.frozen = False
        plane.wait_ready("member2")
        gadgets.propagated("during")
        gadgets.propagated("before")
        plane.controller.stop()


@test(smoke=True)
def every_fault_of_a_proxy_is_told_and_heals(t):
    """4.2: refused, silent, cut short, not a proxy at all, endless; the member is offline with the proxy named, and back."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    faults = [(s, f) for s in SCHEMES for f in ("refuse", "hang", "close", "garbage", "endless")
              if (s, f) != ("socks5", "endless")]
    proxies = {}
    for scheme, fault in faults:
        proxy, ca = proxy_of(t, scheme, user="user", password=PASSWORD)
        proxy.broken = fault
        proxies[f"{scheme}-{fault}"] = proxy
        plane.add_cluster(f"{scheme}-{fault}", t.env.entry("member1")[0], t.env.admin_token("member1"),
                          trusted(t, "member1", ca), proxyURL=proxy.url)
    for name, proxy in proxies.items():
        message = offline_message(plane, name, f"127.0.0.1:{proxy.port}")
        assert "proxy" in message or "TLS" in message, message
    expect_unspoken(t, plane, PASSWORD)
    for proxy in proxies.values():
        proxy.broken = None
    plane.wait_ready(*proxies)


@test()
def a_wrong_password_is_told_and_not_shown(t):
    """4.2: neither the password that is wrong nor the right one is in log, event or status."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    wrong = "not-the-word-of-the-proxy"
    t.env.secrets.add(wrong)
    for scheme in SCHEMES:
        proxy, ca = proxy_of(t, scheme, user="user", password=PASSWORD)
        plane.add_cluster(scheme, t.env.entry("member1")[0], t.env.admin_token("member1"), trusted(t, "member1", ca),
                          proxyURL=proxy.url.replace(PASSWORD, wrong))
        message = offline_message(plane, scheme, "proxy")
        assert ("407" in message) if scheme != "socks5" else ("password" in message), message
        eventually(lambda s=scheme: plane.events(s, reason="RetrievingClusterHealthFailed")[0])
        expect_unspoken(t, plane, PASSWORD, wrong, "user:")
        t.host.patch(k.KFC, plane.namespace, scheme, {"spec": {"proxyURL": proxy.url}})
        plane.wait_ready(scheme)


@test()
def a_password_in_a_url_that_cannot_be_used_is_not_shown(t):
    """2.5 proxyURL, A-26: whatever is wrong with the URL, user information is not repeated."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    word = "geheim-42-of-the-proxy"
    t.env.secrets.add(word)
    urls = [f"http://user:{word}@127.0.0.1:99999", f"http://user:{word}@127.0.0.1:port", f"http://user:{word}@",
            f"https://user:{word}@[::1", f"socks5://user:{word}@a:b:c", f"ftp://user:{word}@127.0.0.1:1",
            f"http://user:{word}@127.0.0.1:1?x=y", f"http://user:{word}/x@127.0.0.1:1", f"http://user:12/{word}@127.0.0.1:1",
            f"http:user:{word}@127.0.0.1:1", f"http://{word}@/", f"://user:{word}@127.0.0.1:1",
            f"http://user:{word}@no such host:1", f"socks4://user:{word}@127.0.0.1:1", f"http://user:{word}@127.0.0.1:1",
            f"https://user:{word}@127.0.0.1:1", f"socks5://user:{word}@127.0.0.1:1", f"http://user:{word}@nowhere.invalid:1"]
    for number, url in enumerate(urls):
        plane.add_cluster(f"c{number}", t.env.entry("member1")[0], t.env.admin_token("member1"), t.env.entry("member1")[1],
                          proxyURL=url)
    plane.add_member("member1")
    plane.wait_ready("member1")

    def judged():
        for number, url in enumerate(urls):
            kinds = [c["type"] for c in plane.cluster(f"c{number}").get("status", {}).get("conditions") or []]
            assert kinds in (["ConfigMalformed"], ["Offline"]), f"{url}: {kinds}"
    eventually(judged)
    eventually(lambda: [plane.events(f"c{n}")[0] for n in range(len(urls))])
    expect_unspoken(t, plane, word, "user:")


@test()
def a_proxy_of_the_wrong_kind_is_told(t):
    """4.2: http:// to a proxy that wants TLS, https:// to one without, SOCKS5 to an HTTP proxy and the other way round."""
    plane = t.plane("proxied", "Cluster", QUICK, start=True)
    for is_scheme, said in (("https", "http"), ("http", "https"), ("http", "socks5"), ("socks5", "http"), ("socks5", "https")):
        proxy, ca = proxy_of(t, is_scheme)
        plane.add_cluster(f"{said}-to-{is_scheme}", t.env.entry("member1")[0], t.env.admin_token("member1"),
                          trusted(t, "member1", ca), proxyURL=f"{said}://127.0.0.1:{proxy.port}")
        offline_message(plane, f"{said}-to-{is_scheme}", f"127.0.0.1:{proxy.port}")
        expect(proxy.targets, [], "what the proxy was asked for")


# ---- changes

@test()
def another_proxy_is_used_at_once_and_none_when_it_is_taken_away(t):
    """2.4: a changed connection is made anew; nothing goes through the old proxy any longer, nothing is written."""
    plane, gadgets, first = private_through(t, "http")
    gadgets.create("thing")
    gadgets.propagated("thing")
    version = gadgets.in_member("member2", "thing")["metadata"]["resourceVersion"]
    second, ca = proxy_of(t, "https")
    t.host.patch(k.KFC, plane.namespace, "member2",
                 {"spec": {"proxyURL": second.url, "caBundle": trusted(t, "member2", ca)}})
    eventually(lambda: expect((len(first.tunnels), len(second.tunnels) > 0), (0, True), "tunnels"))
    plane.wait_ready("member2")
    gadgets.create("through-the-second")
    gadgets.propagated("through-the-second")
    t.host.patch(k.KFC, plane.namespace, "member2", {"spec": {"proxyURL": ""}})
    eventually(lambda: expect(len(second.tunnels), 0, "tunnels of the second"))
    gadgets.create("without")
    gadgets.propagated("without")
    stays(lambda: expect((len(first.tunnels), len(second.tunnels)), (0, 0), "tunnels"), 1.5)
    expect(gadgets.in_member("member2", "thing")["metadata"]["resourceVersion"], version, "version of what was there before")


@test()
def a_proxy_that_refuses_for_a_while(t):
    """5.13: the member is ready again soon after its proxy is, and gets what it missed."""
    plane, gadgets, proxy = private_through(t, "https")
    gadgets.create("thing")
    gadgets.propagated("thing")
    proxy.broken = "refuse"
    proxy.cut()
    offline_message(plane, "member2", "proxy", "403")
    gadgets.create("during")
    eventually(lambda: expect(gadgets.clusters("during"), {"member1": "", "member2": "ClusterNotReady"}, "clusters"))
    proxy.broken = None
    gadgets.propagated("during")
