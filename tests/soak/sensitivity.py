"""Does the oracle notice what is wrong? After each round, what was found is falsified in many ways, one at a time.

Only copies in memory are changed. A falsification that goes unnoticed ends the run: a comparison that cannot fail
proves nothing. Slots where more than one state is right (see oracle.expectation) are left out where that matters.
"""
import copy
import random

import common  # noqa: F401
import oracle
from shapes import MANAGED


def _strict(rounds, state):
    """Slots of which exactly this is expected and found."""
    world, slots = rounds.world, rounds.found[0]
    return [slot for slot in sorted(world.slots()) if slot[1] in rounds.driver.types and
            oracle.expectation(world, slot, (slot[0], "namespaces", slot[2], slot[2]) in slots) == {state}]


def _managed(rounds, types=None):
    return [slot for slot in _strict(rounds, oracle.MANAGED_AS_DESIRED) if not types or slot[1] in types]


def _recorded(rounds, found):
    return [key for key in sorted(found[2]) if rounds.world.placement_works(key)]


def vanish(rounds, found, rng):
    del found[0][_pick(rng, _managed(rounds))]


def lose_the_label(rounds, found, rng):
    del found[0][_pick(rng, _managed(rounds))]["metadata"]["labels"][MANAGED]


def gain_a_label(rounds, found, rng):
    found[0][_pick(rng, _managed(rounds))]["metadata"]["labels"]["drift"] = "1"


def gain_data(rounds, found, rng):
    obj = found[0][_pick(rng, _managed(rounds, ("configmaps", "secrets", "gadgets")))]
    obj.setdefault("data", {})["drift"] = "x"


def gain_a_deep_field(rounds, found, rng):
    found[0][_pick(rng, _managed(rounds, ("deployments", "services")))]["spec"]["drift"] = True


def lose_a_deep_field(rounds, found, rng):
    spec = found[0][_pick(rng, _managed(rounds, ("deployments", "services", "gadgets")))]["spec"]
    del spec[rng.choice([key for key in sorted(spec) if key not in ("clusterIP", "clusterIPs", "replicas")])]


def stay_behind(rounds, found, rng):
    slot = _pick(rng, [s for s in _strict(rounds, oracle.ABSENT) if s[1] == "configmaps"])
    found[0][slot] = {"metadata": {"name": slot[3], "uid": "1", "labels": {MANAGED: "true"}}, "data": {}}


def touch_a_foreign_object(rounds, found, rng):
    slots = [slot for slot in _strict(rounds, oracle.UNTOUCHED) if slot in found[0]]
    found[0][_pick(rng, slots)]["metadata"].setdefault("labels", {})["x"] = "y"


def remove_a_foreign_object(rounds, found, rng):
    del found[0][_pick(rng, [slot for slot in _strict(rounds, oracle.UNTOUCHED) if slot in found[0]])]


def observe_less(rounds, found, rng):
    found[1][_pick(rng, sorted(found[1]))]["status"]["observedGeneration"] -= 1


def report_a_cluster_too_much(rounds, found, rng):
    found[1][_pick(rng, sorted(found[1]))]["status"].setdefault("clusters", []).append({"name": "z"})


def report_a_failure(rounds, found, rng):
    key = _pick(rng, [key for key, obj in sorted(found[1].items()) if obj["status"].get("clusters")])
    found[1][key]["status"]["clusters"][0]["status"] = "UpdateFailed"


def turn_the_condition(rounds, found, rng):
    condition = found[1][_pick(rng, sorted(found[1]))]["status"]["conditions"][0]
    condition["status"] = "False" if condition["status"] == "True" else "True"


def lose_a_version(rounds, found, rng):
    found[2][_pick(rng, _recorded(rounds, found))] = None


def record_another_version(rounds, found, rng):
    member, *key = _pick(rng, _managed(rounds))
    for entry in found[2][tuple(key)]["status"]["clusterVersions"]:
        entry["version"] += "0" if entry["clusterName"] == member else ""


def record_another_hash(rounds, found, rng):
    found[2][_pick(rng, _recorded(rounds, found))]["status"]["overridesVersion"] = "0" * 32


def forget_an_object(rounds, found, rng):
    del found[1][_pick(rng, sorted(found[1]))]


def keep_an_object(rounds, found, rng):
    key = _pick(rng, sorted(found[1]))
    found[1][(key[0], key[1], "soak-z")] = found[1][key]


class Nothing(Exception):
    """There is nothing to falsify in this way."""


def _pick(rng, candidates):
    if not candidates:
        raise Nothing
    return rng.choice(candidates)


FALSIFICATIONS = (vanish, lose_the_label, gain_a_label, gain_data, gain_a_deep_field, lose_a_deep_field, stay_behind,
                  touch_a_foreign_object, remove_a_foreign_object, observe_less, report_a_cluster_too_much,
                  report_a_failure, turn_the_condition, lose_a_version, record_another_version, record_another_hash,
                  forget_an_object, keep_an_object)


def check(rounds):
    """Falsifies what the last round found; not one falsification may go unnoticed. Returns how many were tried."""
    rng, tried = random.Random(rounds.round), 0
    for falsify in FALSIFICATIONS:
        found = copy.deepcopy(rounds.found)
        try:
            falsify(rounds, found, rng)
        except Nothing:
            continue
        tried += 1
        assert rounds.differences(*found), f"the oracle does not notice: {falsify.__name__}"
    return tried


__all__ = ["FALSIFICATIONS", "check"]
