"""Go's text/template: what it prints, and what is refused. Expected texts follow Go's documentation."""
import unittest

import gotemplate as g
import helmchart as h

DATA = {"a": "A", "empty": "", "zero": g.Number(0), "n": g.Number(3), "big": g.Number(1000000), "yes": True, "no": False,
        "nothing": None, "list": ["x", "y"], "none": [], "map": {"b": "2", "a": "1"}, "deep": {"er": {"est": "!"}}}


def render(text, data=None, **more):
    templates = g.Templates(h.FUNCTIONS)
    for name, other in more.items():
        templates.parse(name, other)
    templates.parse("t", text)
    return templates.render("t", DATA if data is None else data)


# Template, what it prints.
PRINTED = [
    ("plain } text", "plain } text"),
    ("{{ .a }}", "A"), ("{{.a}}", "A"), ("{{ .deep.er.est }}", "!"), ("{{ $.a }}", "A"), ("{{ .yes }} {{ .no }}", "true false"),
    ("{{ .n }}", "3"), ('{{ "q\\"\\n\\u00e4" }}', 'q"\nä'), ("{{ `raw \\n` }}", "raw \\n"), ("{{ 42 }} {{ -1 }}", "42 -1"),
    # Trim markers take white space and line ends, on their side only.
    ("x \n {{- .a }} y", "xA y"), ("x {{ .a -}} \n y", "x Ay"), ("x\n{{- .a -}}\ny", "xAy"), ("{{-1}}", "-1"),
    ("a {{- /* no */ -}} b", "ab"), ("a {{/* no }} */}} b", "a  b"), ("a\n{{- /* two\nlines */}}\nb", "a\nb"),
    ("{{ \"}}\" }}", "}}"),
    # if
    ("{{ if .a }}1{{ end }}", "1"), ("{{ if .empty }}1{{ else }}2{{ end }}", "2"),
    ("{{ if .empty }}1{{ else if .zero }}2{{ else if .n }}3{{ else }}4{{ end }}", "3"),
    ("{{ if .none }}1{{ end }}{{ if .nothing }}2{{ end }}{{ if .no }}3{{ end }}{{ if .list }}4{{ end }}{{ if .missing }}5{{ end }}",
     "4"),
    ("a:\n{{- if .a }}\n  b\n{{- end }}\nc", "a:\n  b\nc"),
    # with
    ("{{ with .deep.er }}{{ .est }}{{ $.a }}{{ end }}", "!A"), ("{{ with .empty }}1{{ else }}{{ .a }}{{ end }}", "A"),
    ("{{ with $x := .a }}{{ . }}{{ $x }}{{ end }}", "AA"),
    # range
    ("{{ range .list }}[{{ . }}]{{ end }}", "[x][y]"), ("{{ range $i, $e := .list }}{{ $i }}{{ $e }}{{ end }}", "0x1y"),
    ("{{ range $e := .list }}{{ $e }}{{ end }}", "xy"), ("{{ range .map }}{{ . }}{{ end }}", "12"),
    ("{{ range $k, $v := .map }}{{ $k }}={{ $v }};{{ end }}", "a=1;b=2;"), ("{{ range .none }}1{{ else }}2{{ end }}", "2"),
    ("{{ range .nothing }}1{{ end }}", ""),
    # variables: a block forgets what it declares, an assignment outlives it
    ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
    ("{{ $x := .deep }}{{ $x.er.est }}", "!"),
    # pipelines and parentheses
    ("{{ .a | lower | printf \"%s-%s\" \"z\" }}", "z-a"), ("{{ printf \"%s\" (.a | lower) }}", "a"),
    ("{{ (index .list 1) | upper }}", "Y"), ("{{ (dict \"k\" (dict \"l\" \"v\")).k.l }}", "v"),
    # define, template, include
    ("{{ define \"d\" }}<{{ . }}>{{ end }}{{ template \"d\" .a }}{{ include \"d\" \"b\" | upper }}", "<A><B>"),
    ("{{ define \"d\" }}{{ $.er.est }}{{ end }}{{ $x := 1 }}{{ include \"d\" .deep }}{{ $x }}", "!1"),
    ("{{ include \"later\" . }}{{ define \"later\" }}L{{ end }}", "L"),
]

