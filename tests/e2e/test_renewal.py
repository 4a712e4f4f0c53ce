"""Tokens of members that expire are renewed by the controller manager, before it is too late, and stored in their Secret."""
import base64
import json
import os
import subprocess
import time

from harness import eventually, expect, k, make_admin, stays, test, wait_allowed


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token):
    return decoded(token.split(".")[1])


def aged(t, member, token, age, left):
    """The same token as if it had been issued `age` seconds ago and ended in `left`; signed with the lab's key."""
    header, payload, _ = token.split(".")
    claims = {**decoded(payload), "iat": int(time.time()) - age, "nbf": int(time.time()) - age, "exp": int(time.time()) + left}
    text = header + "." + encoded(claims)
    key = os.path.join(t.env.lab_dir, member, "service-account.key")
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), stdout=subprocess.PIPE,
                               check=True).stdout
    token = text + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    t.env.secrets.add(token)
    return token


def requested(t, member, account):
    api = t.env.apis[member]
    make_admin(api, account)
    answer = api.call("POST", f"/api/v1/namespaces/default/serviceaccounts/{account}/token",
                      {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})
    t.env.secrets.add(answer["status"]["token"])
    return answer["status"]["token"]


def stored(t, plane):
    secret = t.host.get(k.SECRETS, plane.namespace, "member1-secret")
    token = base64.b64decode(secret["data"]["token"]).decode()
    t.env.secrets.add(token)
    return token


def registered(t, plane, token):
    server, ca = t.env.entry("member1")
    plane.add_cluster("member1", server, token, ca)


@test(smoke=True)
def a_token_near_its_end_is_renewed_and_stored(t):
    plane = t.plane("renew")
    old = aged(t, "member1", requested(t, "member1", t.unique("renew")), 3000, 600)
    registered(t, plane, old)
    with plane.running():
        # Who got no answer tries again after a minute.
        eventually(lambda: expect(stored(t, plane) != old, True, "another token"), 150)
        new = claims_of(stored(t, plane))
        expect(new["sub"], claims_of(old)["sub"], "subject")
        assert new["exp"] > claims_of(old)["exp"] + 1000, (new, claims_of(old))
        plane.wait_ready("member1")
        eventually(lambda: expect(len(plane.events("member1", reason="TokenRenewed")), 1, "events"), 75)
        token = stored(t, plane)
        stays(lambda: expect(stored(t, plane), token, "token"), 3)


@test()
def a_young_token_and_one_without_an_end_are_left_alone(t):
    plane = t.plane("renew")
    young = requested(t, "member1", t.unique("renew"))
    registered(t, plane, young)
    with plane.running():
        plane.wait_ready("member1")
        stays(lambda: expect(stored(t, plane), young, "token"), 3)
        expect(plane.events("member1", reason="TokenRenewed"), [], "events")


@test()
def a_token_that_cannot_be_renewed_is_told(t):
    plane = t.plane("renew")
    account = t.unique("renew")
    old = aged(t, "member1", requested(t, "member1", account), 3000, 600)
    name = f"{account}-no-tokens"
    binding = [b for b in t.member1.list(k.CLUSTERROLEBINDINGS) if any(s["name"] == account for s in b.get("subjects") or [])][0]
    rules = [{"apiGroups": ["*"], "resources": ["namespaces", "configmaps"], "verbs": ["*"]},
             {"nonResourceURLs": ["*"], "verbs": ["get"]}]
    t.member1.create(k.CLUSTERROLES, None, {"metadata": {"name": name}, "rules": rules})
    t.cleanup(lambda: t.member1.delete(k.CLUSTERROLES, None, name))
    t.member1.delete(k.CLUSTERROLEBINDINGS, None, binding["metadata"]["name"])
    t.member1.create(k.CLUSTERROLEBINDINGS, None, {
        "metadata": {"name": binding["metadata"]["name"]}, "subjects": binding["subjects"],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}})
    wait_allowed(t.member1, account, False, "default", verb="create", resource="serviceaccounts", subresource="token")
    registered(t, plane, old)

    def told():
        messages = [e["message"] for e in plane.events("member1", reason="TokenRenewalFailed")]
        assert any("forbidden" in m and "it expires at" in m for m in messages), messages
        expect(len(set(messages)), len(messages), "different events")
    with plane.running():
        eventually(told, 150)
        expect(stored(t, plane), old, "token")
