"""Fills in many languages, as a model says them and as they are suggested."""

from __future__ import annotations

import pytest

from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.text.ending import ending_in, line_ending
from model_runtime.text.one_line import as_meant
from model_runtime.text.reconcile import reconciled
from model_runtime.text.syntax import syntax_of

DOCUMENTED = '"""Sums.\n\nIt isn\'t (much'
#: Language, file with the cursor as `|`, what the model says, what is suggested (None: all of it).
CASES = [
    # Closed by the editor.
    ("python", "print(f'|')\n", "{name}')", "{name}"),
    ("python", "x = {'a': '|'}\n", "b'}", "b"),
    ("python", 'x = f"{a[|]}"\n', '0]}"', "0"),
    ("python", "'''|'''\n", "Sums.'''", "Sums."),
    ("python", "r'|'\n", "\\d+'", "\\d+"),
    ("python", "x = [f(|)]\n", "a, b)]", "a, b"),
    ("python", "x = f(|\n", "a, b)", None),
    ("javascript", "const s = `a ${|}`;\n", "name}`;", "name"),
    ("javascript", "f(() => {\n  |\n});\n", "x();\n});", "x();"),
    ("javascriptreact", "return <p>{|}</p>;\n", "name}</p>;", "name"),
    ("javascriptreact", "return (\n  <p>|</p>\n);\n", "Hello</p>", "Hello"),
    ("typescript", "const a: Array<|> = [];\n", "string> = [];", "string"),
    ("typescript", "type A = {\n  |\n};\n", "name: string;\n};\n\ntype B", "name: string;"),
    ("rust", 'println!("|");\n', 'hello {}", x);', "hello {}"),
    ("rust", "fn f<|>(a: T) {}\n", "T>(a: T) {}", "T"),
    ("rust", "let a: Vec<|> = vec![];\n", "u8> = vec![];", "u8"),
    ("rust", "match a {\n    |\n}\n", "Some(b) => b,\n    None => 0,\n}",
     "Some(b) => b,\n    None => 0,"),
    ("rust", "fn f<'a>(x: &'a str) {\n    |\n}\n", "g(x);\n}", "g(x);"),
    ("go", "if err != nil {\n\t|\n}\n", "return err\n}\n\nreturn nil", "return err"),
    ("go", "x := map[string]int{|}\n", '"a": 1}', '"a": 1'),
    ("go", "s := `|`\n", "raw`", "raw"),
    ("c", 'printf("|");\n', 'a\\n");', "a\\n"),
    ("c", "char c = '|';\n", "a';", "a"),
    ("c", "#include <|>\n", "stdio.h>", "stdio.h"),
    ("cpp", "std::vector<|> v;\n", "int> v;", "int"),
    ("cpp", "for (int i = 0; |) {\n}\n", "i < n; i++) {", "i < n; i++"),
    ("java", "List<|> names = x;\n", "String> names = x;", "String"),
    ("lua", "local t = {|}\n", "1, 2}", "1, 2"),
    ("lua", "if a then\n  |\nend\n", "b()\nend", "b()"),
    ("lua", "foo(function()\n  |\nend)\n", "b()\nend)", "b()"),
    ("shellscript", "for f in *; do\n  |\ndone\n", 'echo "$f"\ndone', 'echo "$f"'),
    ("shellscript", 'x="$(|)"\n', 'pwd)"', "pwd"),
    ("shellscript", 'case "$1" in\n  a)\n    |\n    ;;\nesac\n', "echo a\n    ;;\nesac", "echo a"),
    ("ruby", "items.each do |one|\n  \x00\nend\n", "puts one\nend", "puts one"),
    ("ruby", 'puts "a #{|}"\n', 'name}"', "name"),
    ("json", '{"a": [|]}\n', "1, 2]}", "1, 2"),
    ("json", '{\n  "a": "|"\n}\n', 'b",\n  "c": 1', "b"),
    ("yaml", 'name: "|"\n', 'x"\nother: 1', "x"),
    ("html", '<a href="|">x</a>\n', 'y.html">x</a>', "y.html"),
    ("html", "<ul>\n  |\n</ul>\n", "<li>a</li>\n</ul>", "<li>a</li>"),
    ("css", "a {\n  |\n}\n", "color: red;\n}\n\nb {", "color: red;"),
    ("css", "a { color: |; }\n", "red; }", "red"),
    ("sql", "SELECT count(|) FROM a;\n", "*) FROM a;", "*"),
    ("sql", "SELECT * FROM a WHERE b = '|';\n", "x';", "x"),
    ("markdown", "See `|` there.\n", "make` there.", "make"),
    # Begun by the fill, and finished.
    ("python", "def f():\n    try:\n        |\n", "a()\n    except E:\n        b()\nc()",
     "a()\n    except E:\n        b()"),
    ("python", "match a:\n    case 1:\n        |\n", "b()\n    case _:\n        c()", None),
    ("python", "for a in b:\n    |\nelse:\n    c()\n", "d()\nelse:\n    c()", "d()"),
    ("python", "def f():\n    |", '"""Sums."""\n    return 1\n\nf()',
     '"""Sums."""\n    return 1'),
    ("javascript", "if (a) {\n  |\n", "b();\n} else {\n  c();\n}\n", None),
    ("javascript", "do {\n  |\n", "b();\n} while (c);", None),
    ("javascript", "try {\n  |\n", "b();\n} catch (e) {\n  c();\n} finally {\n  d();\n}", None),
    ("javascript", "try {\n  |\n}\n", "b();\n} catch (e) {\n  c();\n}",
     "b();\n} catch (e) {\n  c();"),
    ("java", "switch (a) {\n    case 1:\n        |\n",
     "b();\n        break;\n    default:\n        c();\n}", None),
    ("go", "switch a {\ncase 1:\n\t|\n", "b()\ncase 2:\n\tc()\ndefault:\n\td()\n}", None),
    ("rust", "if a {\n    |\n", "b()\n} else {\n    c()\n}", None),
    ("lua", "if a then\n  |\n", "b()\nelseif c then\n  d()\nelse\n  e()\nend", None),
    ("shellscript", "if a; then\n  |\n", "b\nelif c; then\n  d\nelse\n  e\nfi", None),
    ("shellscript", "case $a in\n  b)\n    |\n", "c\n    ;;\n  *)\n    d\n    ;;\nesac", None),
    ("ruby", "begin\n  |\n", "a\nrescue E\n  b\nensure\n  c\nend", None),
    ("c", "#ifdef A\nint f() {\n    |\n", "return 1;\n#else\n    return 2;\n#endif\n}", None),
    ("python", "x = 1\n# |\n", "the number of items\ny = 2", "the number of items"),
    ("python", f'def f():\n    {DOCUMENTED}|\n    """\n', ' at all.)\n    """\n    return 1',
     " at all.)"),
    # Inside of a word, and what the file goes on with.
    ("python", "print(to|tal)\n", "tal)", ""),
    ("javascript", "const use|Name = 1;\n", "r", "r"),
    ("go", "func f() {\n\tx := 1\n\t|\n\n\treturn x\n}\n", "y := 2\n\treturn x\n}", "y := 2"),
    ("yaml", "jobs:\n  a: 1\n  |\n  bcdef: 2\n", "c: 3\n  bcdef: 2", "c: 3"),
    ("sql", "CREATE TABLE a (\n  id int,\n  |\n  name text\n);\n", "age int,\n  name text\n);",
     "age int,"),
    ("make", "all: main\n\nmain: main.c\n\t|\n\nclean:\n\trm main\n",
     "cc -o main main.c\n\nclean:\n\trm main",
     "cc -o main main.c"),
    ("make", "all: |\n\nclean:\n\trm a\n", "main test", "main test"),
    ("dockerfile", "FROM a\n|\nCMD run\n", "COPY . .\nCMD run", "COPY . ."),
    # On and on.
    ("python", "x = [|\n", "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1", "1, 1, "),
    ("python", "FLAGS = {\n|", '    "a": True,\n    "b": True,\n    "c": True,\n', None),
    ("shellscript", "|", "echo a\necho a\necho a\necho a\n", "echo a\necho a"),
    ("markdown", "- a\n|", "- b\n- b\n- b\n- b\n", "- b\n- b"),
    ("python", 's = "👋|"\n', '🌍"', "🌍"),
    ("go", "func f() {\n\tif a {\n\t\t|\n\t}\n}\n", "b()\n\t}\n}", "b()"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "file", "said", "expected"), CASES)
def test_what_is_suggested(language: str, file: str, said: str, expected: str | None) -> None:
    """It goes on with what is there, says nothing again, and finishes what it begins."""
    prefix, suffix = file.split("\0" if "\0" in file else "|")
    asked = InfillRequest(
        id="r", language=language, prefix=prefix, suffix=suffix, spans=(MaskSpan(),)
    )
    syntax = syntax_of(language)
    is_line = as_meant(asked).spans[0].single_line
    found = (line_ending if is_line else ending_in)(prefix, suffix, syntax).find(said)
    text = said[: found[0]] if found else said
    assert reconciled(text, prefix, suffix, syntax) == (said if expected is None else expected)