# Template, a part of the error.
REFUSED = [
    ("a\n{{ .nothing }}", "t:2: the value to print is not set"), ("{{ .missing }}", "not set"),
    ("{{ .missing.deeper }}", "nil pointer: .deeper"), ("{{ .a.b }}", ".b of string"), ("{{ .list }}", "use toYaml"),
    ("{{ .big }}", "use int64"), ("\n\n{{ nope 1 }}", "t:3: function 'nope' is not known"), ("{{ lookup \"v1\" }}", "'lookup'"),
    ("{{ tpl \"x\" . }}", "'tpl'"), ("{{ if .a }}", "{{end}} is missing"), ("{{ end }}", "unexpected {{end}}"),
    ("{{ else }}", "unexpected {{else}}"), ("{{ if .a }}{{ else }}{{ else }}{{ end }}", "unexpected {{else}}"),
    ("{{ with .a }}{{ else with .b }}{{ end }}", "only {{else}}"), ("{{ $y }}", "undefined variable $y"),
    ("{{ $y = 1 }}", "undefined variable $y"), ("{{ if true }}{{ $y := 1 }}{{ end }}{{ $y }}", "undefined variable $y"),
    ("{{ define \"d\" }}{{ $o }}{{ end }}", "undefined variable $o"), ("{{ .a", "unclosed action"), ("{{ }}", "missing value"),
    ("{{ \"a }}", "unterminated string"), ("{{ .a | \"b\" }}", "only a function"), ("{{ .a \"b\" }}", "given arguments"),
    ("{{ (.a }}", "not closed"), ("{{ printf(\"x\") }}", "unexpected '('"), ("{{ eq .a lower }}", "needs parentheses"),
    ("{{ template \"no\" . }}", "no template 'no'"), ("{{ include \"no\" . }}", "no template 'no'"),
    ("{{ define \"d\" }}{{ end }}{{ define \"d\" }}{{ end }}", "defined twice"), ("{{ block \"b\" . }}{{ end }}", "not supported"),
    ("{{ range .list }}{{ break }}{{ end }}", "not supported"), ("{{ range .a }}{{ end }}", "can't iterate"),
    ("{{ range .n }}{{ end }}", "can't iterate"), ("{{ 1.5 }}", "whole numbers"), ("{{ 0x10 }}", "whole numbers"),
    ("{{ .a ! }}", "unexpected '!"), ("{{/* open }}", "comment"), ("{{ /* spaced */ }}", "unexpected '/*"),
    ("{{ eq .n 3 }}", "incompatible types"), ("{{ eq .nothing \"a\" }}", "invalid type"), ("{{ eq .map .map }}", "invalid type"),
    ("{{ gt .a 1 }}", "incompatible types"), ("{{ printf \"%d\" .n }}", "%d"), ("{{ printf \"%s\" .n }}", "wants a text"),
    ("{{ printf \"%s\" }}", "too few"), ("{{ printf \"x\" 1 }}", "too many"), ("{{ printf \"%x\" 1 }}", "%x"),
    ("{{ kindIs \"uint8\" .n }}", "not supported"), ("{{ fromYaml \"- a\" }}", "a map"), ("{{ fromYaml \"{\" }}", "fromYaml"),
    ("{{ merge (dict) (dict \"a\" (dict)) }}", "a map in a map"), ("{{ quote .nothing }}", "not set"), ("{{ int \"x\" }}", "no number"), ("{{ required \"say it\" .nothing }}", "say it"),
    ("{{ required \"say it\" .empty }}", "say it"), ("{{ fail \"no way\" }}", "t:1: fail: no way"), ("{{ dict \"a\" }}", "odd"),
    ("{{ index .list 2 }}", "out of range"), ("{{ lower }}", "wrong arguments"), ("{{ indent 2 .nothing }}", "wants a text"),
    ("{{ define \"d\" }}{{ include \"d\" . }}{{ end }}{{ include \"d\" . }}", "without end"),
    ("{{ semverCompare \"~1.2\" \"1.2.3\" }}", "not supported"), ("{{ and .a .a.b }}", ".b of string"),
]

