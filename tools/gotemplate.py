"""Go's text/template, as far as the project's Helm chart uses it.

What is here behaves as in Go, white space included. What is not here is an error with file and line, and so is what Go
would let pass but prints as "<no value>", or what only some versions of Go or Helm take: a template that is accepted here
renders the same there. Values are None, bool, int, Number (a number from a values file), str, list and dict.
"""
import functools
import re

SPACE = " \t\r\n"
KEYWORDS = {"if", "else", "end", "with", "range", "define", "template", "block", "break", "continue", "nil"}
TOKEN = re.compile(r"""
    (?P<space>[ \t\r\n]+)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<raw>`[^`]*`)
  | (?P<number>[+-]?(?:0[xXbBoO][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.]))
  | (?P<field>\.[A-Za-z_]\w*)
  | (?P<variable>\$\w*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<declare>:=)
  | (?P<other>[.|(),=])
""", re.VERBOSE)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class TemplateError(Exception):
    """A template that cannot be read or rendered; the text begins with file:line."""


class FunctionError(Exception):
    """Raised by functions; becomes a TemplateError with its place."""


class Number(float):
    """A number of a values file. Helm makes a float of it: it compares with no int, and large ones print as 1e+06."""


class Safe:
    """An object of the host program: attributes of FIELDS can be read, those of METHODS called."""
    FIELDS = ()
    METHODS = ()


# ---- reading

class Token:
    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def unquote(text, fail):
    def one(match):
        escape = match.group(1)
        if escape[0] in "xuU":
            return chr(int(escape[1:], 16))
        if escape not in ESCAPES:
            fail(f"unknown escape \\{escape}")
        return ESCAPES[escape]
    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", one, text[1:-1])


class Action:
    """One {{ }}: its tokens."""

    def __init__(self, name, line, tokens):
        self.name, self.line, self.tokens, self.at = name, line, tokens, 0

    def fail(self, message, token=None):
        raise TemplateError(f"{self.name}:{token.line if token else self.line}: {message}")

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self):
        token = self.peek()
        if token is None:
            self.fail("the action ends too early")
        self.at += 1
        return token

    def skip_space(self):
        """Whether there was white space."""
        begin = self.at
        while self.peek() and self.peek().kind == "space":
            self.at += 1
        return self.at > begin

    def end(self):
        self.skip_space()
        if self.peek():
            self.fail(f"unexpected {self.peek().text!r}", self.peek())


def tokens_of(name, text, line):
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise TemplateError(f"{name}:{line}: unexpected {text[at:at + 10]!r}")
        tokens.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return tokens


