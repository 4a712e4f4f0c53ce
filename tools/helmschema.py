"""values.schema.json: the part of JSON Schema that the chart uses. What is not known is an error."""
import re

from helmyaml import ChartError, show


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
IGNORED = {"$schema", "title", "description", "default", "examples", "definitions", "$comment"}
CHECKED = {"type", "enum", "minimum", "maximum", "pattern", "minLength", "maxLength", "required", "properties",
           "additionalProperties", "items", "not", "anyOf", "minItems", "propertyNames"}


def is_type(value, name):
    if name in ("integer", "number"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (name == "number" or value == int(value))
    if name not in TYPES:
        raise ChartError(f"schema: type {name!r} is not known")
    return isinstance(value, TYPES[name])


def go_pattern(pattern):
    if re.search(r"\(\?[=!<]|\\[1-9]", pattern):
        raise ChartError(f"schema: Go has no look-around and no back-references: {pattern}")
    return pattern


class Schema:
    """Finds what is wrong with values: texts that begin with the name of the value."""

    def __init__(self, root):
        self.root = root

    def resolve(self, schema):
        while "$ref" in schema:
            if len(schema) > 1:
                raise ChartError("schema: $ref stands alone")
            node = self.root
            for step in schema["$ref"].removeprefix("#/").split("/"):
                node = node[step]
            schema = node
        return schema

    def problems(self, value, schema=None, where="(root)"):
        schema = self.resolve(self.root if schema is None else schema)
        unknown = set(schema) - IGNORED - CHECKED
        if unknown:
            raise ChartError(f"schema: {', '.join(sorted(unknown))}: not supported")
        out = list(self.scalar_problems(value, schema, where))
        if not out and isinstance(value, dict):
            out += self.object_problems(value, schema, where)
        if not out and isinstance(value, list):
            if len(value) < schema.get("minItems", 0):
                out.append(f"{where}: Array must have at least {schema['minItems']} items")
            for i, item in enumerate(value):
                out += self.problems(item, schema.get("items", {}), f"{where}.{i}")
        return out

    def scalar_problems(self, value, schema, where):
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(is_type(value, name) for name in types):
            yield f"{where}: Invalid type. Expected: {'/'.join(types)}, given: {show(value)}"
            return
        if "enum" in schema and not any(type(value) is type(e) and value == e for e in schema["enum"]):
            yield f"{where}: must be one of {', '.join(show(e) for e in schema['enum'])}, not {show(value)}"
        if isinstance(value, str):
            if "pattern" in schema and not re.search(go_pattern(schema["pattern"]), value):
                yield f"{where}: Does not match pattern '{schema['pattern']}': {show(value)}"
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                yield f"{where}: String length must be between {schema.get('minLength', 0)} and " \
                      f"{schema.get('maxLength', 'any')}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value < schema.get("minimum", value):
                yield f"{where}: Must be greater than or equal to {schema['minimum']}, not {show(value)}"
            if value > schema.get("maximum", value):
                yield f"{where}: Must be less than or equal to {schema['maximum']}, not {show(value)}"
        if "not" in schema and not self.problems(value, schema["not"], where):
            yield f"{where}: Must not validate the schema (not): {show(value)}"
        if "anyOf" in schema and all(self.problems(value, part, where) for part in schema["anyOf"]):
            yield f"{where}: Must validate at least one schema (anyOf): {show(value)}"

    def object_problems(self, value, schema, where):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        prefix = "" if where == "(root)" else where + "."
        out = [f"{where}: {name} is required" for name in schema.get("required", []) if name not in value]
        for key, item in sorted(value.items()):
            out += self.problems(key, schema.get("propertyNames", {}), prefix + key)
            if key in properties:
                out += self.problems(item, properties[key], prefix + key)
            elif more is False:
                out.append(f"{where}: Additional property {key} is not allowed")
            elif isinstance(more, dict):
                out += self.problems(item, more, prefix + key)
        return out
