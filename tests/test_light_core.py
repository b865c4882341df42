"""The core stays light: what it imports, how fast, and that it reaches for nothing."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "torch transformers sklearn pandas scipy datasets pyarrow matplotlib accelerate evaluate"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_brings_nothing_and_prints_nothing() -> None:
    out = _python(
        "import sys; before = set(sys.modules); import fimi_nlp;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    assert out.strip() == "['fimi_nlp']"


def test_tagging_brings_no_heavy_module() -> None:
    out = _python(
        "import sys, fimi_nlp as fn; t = fn.load();"
        "t.tag('NATO has provoked this war.'); t.tag('Das ist ein deutscher Satz.'); t.embed(['x y z']);"
        "t.explain('NATO has provoked this war.').to_html();"
        f"print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    )
    assert out.strip() == "[]"


def test_the_command_line_brings_no_heavy_module() -> None:
    out = _python(
        "import sys; sys.argv = ['fimi-nlp', 'tag', 'NATO has provoked this war.'];"
        "from fimi_nlp.cli import app\n"
        "app(standalone_mode=False)\n"
        f"print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    )
    assert out.strip().endswith("[]")


def test_no_network_is_asked_for() -> None:
    _python(
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import fimi_nlp as fn; fn.load().tag('NATO has provoked this war.')"
    )


def test_importing_and_tagging_change_no_global_state() -> None:
    _python(
        # numpy sets warning filters of its own when it is imported: ours come after it.
        "import os, warnings, logging, locale, signal, numpy, onnxruntime, tokenizers, fasttext\n"
        "def state(): return (dict(os.environ), list(warnings.filters), logging.getLogger().level,\n"
        "  list(logging.getLogger().handlers), locale.getlocale(), signal.getsignal(signal.SIGINT), os.getcwd())\n"
        "before = state()\n"
        "import fimi_nlp as fn; fn.load().tag('NATO has provoked this war.')\n"
        "assert state() == before"
    )


def test_a_missing_extra_names_the_command() -> None:
    out = _python(
        "import sys; sys.modules['torch'] = None\n"
        "import fimi_nlp as fn\n"
        "try: fn.train\n"
        "except ImportError as error: print(error)"
    )
    assert 'pip install "fimi-nlp[train]"' in out


def test_every_public_name_is_there_or_names_its_extra() -> None:
    import fimi_nlp as fn
    from fimi_nlp.errors import MissingExtraError

    for name in fn.__all__:
        try:
            assert getattr(fn, name) is not None
        except MissingExtraError as error:
            assert name in {"train", "evaluate"}
            assert "pip install" in str(error)
    assert set(fn.__all__) <= set(dir(fn))