# Function call, result.
CALLED = [
    ("eq .a \"A\"", "true"), ("eq .a \"x\" \"A\"", "true"), ("ne .a \"A\"", "false"), ("lt 1 2", "true"), ("le 2 2", "true"),
    ("gt (int .n) 2", "true"), ("ge 1 2", "false"), ("and .a .no", "false"), ("and .a \"b\"", "b"), ("or .empty \"b\"", "b"),
    ("not .empty", "true"), ("empty .none", "true"), ("default \"d\" .empty", "d"), (".zero | default 7", "7"),
    (".a | default \"d\"", "A"), (".nothing | default \"d\"", "d"), ("ternary \"y\" \"n\" .yes", "y"), (".no | ternary \"y\" \"n\"", "n"),
    ("quote .a", '"A"'), ("quote .n", '"3"'), ("squote .a", "'A'"), ("quote \"a\\\"b\"", '"a\\"b"'), ("quote .yes", '"true"'),
    ("toYaml .map", 'a: "1"\nb: "2"'), ("toYaml .none", "[]"), ("dict | toYaml", "{}"), ("toYaml .list", '- x\n- "y"'),
    ("toYaml .deep", 'er:\n  est: "!"'), ("indent 2 \"a\\nb\"", "  a\n  b"), ("nindent 2 \"a\"", "\n  a"),
    ("list \"a\" \"b\" | join \",\"", "a,b"), ("hasKey .map \"a\"", "true"), ("hasKey .map \"z\"", "false"), ("index .map \"a\"", "1"),
    ("len .list", "2"), ("trunc 2 \"abc\"", "ab"), ("trimSuffix \"-\" \"a-\"", "a"), ("trimPrefix \"v\" \"v1\"", "1"),
    ("replace \"+\" \"_\" \"a+b\"", "a_b"), ("lower \"aB\"", "ab"), ("upper \"aB\"", "AB"), ("trim \" a \"", "a"),
    ("b64enc \"hi\"", "aGk="), ("int \"12\"", "12"), ("int64 .big", "1000000"), ("toString .n", "3"), ("contains \"b\" \"abc\"", "true"),
    ("int .nothing", "0"), ("fromYaml \"a: b\" | toYaml", "a: b"), ("fromYaml \"\" | toYaml", "{}"),
    ("merge (dict) (dict \"a\" \"1\" \"b\" \"\") (dict \"a\" \"2\" \"b\" \"3\" \"c\" \"4\") | toYaml", 'a: "1"\nb: "3"\nc: "4"'),
    ("kindIs \"map\" .map", "true"), ("kindIs \"invalid\" .nothing", "true"), ("kindIs \"invalid\" .zero", "false"),
    ("kindIs \"float64\" .n", "true"), ("printf \"%s=%d%%%v%q\" \"a\" 1 true \"x\"", 'a=1%true"x"'),
    ("semverCompare \">=1.21-0\" \"v1.21.0\"", "true"), ("semverCompare \">=1.21-0\" \"v1.20.15\"", "false"),
    ("semverCompare \">=1.21-0\" \"v1.27.3-gke.100\"", "true"), ("semverCompare \"<1.25-0\" \"v1.24.9\"", "true"),
    ("randAlphaNum 5 | len", "5"),
]


class Template(unittest.TestCase):
    def test_what_is_printed(self):
        for text, expected in PRINTED:
            with self.subTest(text):
                self.assertEqual(render(text), expected)

    def test_what_is_refused(self):
        for text, expected in REFUSED:
            with self.subTest(text):
                with self.assertRaises(g.TemplateError) as caught:
                    render(text)
                self.assertIn(expected, str(caught.exception))
                self.assertRegex(str(caught.exception), r"^t(:\d+)?: ")

    def test_functions(self):
        for text, expected in CALLED:
            with self.subTest(text):
                self.assertEqual(render("{{ " + text + " }}"), expected)

    def test_an_error_names_the_line_of_the_action(self):
        with self.assertRaises(g.TemplateError) as caught:
            render("one\n{{ if .a }}\n\n  {{ .nothing }}\n{{ end }}")
        self.assertTrue(str(caught.exception).startswith("t:4: "), caught.exception)

    def test_templates_of_other_files_are_known(self):
        self.assertEqual(render("{{ include \"x\" . }}", other="{{ define \"x\" }}from {{ .a }}{{ end }}"), "from A")

    def test_a_template_is_defined_once_in_all_files(self):
        with self.assertRaises(g.TemplateError) as caught:
            render("{{ define \"x\" }}{{ end }}", other="{{ define \"x\" }}{{ end }}")
        self.assertIn("'x' is defined twice", str(caught.exception))

    def test_text_that_looks_like_something_else_is_quoted_in_yaml(self):
        for text in ("true", "yes", "null", "1", "1.5", "0x1f", "1e3", "~", "", "a: b", "- a", "# a", "{a", "*a", "2020-01-01",
                     "a #b", " a", "100m", "!x", "a\nb", "a\n", " a\nb", "%x", "@x", "a:", "0o7", "1:20"):
            with self.subTest(text):
                self.assertEqual(h.load_yaml(h.dump_yaml({"k": [text]}), "x"), {"k": [text]})


if __name__ == "__main__":
    unittest.main()
