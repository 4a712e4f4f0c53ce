"""The version hashes of controllers.md 5.9, computed independently of the program under test."""
import hashlib
import json
import math

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _string(text):
    out = []
    for c in text:
        if c in _ESCAPES:
            out.append(_ESCAPES[c])
        elif ord(c) < 0x20:
            out.append(f"\\u{ord(c):04x}")
        elif 0xD800 <= ord(c) <= 0xDFFF:
            out.append("\\ufffd")
        else:
            out.append(c)
    return '"' + "".join(out) + '"'


def _float(x):
    """Shortest digits that read back the same; plain between 1e-6 and 1e21, else with an exponent."""
    if x == 0:
        return "-0" if math.copysign(1, x) < 0 else "0"
    mantissa, _, exponent = f"{x!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    digits = digits.rstrip("0") or "0"
    if 1e-6 <= abs(x) < 1e21:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if len(digits) <= point:
            return sign + digits + "0" * (point - len(digits))
        return f"{sign}{digits[:point]}.{digits[point:]}"
    power = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if power >= 0 else '-'}{abs(power)}"


def _number(x, floats):
    if isinstance(x, float) or floats or not -2**63 <= x < 2**63:
        return _float(float(x))
    return str(x)


def canonical(value, floats=False):
    """JSON as Go's encoder writes it: sorted keys, HTML escapes. floats: every number is a 64-bit float."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value, floats)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(v, floats) for v in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-8", "surrogatepass"))
    return "{" + ",".join(f"{_string(key)}:{canonical(value[key], floats)}" for key in keys) + "}"


def _md5(text):
    return hashlib.md5((text + "\n").encode("utf-8")).hexdigest()


def template_version(spec):
    if not isinstance(spec, dict) or "template" not in spec:
        return ""
    return _md5(canonical(spec["template"]))


def _override(o):
    parts = []
    if o.get("op"):
        parts.append(f'"op":{_string(o["op"])}')
    parts.append(f'"path":{_string(o.get("path", ""))}')
    if o.get("value") is not None:
        parts.append(f'"value":{canonical(o["value"], floats=True)}')
    return "{" + ",".join(parts) + "}"


def overrides_version(spec):
    if spec is None:
        return ""
    overrides = spec.get("overrides")
    if overrides is None:
        return _md5('{"overrides":null}')
    clusters = []
    for item in overrides:
        parts = [f'"clusterName":{_string(item.get("clusterName", ""))}']
        if item.get("clusterOverrides"):
            parts.append('"clusterOverrides":[' + ",".join(_override(o) for o in item["clusterOverrides"]) + "]")
        clusters.append("{" + ",".join(parts) + "}")
    return _md5('{"overrides":[' + ",".join(clusters) + "]}")


def object_version(obj):
    """gen:<generation> when the object counts generations, else rv:<resourceVersion>."""
    generation = obj["metadata"].get("generation", 0)
    return f"gen:{generation}" if generation else f"rv:{obj['metadata']['resourceVersion']}"


# Template or overrides as JSON text, and their hash.
TEMPLATE_VECTORS = [
    ('{"spec":{"foo":null}}', "a5b8d4352d5aed51c51b93900258ccf3"),
    ("{}", "8a80554c91d9fca8acb82f023de02f11"),
    ('{"data":{"foo":"bar"}}', "4682012eb72f035cfe2b227efe7ca8c8"),
    ('{"spec":{"replicas":3,"b":true,"a":[1,2.0,1e3,0.1]},"metadata":{"labels":{"z":"1","a":"<&>"}}}',
     "1fd1c16b9296dbb1b6e436698b8a7b32"),
    ('{"n":12345678901234567890,"m":1e21,"k":1e-7,"j":9007199254740993}', "af333ec1c49a872d87ad7097eec512f0"),
]
OVERRIDES_VECTORS = [
    ("{}", "2979b7538b527abe06492021841caf47"),
    ('{"overrides":[]}', "fd97e6d9a670c7dcdc2477764f78b459"),
    ('{"overrides":[{"clusterName":"c1","clusterOverrides":[{"path":"/data","value":{"foo":"baz"}}]}]}',
     "e32ea1ae695d85e0d5dd5ffe2ada9feb"),
    ('{"overrides":[{"clusterName":"c1","clusterOverrides":[{"op":"add","path":"/spec/replicas","value":5},'
     '{"op":"remove","path":"/metadata/annotations/x"}]},{"clusterName":"c2","clusterOverrides":[]}]}',
     "a1f495945f4ab3ee01ce3b235375fd1e"),
    ('{"overrides":[{"clusterName":"c1","clusterOverrides":[{"path":"/a","value":null},{"path":"/b","value":0},'
     '{"path":"/c","value":9007199254740993},{"path":"/d","value":1.50},{"path":"/e","value":{"z":1,"a":"<"}}]}]}',
     "0d0cc7d1df60c04642d648f820f68665"),
]


def self_check():
    """The vectors of the specification; without them the hashes here would prove nothing."""
    for text, expected in TEMPLATE_VECTORS:
        assert template_version({"template": json.loads(text)}) == expected, text
    for text, expected in OVERRIDES_VECTORS:
        assert overrides_version(json.loads(text)) == expected, text


if __name__ == "__main__":
    self_check()
    print("ok")
