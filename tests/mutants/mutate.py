"""Mutants of a C file: each differs from it in one small thing that decides.

    mutants_of("src/oauth/scope.c", text) -> [Mutant, …]

A tokenizer is enough: nothing here knows types. What does not compile, or compiles to the same, is dropped later.
"""
import collections
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<blank>\s+ | /\*.*?\*/ | //[^\n]*)
  | (?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
  | (?P<text>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d[\d.]*)[uUlL]*)
  | (?P<word>\w+)
  | (?P<sign><<=|>>=|->|\+\+|--|<<|>>|&&|\|\||[<>=!+\-*/%&|^]=|.)
""", re.S | re.M | re.X)

SWAPS = {"&&": "||", "||": "&&", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
         "true": "false", "false": "true"}
OPENS = {"(": ")", "[": "]", "{": "}"}
DEFINE = re.compile(r"#define\s+\w+\s+(\d+)[uUlL]*\b")


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: str
    function: str  # "" of a #define
    line: int
    before: str  # the line, and what it becomes
    after: str
    number: int  # which of several that read alike
    source: str = dataclasses.field(repr=False, compare=False)

    @property
    def name(self):
        """The same as long as its line is: it stands in alive.txt."""
        return "%s %s%s: %s => %s" % (self.path, self.function or "#define", " #%d" % self.number if self.number > 1 else "",
                                      self.before, self.after)


Token = collections.namedtuple("Token", "kind text start end")


def tokens_of(text):
    return [Token(match.lastgroup, match.group(), *match.span()) for match in TOKEN.finditer(text)
            if match.lastgroup != "blank"]


def pairs_of(tokens):
    """Where each bracket closes."""
    pairs, stack = {}, []
    for at, token in enumerate(tokens):
        if token.kind == "sign" and token.text in OPENS:
            stack.append(at)
        elif token.kind == "sign" and stack and token.text == OPENS[tokens[stack[-1]].text]:
            pairs[stack.pop()] = at
    return pairs


def functions_of(tokens, pairs):
    """(name, first token, last token) of each body."""
    at = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            if tokens[at - 1].text == ")":
                opening = next(begin for begin, end in pairs.items() if end == at - 1)
                yield tokens[opening - 1].text, at, pairs[at]
            at = pairs[at]
        at += 1


def swapped_arms(tokens, pairs, at):
    """(start, end, replacement) of `? a : b` at this question mark."""
    colon, deep = at + 1, 0
    while deep or tokens[colon].text != ":":
        deep += {"?": 1, ":": -1}.get(tokens[colon].text, 0)
        colon = pairs.get(colon, colon) + 1
    end = colon + 1
    while tokens[end].text not in (",", ";", ")", "]", "}"):
        end = pairs.get(end, end) + 1
    return at + 1, colon, colon + 1, end - 1


def changes_of(text, tokens, pairs, first, last):
    """(start, end, replacement) of each change within one body."""
    depth = 0
    for at in range(first, last):
        token, before, after = tokens[at], tokens[at - 1], tokens[at + 1]
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        starts = before.text in ("{", "}", ";")
        if token.kind in ("sign", "word") and token.text in SWAPS:
            yield token.start, token.end, SWAPS[token.text]
        elif token.kind == "number" and token.text[0].isdigit() and "." not in token.text:
            yield token.start, token.end, "(%s + 1)" % token.text
        elif token.text in ("if", "while") and after.text == "(":
            yield after.start, tokens[pairs[at + 1]].end, "(!%s)" % text[after.start:tokens[pairs[at + 1]].end]
        elif token.text == "!" and token.kind == "sign":
            yield token.start, token.end, ""
        elif token.text == "?":
            a, b, c, d = swapped_arms(tokens, pairs, at)
            one, two = text[tokens[a].start:tokens[b].start].rstrip(), text[tokens[c].start:tokens[d].end]
            yield tokens[a].start, tokens[d].end, "%s : %s" % (two, one)
        elif token.text == "return" and depth > 1:
            end = next(i for i in range(at, last) if tokens[i].text == ";")
            yield token.start, tokens[end].end, ";"
        elif starts and token.kind == "word" and after.text == "(" and tokens[pairs[at + 1] + 1].text == ";":
            yield token.start, tokens[pairs[at + 1] + 1].end, ";"


def flat(text):
    return " ".join(text.split())


def mutant_of(path, text, function, change, seen):
    start, end, replacement = change
    # as many lines as before: line numbers stay
    replacement += "\n" * (text[start:end].count("\n") - replacement.count("\n"))
    head, tail = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    before, after = flat(text[head:tail]), flat(text[head:start] + replacement + text[end:tail])
    seen[function, before, after] += 1
    return Mutant(path, function, text.count("\n", 0, start) + 1, before, after, seen[function, before, after],
                  text[:start] + replacement + text[end:])


def mutants_of(path, text):
    tokens, seen = tokens_of(text), collections.Counter()
    pairs = pairs_of(tokens)
    mutants = [mutant_of(path, text, "", (match.start(1), match.end(1), str(int(match[1]) + 1)), seen)
               for match in DEFINE.finditer(text)]
    for function, first, last in functions_of(tokens, pairs):
        mutants += [mutant_of(path, text, function, change, seen)
                    for change in changes_of(text, tokens, pairs, first, last)]
    return mutants
