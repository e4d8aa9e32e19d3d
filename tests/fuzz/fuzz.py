"""Feeds rubbish to the override language for a while: `make fuzz`, for FUZZ_SECONDS.

Whatever is read, the answer is a value or a UsageError; no module is imported, nothing is called.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli.config.document import to_document
from nemorun_cli.config.render import lines, to_yaml
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import format, parse  # noqa: A004
from tests.unit.config import corpus_types, parts, test_corpus

SIGNS = "[](){}:,='\"!&*?|><%@`#~$+-._ \n\r\t\0ab01e\u00e9\u2028\x85\ufeff\\/"
WORDS = """
    _target_ _type_ _ref_ _id_ _kind_ _args_ _tags_ value os:system tests.fuzz.fuzz:canary import
    enum bytes dict float datetime partial adamw sgd() adamw(lr=1) model( none true 1e400 0x - << &a
    *a !!python/name:os.system !!set --- ... @ @@ @Rate AdamW:lr optim model steps lr layers table
    callback tags width [0] tests.unit.config.parts:AdamW tests.unit.config.parts:Color.RED
"""
TOKENS = st.sampled_from([*WORDS.split(), "\ud800", "9" * 400])
TEXT = st.one_of(
    st.text(max_size=40),
    st.text(SIGNS, max_size=60),
    st.lists(TOKENS | st.sampled_from(list(SIGNS)), max_size=24).map("".join),
    st.lists(TOKENS | st.sampled_from(list(SIGNS)), max_size=24).map(" ".join),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TOKENS | st.text(max_size=8)
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TOKENS, inner, max_size=5),
    max_leaves=20,
)
NAMED = st.sampled_from(
    [f"tests.unit.config.parts:{each}" for each in ("AdamW", "Model", "train", "Color", "nope")]
)
FORMS = st.fixed_dictionaries(
    {"_target_": NAMED},
    optional={
        "_kind_": TOKENS | st.sampled_from(["config", "partial", "arg_factory"]),
        "_args_": DATA | st.lists(DATA, max_size=5),
        "_tags_": DATA | st.dictionaries(st.sampled_from(["lr", "0", "9"]), DATA, max_size=2),
        "_id_": LEAVES,
        "lr": DATA,
        "width": DATA,
    },
) | st.fixed_dictionaries({"_type_": TOKENS, "value": DATA}, optional={"_id_": LEAVES})
PLACES = """
    steps optim optim.lr optim.betas optim.betas[0] model model.layers model.layers[0] model.color
    model.name tags table table.inner.x table.a callback callback.lr extra @Rate AdamW:lr
    Model:layers unknown nope
"""
PATHS = st.sampled_from(PLACES.split())
OVERRIDES = st.builds(
    "{}{}{}".format, PATHS, st.sampled_from(["=", "+=", "-="]), TEXT | DATA.map(repr)
) | PATHS.map("~{}".format)


def canary(*_: Any, **__: Any) -> None:
    """What nothing may ever call."""
    sys.stderr.write("the canary was called\n")
    os._exit(3)


def read(arguments: list[str]) -> None:
    """Apply arguments to a config; what they make can be shown and written."""
    try:
        made = parts.apply(parts.config(), arguments, cwd=Path("/nonexistent"))
        document = to_document(made)
    except UsageError:
        return
    list(lines(document))
    to_yaml(document)


def fuzz_parser(text: str) -> None:
    """Any text is an override, or is refused."""
    try:
        override = parse(text)
    except UsageError:
        return
    assert parse(format(override)) == override


def fuzz_types(name: str, field: int, text: str) -> None:
    """Any text fits a type of the corpus, or is refused."""
    fields = list(getattr(corpus_types, name).__annotations__)
    list(test_corpus.outcome(name, [f"{fields[field % len(fields)]}={text}"]))


def fuzz_files(suffix: str, raw: bytes) -> None:
    """Any bytes are a file of overrides, or are refused."""
    with TemporaryDirectory() as folder:
        (Path(folder) / f"f{suffix}").write_bytes(raw)
        try:
            parts.apply(parts.config(), [], [f"f{suffix}"], Path(folder))
        except UsageError:
            return


def fuzz_documents(data: Any) -> None:
    """Any data is a stored config, or is refused."""
    import json

    fuzz_files(".json", json.dumps(data).encode("utf-8", "surrogatepass"))


TARGETS: list[tuple[Callable[..., None], dict[str, st.SearchStrategy[Any]]]] = [
    (fuzz_parser, {"text": TEXT}),
    (read, {"arguments": st.lists(OVERRIDES | TEXT, max_size=6)}),
    (
        fuzz_types,
        {
            "name": st.sampled_from(
                ["numbers", "texts", "choices", "containers", "times", "parts", "strange"]
            ),
            "field": st.integers(0, 60),
            "text": TEXT | DATA.map(repr),
        },
    ),
    (
        fuzz_files,
        {
            "suffix": st.sampled_from([".yaml", ".json", ".toml", ""]),
            "raw": st.binary(max_size=200)
            | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass"))
            | st.builds("{}: {}".format, PATHS, TEXT).map(
                lambda text: text.encode("utf-8", "surrogatepass")
            ),
        },
    ),
    (
        fuzz_documents,
        {"data": DATA | FORMS | st.dictionaries(PATHS | TOKENS, DATA | FORMS, max_size=6)},
    ),
]


def run(examples: int) -> None:
    """So many examples of each kind; AssertionError if a module was imported meanwhile."""
    read(["steps=1", "nope=1", "callback=[1", "table={a: {b: 1}}", "steps=@~nobody/x"])
    fuzz_files(".toml", b"a = 1")
    fuzz_files(".yaml", b"a: [1")
    before = set(sys.modules)
    for target, strategies in TARGETS:
        quiet = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        quiet(given(**strategies)(target))()
    mine = ("hypothesis", "yaml", "_pytest", "pytest", "encodings", "difflib", "unicodedata")
    new = {name for name in set(sys.modules) - before if not name.startswith(mine)}
    assert not new, new


def main() -> None:
    """Fuzz until the time is up."""
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "60"))
    rounds = 0
    while time.monotonic() < end:
        run(2000)
        rounds += 1
        sys.stdout.write(f"{rounds * 2000 * len(TARGETS)} cases\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
