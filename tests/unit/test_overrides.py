"""What arguments such as `optim.lr=3e-4` ask for."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import Override, Selector, Step, format, parse  # noqa: A004


def path(*steps: str | int | Step) -> tuple[Step, ...]:
    return tuple(step if isinstance(step, Step) else Step(name=step) for step in steps)


def key(text: str) -> Step:
    return Step(name=text, literal=True)


@pytest.mark.parametrize(
    ("argument", "steps", "operation", "text"),
    [
        ("a=1", path("a"), "=", "1"),
        ("a.b.c=1", path("a", "b", "c"), "=", "1"),
        ("a=", path("a"), "=", ""),
        ("a==b", path("a"), "=", "=b"),
        ("a=x\ny = $(z)", path("a"), "=", "x\ny = $(z)"),
        ("a[0].b=x", path("a", 0, "b"), "=", "x"),
        ("a[-1]=x", path("a", -1), "=", "x"),
        ("a.-1=x", path("a", -1), "=", "x"),
        ("a.0.b=x", path("a", 0, "b"), "=", "x"),
        ("d.my-key=v", path("d", "my-key"), "=", "v"),
        ('d["a.b"]=v', path("d", key("a.b")), "=", "v"),
        ("d['a\"b']=v", path("d", key('a"b')), "=", "v"),
        ('d["a\\"\\\\b"]=v', path("d", key('a"\\b')), "=", "v"),
        ('d["a=b"]+=v', path("d", key("a=b")), "+=", "v"),
        ("d[key]=v", path("d", key("key")), "=", "v"),
        ('d["0"]=v', path("d", key("0")), "=", "v"),
        ("tags+=x", path("tags"), "+=", "x"),
        ("tags-=x", path("tags"), "-=", "x"),
        ("a=-1", path("a"), "=", "-1"),
        ("a[0][1]=2", path("a", 0, 1), "=", "2"),
        ("[0].lr=2", path(0, "lr"), "=", "2"),
        ('["a.b"]=2', path(key("a.b")), "=", "2"),
        ("~a.b", path("a", "b"), "~", ""),
        ("größe=1", path("größe"), "=", "1"),
        ("run_name=x", path("run_name"), "=", "x"),
    ],
)
def test_an_argument_is_a_path_an_operation_and_a_text(
    argument: str, steps: tuple[Step, ...], operation: str, text: str
) -> None:
    override = parse(argument)

    assert override == Override(path=steps, operation=operation, text=text)
    assert override.argument[override.value_start :] == text


@pytest.mark.parametrize(
    ("argument", "selector", "steps", "operation"),
    [
        ("@Rate=1", Selector(name="Rate", by_tag=True), (), "="),
        ("@Rate+=1", Selector(name="Rate", by_tag=True), (), "+="),
        ("~@Rate", Selector(name="Rate", by_tag=True), (), "~"),
        ("Adam:lr=1", Selector(name="Adam", by_tag=False), path("lr"), "="),
        (
            "Outer.Inner:a[0].b-=1",
            Selector(name="Outer.Inner", by_tag=False),
            path("a", 0, "b"),
            "-=",
        ),
        ("~Adam:lr", Selector(name="Adam", by_tag=False), path("lr"), "~"),
    ],
)
def test_a_tag_or_a_class_selects(
    argument: str, selector: Selector, steps: tuple[Step, ...], operation: str
) -> None:
    override = parse(argument)

    assert (override.selector, override.path, override.operation) == (selector, steps, operation)
    assert format(override) == argument


@pytest.mark.parametrize(
    ("argument", "start", "message"),
    [
        ("", 0, "expects the name of a field"),
        ("optim.lr", 8, "expects PATH=VALUE"),
        ("=1", 0, "expects the name of a field"),
        ("a..b=1", 2, "expects the name of a field"),
        ("a.=1", 2, "expects the name of a field"),
        ("a =1", 0, "expects the name of a field"),
        ("a[=1", 1, "expects '[0]' or '[\"key\"]'"),
        ("a[]=1", 1, "expects '[0]' or '[\"key\"]'"),
        ("[=1", 0, "expects '[0]' or '[\"key\"]'"),
        ("0=1", 0, "a path begins with the name of a field"),
        ("~0", 1, "a path begins with the name of a field"),
        ("Adam:0=1", 5, "a path begins with the name of a field"),
        ("a[0]b=1", 4, "expects PATH=VALUE"),
        ("~a=1", 2, "'~path' takes no value"),
        ("-=1", 0, "expects the name of a field"),
        ("d.x-.y=1", 2, "expects the name of a field"),
        ("@=1", 0, "expects the name of a field"),
        ("@Lr.=1", 3, "expects PATH=VALUE"),
        ("@Lr", 3, "expects PATH=VALUE"),
        ("Adam:=1", 5, "expects the name of a field"),
        ("a.b:c:d=1", 4, "expects the name of a field"),
        ("--nodes", 7, "expects PATH=VALUE"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(argument: str, start: int, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(argument)

    (problem,) = raised.value.problems
    assert (problem.text, problem.start, problem.message) == (argument, start, message)
    assert problem.end <= len(argument) or problem.start == 0


def test_steps_know_where_they_were_typed() -> None:
    override = parse('model["a"].b[10]=1')

    spans = [override.argument[step.start : step.end] for step in override.path]

    assert spans == ["model", '"a"', "b", "10"]


NAMES = st.text(min_size=1, max_size=6).map(lambda name: Step(name=name, literal=True))
FIELDS = st.from_regex(r"[a-z_][a-z0-9_-]{0,5}[a-z0-9_]", fullmatch=True).map(
    lambda name: Step(name=name)
)
INDICES = st.integers(-99, 99).map(lambda index: Step(name=index))
OVERRIDES = st.builds(
    lambda first, rest, operation, text, selector: Override(
        path=() if selector is not None and selector.by_tag else (first, *rest),
        operation=operation,
        text="" if operation == "~" else text,
        selector=selector,
    ),
    NAMES | FIELDS | INDICES,
    st.lists(NAMES | FIELDS | INDICES, max_size=4),
    st.sampled_from(["=", "+=", "-=", "~"]),
    st.text(max_size=12),
    st.none()
    | st.builds(
        lambda name, by_tag: Selector(name=name, by_tag=by_tag),
        st.from_regex(r"[A-Za-z_]\w{0,5}(\.[a-z]\w{0,3})?", fullmatch=True),
        st.booleans(),
    ),
)


@given(OVERRIDES)
def test_what_is_written_is_read_back(override: Override) -> None:
    assert parse(format(override)) == override


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(argument: str) -> None:
    override = None
    with contextlib.suppress(UsageError):
        override = parse(argument)

    assert override is None or parse(format(override)) == override
