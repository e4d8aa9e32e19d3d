"""The text of `list --where`, such as `state=failed and optim.lr>1e-3`, read."""

import re

from nemorun_cli.core.conditions import NULLS, Comparison, Expression, Joined, Negation
from nemorun_cli.core.durations import moment
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.fieldnames import NUMBERS, TIMES
from nemorun_cli.core.fields import EXAMPLES, Kind, Name, like, name_of
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.metrics import number

_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])|(?P<sign>!=|<=|>=|==|[=<>~])"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<word>(?:[^\s()\[\]=<>~!"']|\[(?:[^\[\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*\])+))""",
    re.DOTALL,
)
_SIGNS = "= != < <= > >= ~"
_ESCAPED = re.compile(r"\\([\\\"'])")


def parse(text: str, *, now: float) -> Expression:
    """The expression; UsageError with one problem that points into the text."""
    parser = _Parser(text, now)
    found = parser.joined("or", 0)
    if parser.piece:
        raise parser.wrong("expects `and` or `or`")
    return found


class _Parser:
    """One token at a time; `piece` is empty at the end."""

    def __init__(self, text: str, now: float) -> None:
        self.text, self.now = text, now
        self.kind, self.piece, self.start, self.end = "", "", 0, 0
        self.next()

    def next(self) -> None:
        """Go on to the next token."""
        found = _TOKEN.match(self.text, self.end)
        if found is None:
            self.start = len(self.text) - len(self.text[self.end :].lstrip())
            self.kind, self.piece, self.end = "", "", len(self.text)
            if self.start < self.end:
                self.end = self.start + 1
                sign = self.text[self.start]
                raise self.wrong("this quote is not closed" if sign in "\"'" else "means nothing")
            return
        self.kind = found.lastgroup or ""
        self.piece = found.group(self.kind)
        self.start, self.end = found.span(self.kind)

    def joined(self, word: str, depth: int) -> Expression:
        """Comparisons with `or`, or with `and`, between them."""
        parts = [self._part(word, depth)]
        while self._is(word):
            self.next()
            parts.append(self._part(word, depth))
        return parts[0] if len(parts) == 1 else Joined(word=word, parts=tuple(parts))

    def _part(self, word: str, depth: int) -> Expression:
        if word == "or":
            return self.joined("and", depth)
        if depth > _DEEPEST:
            raise self.wrong("this is nested too deeply")
        if self._is("not"):
            self.next()
            return Negation(inner=self._part(word, depth + 1))
        if self.piece != "(" or self.kind != "bracket":
            return self._comparison()
        self.next()
        inner = self.joined("or", depth + 1)
        if self.piece != ")":
            raise self.wrong("expects `)`")
        self.next()
        return inner

    def _comparison(self) -> Comparison:
        if self.kind != "word":
            raise self.wrong("expects a name", hint=EXAMPLES)
        name, start, end = self._name(), self.start, self.end
        self.next()
        if self.kind != "sign":
            raise self.wrong(f"expects one of {_SIGNS}")
        sign = "=" if self.piece == "==" else self.piece
        self.next()
        if self.kind not in ("word", "quoted"):
            raise self.wrong("expects a value", hint="put text with spaces or signs in quotes")
        quoted = self.kind == "quoted"
        text = _ESCAPED.sub(r"\1", self.piece[1:-1]) if quoted else self.piece
        null = not quoted and text.lower() in NULLS
        if null and sign not in ("=", "!="):
            raise self.wrong(f"{text} is compared with = or != alone")
        if name.kind is Kind.FIELD and name.text in NUMBERS and not (quoted or null):
            self._number(text)
        is_field = name.kind is Kind.FIELD and not null
        found = Comparison(
            name=name,
            sign=sign,
            text=self._state(text, sign) if is_field and name.text == "state" else text,
            quoted=quoted,
            time=self._time(text) if is_field and name.text in TIMES else None,
            start=start,
            end=end,
        )
        self.next()
        return found

    def _name(self) -> Name:
        try:
            return name_of(self.piece)
        except UsageError as error:
            raise self.wrong("this is no name", hint=error.hint) from None

    def _state(self, text: str, sign: str) -> str:
        states = [state.value for state in JobState if state is not JobState.UNKNOWN]
        if sign != "~" and text.upper() not in states:
            raise self.wrong(f"no state named {text!r}", hint=like(text.upper(), states).lower())
        return text.upper()

    def _number(self, text: str) -> None:
        if number(text) is None:
            raise self.wrong(f"expects a number, got {text!r}")

    def _time(self, text: str) -> float:
        try:
            return moment(text, now=self.now)
        except ValueError as error:
            raise self.wrong(str(error)) from None

    def _is(self, word: str) -> bool:
        return self.kind == "word" and self.piece.lower() == word

    def wrong(self, message: str, hint: str = "") -> UsageError:
        """The error that points at the token."""
        start, end = self.start, max(self.end, self.start + 1)
        problem = Problem(message=message, text=self.text, start=start, end=end, hint=hint)
        told = f"cannot read {self.text!r}: {message}"
        return UsageError(told, hint=hint, problems=(problem,))