def action_end(name, text, at, line):
    """Where the "}}" is that ends the action whose inside begins at `at`; strings may contain it."""
    while at < len(text):
        if text.startswith("}}", at):
            return at
        if text[at] in "\"`":
            match = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`', re.S).match(text, at)
            if not match:
                raise TemplateError(f"{name}:{line}: unterminated string")
            at = match.end()
        else:
            at += 1
    raise TemplateError(f"{name}:{line}: unclosed action")


def split(name, text):
    """Texts and actions in order; trim markers are applied, comments dropped."""
    items, at, line, trim = [], 0, 1, False

    def add_text(piece, trim_left, trim_right):
        if trim_left:
            piece = piece.lstrip(SPACE)
        if trim_right:
            piece = piece.rstrip(SPACE)
        if piece:
            items.append(piece)

    while True:
        begin = text.find("{{", at)
        if begin < 0:
            add_text(text[at:], trim, False)
            return items
        line += text.count("\n", at, begin)
        inside = begin + 2
        left = text[inside:inside + 1] == "-" and text[inside + 1:inside + 2] in tuple(SPACE)
        add_text(text[at:begin], trim, left)
        if left:
            inside += 2
        if text.startswith("/*", inside):
            close = text.find("*/", inside + 2)
            match = re.compile(r"([ \t\r\n]-)?\}\}").match(text, close + 2) if close >= 0 else None
            if not match:
                raise TemplateError(f"{name}:{line}: a comment ends with */ and }}}} at once")
            end, trim = match.end(), bool(match.group(1))
        else:
            close = action_end(name, text, inside, line)
            body, end = text[inside:close], close + 2
            trim = len(body) >= 2 and body[-1] == "-" and body[-2] in SPACE
            if trim:
                body = body[:-1]
            if not body.strip():
                raise TemplateError(f"{name}:{line}: missing value for command")
            items.append(Action(name, line, tokens_of(name, body, line)))
        line += text.count("\n", begin, end)
        at = end


# ---- the tree. Each node has render(state, dot, out) or, in pipelines, value(state, dot).

class Node:
    def __init__(self, action):
        self.name, self.line = action.name, action.line

    def fail(self, message):
        raise TemplateError(f"{self.name}:{self.line}: {message}")


class Text:
    def __init__(self, text):
        self.text = text

    def render(self, state, dot, out):
        out.append(self.text)


class Literal(Node):
    def __init__(self, action, constant):
        super().__init__(action)
        self.constant = constant

    def value(self, state, dot):
        return self.constant


class Path(Node):
    """Fields of dot, of a variable or of a parenthesised pipeline."""

    def __init__(self, action, base, fields):
        super().__init__(action)
        self.base, self.fields = base, fields

    def value(self, state, dot, arguments=()):
        if self.base is None:
            current = dot
        elif isinstance(self.base, str):
            current = state.variable(self.base, self.fail)
        else:
            current = self.base.value(state, dot)
        for i, field in enumerate(self.fields):
            last = i + 1 == len(self.fields)
            current = self.step(current, field, arguments if last else ())
        if arguments and not self.fields:
            self.fail("a value is given arguments")
        return current

    def step(self, current, field, arguments):
        if isinstance(current, Safe):
            if field in current.METHODS:
                try:
                    return getattr(current, field)(*arguments)
                except (TypeError, FunctionError) as e:
                    self.fail(f".{field}: {e}")
            if field not in current.FIELDS:
                self.fail(f"there is no field {field} here")
            current = getattr(current, field)
        elif isinstance(current, dict):
            current = current.get(field)
        elif current is None:
            self.fail(f"nil pointer: .{field} of something that is not set")
        else:
            self.fail(f".{field} of {go_type(current)}, which has no fields")
        if arguments:
            self.fail(f".{field} is not a method but is given arguments")
        return current


class Command(Node):
    """A function or a method with arguments; the value of the command before it in the pipeline is its last argument."""

    def __init__(self, action, head, arguments):
        super().__init__(action)
        self.head, self.arguments = head, arguments

    def value(self, state, dot, *piped):
        arguments = [a.value(state, dot) for a in self.arguments] + list(piped)
        if not isinstance(self.head, str):
            if arguments and not isinstance(self.head, Path):
                self.fail("a literal is given arguments")
            return self.head.value(state, dot, arguments) if arguments else self.head.value(state, dot)
        if self.head == "include":
            return self.include(state, arguments)
        function = state.functions[self.head]
        try:
            return function(*arguments)
        except FunctionError as e:
            self.fail(f"{self.head}: {e}")
        except TypeError as e:
            self.fail(f"wrong arguments for {self.head}: {e}")

    def include(self, state, arguments):
        if len(arguments) != 2 or not isinstance(arguments[0], str):
            self.fail("include wants a name and a value")
        out = []
        state.call(arguments[0], arguments[1], out, self.fail)
        return "".join(out)


class Pipeline(Node):
    def __init__(self, action, variables, declares, commands):
        super().__init__(action)
        self.variables, self.declares, self.commands = variables, declares, commands

    def plain(self, state, dot):
        result = self.commands[0].value(state, dot)
        for command in self.commands[1:]:
            result = command.value(state, dot, result)
        return result

    def value(self, state, dot):
        result = self.plain(state, dot)
        for name in self.variables:
            if self.declares:
                state.declare(name, result)
            else:
                state.assign(name, result, self.fail)
        return result


class Print(Node):
    def __init__(self, action, pipeline):
        super().__init__(action)
        self.pipeline = pipeline

    def render(self, state, dot, out):
        result = self.pipeline.value(state, dot)
        if self.pipeline.variables:
            return
        if result is None:
            self.fail("the value to print is not set")
        try:
            out.append(text_of(result))
        except FunctionError as e:
            self.fail(str(e))


class Branch(Node):
    """if and with."""

    def __init__(self, action, pipeline, rebinds, then, otherwise):
        super().__init__(action)
        self.pipeline, self.rebinds, self.then, self.otherwise = pipeline, rebinds, then, otherwise

    def render(self, state, dot, out):
        mark = state.mark()
        result = self.pipeline.value(state, dot)
        if truth(result):
            render_all(self.then, state, result if self.rebinds else dot, out)
        else:
            render_all(self.otherwise, state, dot, out)
        state.release(mark)


class Range(Node):
    def __init__(self, action, pipeline, then, otherwise):
        super().__init__(action)
        self.pipeline, self.then, self.otherwise = pipeline, then, otherwise

    def render(self, state, dot, out):
        over = self.pipeline.plain(state, dot)
        if over is None:
            items = []
        elif isinstance(over, dict):
            items = sorted(over.items())
        elif isinstance(over, list):
            items = list(enumerate(over))
        else:
            self.fail(f"range can't iterate over {go_type(over)}")
        names = self.pipeline.variables
        for key, item in items:
            mark = state.mark()
            for name, bound in zip(names, (item,) if len(names) == 1 else (key, item)):
                state.declare(name, bound)
            render_all(self.then, state, item, out)
            state.release(mark)
        if not items:
            render_all(self.otherwise, state, dot, out)


class Call(Node):
    """template."""

    def __init__(self, action, target, pipeline):
        super().__init__(action)
        self.target, self.pipeline = target, pipeline

    def render(self, state, dot, out):
        argument = self.pipeline.value(state, dot) if self.pipeline else None
        state.call(self.target, argument, out, self.fail)


def render_all(nodes, state, dot, out):
    mark = state.mark()
    for node in nodes:
        node.render(state, dot, out)
    state.release(mark)


# ---- parsing

class Parser:
    def __init__(self, name, text, functions, templates):
        self.name, self.functions, self.templates = name, functions, templates
        self.items = split(name, text)
        self.at = 0
        self.scopes = [{"$"}]

    def template(self):
        nodes, end = self.block(())
        if end:
            end.fail("unexpected {{" + end.word + "}}")
        return nodes

    def block(self, ends):
        """Nodes up to an action that is one of the ends; that action, its word read, is returned too."""
        nodes = []
        self.scopes.append(set())
        try:
            while self.at < len(self.items):
                item = self.items[self.at]
                self.at += 1
                if isinstance(item, str):
                    nodes.append(Text(item))
                    continue
                item.skip_space()
                first = item.peek()
                item.word = first.text if first.kind == "word" and first.text in KEYWORDS else None
                if item.word in ("end", "else"):
                    if item.word not in ends:
                        item.fail("unexpected {{" + item.word + "}}")
                    item.next()
                    return nodes, item
                nodes += self.statement(item)
            if ends:
                raise TemplateError(f"{self.name}: unexpected end of file, an {{{{end}}}} is missing")
            return nodes, None
        finally:
            self.scopes.pop()

    def statement(self, item):
        word = item.word
        if word is None:
            return [Print(item, self.pipeline(item))]
        item.next()
        if word in ("if", "with"):
            return [self.branch(item, word)]
        if word == "range":
            self.scopes.append(set())
            pipeline = self.pipeline(item, over=True)
            then, otherwise = self.bodies(item, False)
            self.scopes.pop()
            return [Range(item, pipeline, then, otherwise)]
        if word == "template":
            target = self.constant_name(item)
            item.skip_space()
            return [Call(item, target, self.pipeline(item) if item.peek() else None)]
        if word == "define":
            return self.define(item)
        return item.fail(f"{word} is not supported")

    def branch(self, item, word):
        self.scopes.append(set())
        pipeline = self.pipeline(item)
        then, otherwise = self.bodies(item, word == "if")
        self.scopes.pop()
        return Branch(item, pipeline, word == "with", then, otherwise)

    def bodies(self, item, may_chain):
        then, end = self.block(("end", "else"))
        if end.word == "end":
            end.end()
            return then, []
        if end.skip_space() and end.peek():
            token = end.next()
            if token.kind != "word" or token.text != "if" or not may_chain:
                end.fail("only {{else}} and {{else if}} after if are supported", token)
            return then, [self.branch(end, "if")]
        otherwise, last = self.block(("end",))
        last.end()
        return then, otherwise

    def define(self, item):
        if len(self.scopes) > 2:
            item.fail("define inside of something else")
        target = self.constant_name(item)
        item.end()
        saved, self.scopes = self.scopes, [{"$"}]
        nodes, end = self.block(("end",))
        end.end()
        self.scopes = saved
        if target in self.templates:
            item.fail(f"template {target!r} is defined twice")
        self.templates[target] = nodes
        return []

    def constant_name(self, item):
        item.skip_space()
        token = item.next()
        if token.kind != "string":
            item.fail("a template's name is a string", token)
        return unquote(token.text, item.fail)

    # -- pipelines

    def known(self, name):
        return any(name in scope for scope in self.scopes)

    def pipeline(self, item, over=False, inside=False):
        item.skip_space()
        variables, declares = self.declaration(item, over)
        commands = [self.command(item, inside, True)]
        while item.peek() and item.peek().text == "|":
            item.next()
            commands.append(self.command(item, inside, False))
        if not inside:
            item.end()
        if declares:
            self.scopes[-1].update(variables)
        return Pipeline(item, variables, declares, commands)

    def declaration(self, item, over):
        """The variables before := or =, if any."""
        begin, names = item.at, []
        while item.peek() and item.peek().kind == "variable" and len(item.peek().text) > 1:
            names.append(item.next().text)
            item.skip_space()
            token = item.peek()
            if token and token.text == "," and over and len(names) == 1:
                item.next()
                item.skip_space()
                continue
            if token and token.kind == "declare":
                item.next()
                return names, True
            if token and token.text == "=" and not over:
                item.next()
                if not self.known(names[0]):
                    item.fail(f"undefined variable {names[0]}")
                return names, False
            break
        item.at = begin
        return [], False

    def command(self, item, inside, first):
        item.skip_space()
        token = item.peek()
        if token is None or token.text in ("|", ")"):
            item.fail("missing value for command")
        if token.kind == "word" and token.text not in ("true", "false", "nil"):
            item.next()
            if token.text not in self.functions and token.text != "include":
                item.fail(f"function {token.text!r} is not known", token)
            head = token.text
        else:
            head = self.operand(item)
            if not first and isinstance(head, Literal):
                item.fail("only a function or a method can be piped to", token)
        arguments = []
        while True:
            spaced = item.skip_space()
            token = item.peek()
            if token is None or token.text == "|" or (inside and token.text == ")"):
                return Command(item, head, arguments)
            if not spaced:
                item.fail(f"unexpected {token.text!r}", token)
            if token.kind == "word" and token.text not in ("true", "false", "nil"):
                item.fail(f"{token.text!r} as an argument needs parentheses", token)
            arguments.append(self.operand(item))

    def operand(self, item):
        token = item.next()
        if token.kind == "string":
            return Literal(item, unquote(token.text, item.fail))
        if token.kind == "raw":
            return Literal(item, token.text[1:-1])
        if token.kind == "number":
            if not re.fullmatch(r"[+-]?(0|[1-9]\d*)", token.text):
                item.fail("only decimal whole numbers are supported", token)
            return Literal(item, int(token.text))
        if token.text in ("true", "false"):
            return Literal(item, token.text == "true")
        if token.text == ".":
            return Path(item, None, [])
        if token.kind == "field":
            item.at -= 1
            return Path(item, None, self.fields(item))
        if token.kind == "variable":
            if not self.known(token.text):
                item.fail(f"undefined variable {token.text}", token)
            return Path(item, token.text, self.fields(item))
        if token.text == "(":
            pipeline = self.pipeline(item, inside=True)
            item.skip_space()
            if not item.peek() or item.next().text != ")":
                item.fail("a parenthesis is not closed", token)
            return Path(item, pipeline, self.fields(item))
        return item.fail(f"unexpected {token.text!r}", token)

    def fields(self, item):
        names = []
        while item.peek() and item.peek().kind == "field":
            names.append(item.next().text[1:])
        return names


# ---- running

class State:
    """Variables are a stack, as in Go: a block drops what it declared."""

    def __init__(self, templates, functions, dot, depth=0):
        self.templates, self.functions, self.depth = templates, functions, depth
        self.stack = [("$", dot)]

    def mark(self):
        return len(self.stack)

    def release(self, mark):
        del self.stack[mark:]

    def declare(self, name, value):
        self.stack.append((name, value))

    def assign(self, name, value, fail):
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i][0] == name:
                self.stack[i] = (name, value)
                return
        fail(f"undefined variable {name}")

    def variable(self, name, fail):
        for known, value in reversed(self.stack):
            if known == name:
                return value
        return fail(f"undefined variable {name}")

    def call(self, name, argument, out, fail):
        if name not in self.templates:
            fail(f"there is no template {name!r}")
        if self.depth > 100:
            fail("templates call each other without end")
        inner = State(self.templates, self.functions, argument, self.depth + 1)
        render_all(self.templates[name], inner, argument, out)


def go_type(value):
    return {type(None): "nil", bool: "bool", int: "int", Number: "float64", str: "string", list: "[]interface {}",
            dict: "map[string]interface {}"}.get(type(value), type(value).__name__)


def truth(value):
    return bool(value) if not isinstance(value, Safe) else True


def text_of(value):
    """As Go prints it. Lists and maps are refused: what Go prints for them is never wanted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        if value != int(value):
            return repr(float(value))
        if abs(value) >= 1e6:
            raise FunctionError(f"{int(value)} would be printed as {value:g}: use int64")
        return str(int(value))
    if isinstance(value, (int, str)):
        return str(value)
    raise FunctionError(f"cannot print {go_type(value)}: use toYaml")


@functools.lru_cache(maxsize=256)
def parsed(name, text, functions):
    """Nodes of a file, and {name: nodes} of what it defines. Nodes are never changed."""
    parser = Parser(name, text, functions, {})
    return parser.template(), parser.templates


class Templates:
    """All templates of a chart: parse() each file first, then render()."""

    def __init__(self, functions):
        self.functions = functions
        self.named = {}

    def parse(self, name, text):
        nodes, defined = parsed(name, text, frozenset(self.functions))
        for other in defined:
            if other in self.named:
                raise TemplateError(f"{name}: template {other!r} is defined twice")
        self.named.update(defined)
        self.named[name] = nodes

    def render(self, name, dot):
        out = []
        state = State(self.named, self.functions, dot)
        state.call(name, dot, out, lambda message: (_ for _ in ()).throw(TemplateError(f"{name}: {message}")))
        return "".join(out)
