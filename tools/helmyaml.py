"""YAML as Helm reads and writes it: JSON's types, no surprises."""
import json
import os
import re
import sys

DEBIAN = "/usr/bin/python3"
try:
    import yaml
except ImportError:     # another Python than Debian's does not see Debian's package
    if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN) or not os.path.exists(DEBIAN):
        raise SystemExit("PyYAML is missing: tools/install-deps test") from None
    os.execv(DEBIAN, [DEBIAN, *sys.argv])

from gotemplate import Number, text_of


class ChartError(Exception):
    """A chart or values that cannot be used."""


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """JSON's types only. Plain scalars that versions of YAML read differently are refused; so are double keys."""
    yaml_implicit_resolvers = {}


AMBIGUOUS = re.compile(r"(?i)^(y|n|yes|no|on|off|0\d+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?\.(inf|nan)|\d+(:[0-5]?\d)+(\.\d*)?)$")
PLAIN = [("null", re.compile(r"^(~|null|Null|NULL|)$"), lambda t: None),
         ("bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), lambda t: t.lower() == "true"),
         ("int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), int),
         ("float", re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?$"), float)]


def construct_scalar(loader, node):
    if node.style in ("'", '"', "|", ">"):
        return node.value
    if AMBIGUOUS.match(node.value):
        raise yaml.constructor.ConstructorError(None, None, f"{node.value!r} needs quotes, or to be written otherwise",
                                                node.start_mark)
    for _, pattern, convert in PLAIN:
        if pattern.match(node.value):
            return convert(node.value)
    return node.value


def construct_mapping(loader, node):
    loader.flatten_mapping(node)
    out = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is no text", key_node.start_mark)
        if str(key) in out:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", key_node.start_mark)
        out[str(key)] = loader.construct_object(value_node, deep=True)
    return out


Loader.add_constructor("tag:yaml.org,2002:str", construct_scalar)
Loader.add_constructor("tag:yaml.org,2002:map", construct_mapping)
Loader.add_constructor("tag:yaml.org,2002:seq", lambda loader, node: loader.construct_sequence(node, deep=True))
Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def load_yaml(text, name):
    """One document."""
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as e:
        raise ChartError(f"{name}: {e}") from None


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def represent_text(dumper, text):
    """Plain only if every reader takes it for text; literal blocks for several lines."""
    if "\n" in text and not re.search(r"[^\S\n]\n|^\s", text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    plain = re.match(r"^[A-Za-z_/][\w ./<>=@$()+-]*(:[\w./-]+)*$", text) and text == text.strip() and \
        not AMBIGUOUS.match(text) and not any(p.match(text) for _, p, _ in PLAIN)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def represent_number(dumper, number):
    return dumper.represent_scalar("tag:yaml.org,2002:int" if number == int(number) else "tag:yaml.org,2002:float",
                                   text_of(number))


Dumper.add_representer(str, represent_text)
Dumper.add_representer(Number, represent_number)


def dump_yaml(value):
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=False, sort_keys=True, width=1 << 20, allow_unicode=True)
    return text[:-4] if text.endswith("\n...\n") else text


def show(value):
    """For messages: any value, however large."""
    if value is None:
        return "null"
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, Number)):
        return str(int(value)) if value == int(value) else repr(float(value))
    return "a " + ("map" if isinstance(value, dict) else "list")
