"""The functions that the chart's templates may call: those of Go's templates, of sprig and of Helm."""
import base64
import hashlib
import json
import random
import re
import string

from gotemplate import FunctionError, Number, go_type, text_of, truth
from helmyaml import ChartError, dump_yaml, load_yaml


def same_type(a, b):
    for value in (a, b):
        if not isinstance(value, (bool, int, Number, str)):
            raise FunctionError(f"invalid type for comparison: {go_type(value)}")
    if type(a) is not type(b):
        raise FunctionError(f"incompatible types for comparison: {go_type(a)} and {go_type(b)}")


def equal(first, *others):
    if not others:
        raise FunctionError("missing argument for comparison")
    for other in others:
        same_type(first, other)
    return first in others


def not_equal(a, b):
    return not equal(a, b)


def less(a, b):
    same_type(a, b)
    if isinstance(a, bool):
        raise FunctionError("invalid type for comparison: bool")
    return a < b


def logical(stops_at):
    # Older Helm evaluates all arguments, newer ones stop early: here all were evaluated, so that errors show.
    def function(*arguments):
        if not arguments:
            raise FunctionError("missing arguments")
        for argument in arguments[:-1]:
            if truth(argument) == stops_at:
                return argument
        return arguments[-1]
    return function


def go_quote(value):
    return json.dumps(text(value), ensure_ascii=False).replace("\x7f", "\\x7f")


def text(value):
    if value is None:
        raise FunctionError("the value is not set")
    return text_of(value)


def need(value, kind, what):
    if not isinstance(value, kind) or isinstance(value, bool) and kind is int:
        raise FunctionError(f"wants {what}, not {go_type(value)}")
    return value


def need_text(value):
    return need(value, str, "a text")


def printf(form, *arguments):
    rest = list(arguments)

    def one(match):
        verb = match.group(1)
        if verb == "%":
            return "%"
        if not rest:
            raise FunctionError("too few arguments")
        value = rest.pop(0)
        if verb == "d":
            return str(need(value, int, "an int for %d"))
        if verb == "s":
            return need_text(value)
        if verb == "q":
            return go_quote(need_text(value))
        if verb == "v":
            return text(value)
        raise FunctionError(f"%{verb} is not supported")
    out = re.sub(r"%(.?)", one, need_text(form), flags=re.S)
    if rest:
        raise FunctionError("too many arguments")
    return out


def indent(count, value):
    return "\n".join(" " * need(count, int, "an int") + line for line in need_text(value).split("\n"))


def default(fallback, *value):
    if len(value) > 1:
        raise FunctionError("too many arguments")
    return value[0] if value and truth(value[0]) else fallback


def to_int(value):
    if value is None:   # as sprig: what is not set becomes 0, without a word
        return 0
    if isinstance(value, str):
        if not re.fullmatch(r"-?(0|[1-9]\d*)", value):
            raise FunctionError(f"{value!r} is no number")
        return int(value)
    if not isinstance(value, (int, Number)) or isinstance(value, bool):
        raise FunctionError(f"{go_type(value)} is no number")
    if value != int(value):
        raise FunctionError(f"{float(value)} is no whole number")
    return int(value)


def required(message, value):
    if value is None or value == "":
        raise FunctionError(need_text(message))
    return value


def fail(message):
    raise FunctionError(need_text(message))


def ternary(yes, no, condition):
    return yes if need(condition, bool, "a bool as last argument") else no


def make_dict(*pairs):
    if len(pairs) % 2:
        raise FunctionError("an odd number of arguments")
    return {need_text(key): value for key, value in zip(pairs[::2], pairs[1::2])}


def kind_is(kind, value):
    kinds = {"map": dict, "slice": list, "string": str, "bool": bool, "float64": Number, "int": int, "invalid": type(None)}
    if need_text(kind) not in kinds:
        raise FunctionError(f"the kind {kind!r} is not supported")
    return kinds[kind] is type(value)


def merge(target, *sources):
    """Changes the target, as sprig does: what is empty in it is taken from the first source that has it. Maps in maps are refused."""
    for source in sources:
        for key, value in need(source, dict, "a map").items():
            if isinstance(value, dict):
                raise FunctionError(f"{key} is a map in a map")
            if not truth(need(target, dict, "a map").get(key)):
                target[key] = value
    return target


def from_yaml(value):
    """A map. Helm hands an error on as the key Error; here it ends the rendering."""
    try:
        return need(load_yaml(need_text(value), "fromYaml") or {}, dict, "a map")
    except ChartError as e:
        raise FunctionError(str(e)) from e


def index(value, *keys):
    for key in keys:
        if isinstance(value, dict):
            value = value.get(need_text(key))
        else:
            items = need(value, list, "a list or a map")
            if not 0 <= need(key, int, "an int") < len(items):
                raise FunctionError(f"index out of range: {key}")
            value = items[key]
    return value


def trunc(length, value):
    if need(length, int, "an int") < 0:
        raise FunctionError("a negative length is not supported")
    return need_text(value)[:length]


def version_of(value):
    match = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[\w.-]+)?(\+[\w.-]+)?", value)
    if not match:
        raise FunctionError(f"{value!r} is no version")
    return tuple(int(part or 0) for part in match.groups()[:3]), match.group(4)


def semver_compare(constraint, version):
    """One comparison, with "-0" at its end so that versions such as 1.27.3-gke.100 count too."""
    match = re.fullmatch(r"(>=|>|<=|<) ?(\d[\d.]*)-0", need_text(constraint))
    if not match:
        raise FunctionError(f"the constraint {constraint!r} is not supported")
    wanted, (found, _) = version_of(match.group(2))[0], version_of(need_text(version))
    # A pre-release of a version is before it, but after its "-0".
    return {">=": found >= wanted, ">": found >= wanted, "<=": found < wanted, "<": found < wanted}[match.group(1)]


FUNCTIONS = {
    "eq": equal, "ne": not_equal, "lt": less, "gt": lambda a, b: less(b, a), "le": lambda a, b: not less(b, a),
    "ge": lambda a, b: not less(a, b), "and": logical(False), "or": logical(True), "not": lambda v: not truth(v),
    "empty": lambda v: not truth(v), "default": default, "ternary": ternary, "required": required, "fail": fail,
    "printf": printf, "quote": go_quote, "squote": lambda v: "'" + text(v) + "'", "toString": text,
    "toYaml": lambda v: dump_yaml(v).rstrip("\n"), "indent": indent, "nindent": lambda n, v: "\n" + indent(n, v),
    "int": to_int, "int64": to_int, "dict": make_dict, "list": lambda *items: list(items), "index": index,
    "hasKey": lambda d, key: need_text(key) in need(d, dict, "a map"),
    "len": lambda v: len(need(v, (str, list, dict), "a text, a list or a map")),
    "kindIs": kind_is, "merge": merge, "fromYaml": from_yaml,
    "join": lambda glue, items: need_text(glue).join(text(i) for i in need(items, list, "a list")),
    "trunc": trunc, "lower": lambda v: need_text(v).lower(), "upper": lambda v: need_text(v).upper(),
    "trim": lambda v: need_text(v).strip(),
    "trimSuffix": lambda end, v: v[:len(v) - len(end)] if end and need_text(v).endswith(need_text(end)) else need_text(v),
    "trimPrefix": lambda begin, v: v[len(begin):] if need_text(v).startswith(need_text(begin)) else v,
    "replace": lambda old, new, v: need_text(v).replace(need_text(old), need_text(new)),
    "contains": lambda part, v: need_text(part) in need_text(v),
    "b64enc": lambda v: base64.b64encode(need_text(v).encode()).decode(),
    "sha256sum": lambda v: hashlib.sha256(need_text(v).encode()).hexdigest(),
    "semverCompare": semver_compare,
    "randAlphaNum": lambda n: "".join(random.choice(string.ascii_letters + string.digits) for _ in range(n)),
}
