"""The command line, as a user's shell runs it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from conftest import CLAIM, EVENT

import fimi_nlp as fn

KEYS = {
    "id",
    "narratives",
    "stance",
    "origin",
    "confidence",
    "scores",
    "reason",
    "evidence",
    "language",
    "windows",
    "model",
}


def run(*args: str | Path, stdin: str | bytes | None = None, code: int = 0) -> tuple[str, str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "fimi_nlp", *map(str, args)],
        input=data if data is not None else b"",
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, (done.returncode, out, err)
    return out, err


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_tag_arguments_gives_jsonl_when_piped() -> None:
    records = lines(run("tag", CLAIM, EVENT)[0])
    assert [r["id"] for r in records] == ["1", "2"]
    assert all(set(r) >= KEYS for r in records)
    for record in records:
        jsonschema.validate(record, fn.tag_json_schema())
    assert [[n["label"] for n in r["narratives"]] for r in records] == [["nato_alliances"], []]
    assert set(records[0]["narratives"][0]) == {"label", "sub", "probability", "threshold"}
    assert set(records[0]["stance"]) == {"label", "probability"}
    assert records[1]["stance"] is None


def test_standard_input_takes_lines_and_jsonl() -> None:
    assert [len(r["narratives"]) for r in lines(run("tag", "--input", "-", stdin=f"{CLAIM}\n{EVENT}\n")[0])] == [1, 0]
    jsonl = json.dumps({"id": "k7", "text": CLAIM, "n": 1}) + "\n"
    (record,) = lines(run("tag", stdin=jsonl)[0])
    assert (record["id"], record["n"], record["text"]) == ("k7", 1, CLAIM)


@pytest.mark.parametrize("suffix", ["txt", "jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("target", ["jsonl", "csv", "parquet", "txt"])
def test_every_format_in_and_out(tmp_path: Path, suffix: str, target: str) -> None:
    source, output = tmp_path / f"in.{suffix}", tmp_path / f"out.{target}"
    _write(source, [{"id": "a", "text": CLAIM, "stance": "mine"}, {"id": "b", "text": EVENT, "stance": ""}])
    _, err = run("tag", "--input", source, "--text-column", "text", "--output", output)
    assert "2 texts tagged, 1 with narratives" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([source.name, output.name])
    if target == "txt":
        first, second = output.read_text().splitlines()
        assert first.startswith("nato_alliances\t")
        assert second.startswith("-\t")
        return
    records = _read(output)
    assert [r["text"] for r in records] == [CLAIM, EVENT]
    if suffix != "txt":
        assert [r["id"] for r in records] == ["a", "b"]
        assert records[0]["input_stance"] == "mine"
    narratives = [r["narratives"] if target == "jsonl" else json.loads(r["narratives"]) for r in records]
    assert [[n["label"] for n in found] for found in narratives] == [["nato_alliances"], []]
    if target in {"csv", "parquet"}:
        assert records[0]["labels"] == "nato_alliances"
        assert float(records[0]["confidence"]) > 0.5


def test_bad_records_are_set_aside_and_nothing_is_lost(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        json.dumps({"id": 1, "text": CLAIM})
        + '\n{"id": 2, "text": nonsense}\n{"id": 3}\n{"id": 4, "text": null}\n'
        + json.dumps({"id": 5, "text": ""})
        + "\n"
    )
    _, err = run("tag", "-i", source, "-o", output, code=3)
    assert "2 texts tagged" in err
    assert "3 records set aside" in err
    assert [r["id"] for r in _read(output)] == [1, 5]
    rejected = _read(tmp_path / "out.jsonl.rejected.jsonl")
    assert [r["place"] for r in rejected] == ["in.jsonl, line 2", "in.jsonl, line 3", "in.jsonl, line 4"]
    assert "nonsense" in rejected[0]["raw"]
    assert "not valid JSON" in rejected[0]["reason"]
    assert "no 'text'" in rejected[1]["reason"]
    assert "null" in rejected[2]["reason"]
    source.write_text(json.dumps({"id": 1, "text": CLAIM}) + "\n")
    run("tag", "-i", source, "-o", output)
    assert not (tmp_path / "out.jsonl.rejected.jsonl").exists()


def test_a_failure_leaves_the_earlier_output(tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    output.write_text("precious\n")
    source.write_bytes(b"id,text\n1,good\n2,b\xffd\n")
    _, err = run("tag", "-i", source, "-o", output, code=1)
    assert "in.csv is not UTF-8" in err
    assert "line 3" in err
    assert output.read_text() == "precious\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.jsonl"]


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    _write(source, [{"id": i, "text": EVENT} for i in range(5)])
    run("tag", "-i", source, "-o", output)
    whole = output.read_text()
    output.unlink()
    # What a killed run leaves: some records, the last one torn.
    (tmp_path / "out.jsonl.partial").write_text("".join(whole.splitlines(keepends=True)[:2]) + whole[:50])
    _, err = run("tag", "-i", source, "-o", output, "--resume")
    assert "3 texts tagged" in err
    assert "2 were there already" in err
    assert [r["id"] for r in _read(output)] == [0, 1, 2, 3, 4]
    assert not (tmp_path / "out.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("tag", "-i", "missing.csv"), 1, "missing.csv: no such file"),
        (("tag", "-i", "in.xlsx"), 1, "unknown suffix '.xlsx'"),
        (("tag", "-i", "in.csv", "--text-column", "txet"), 1, "Did you mean 'text'"),
        (("tag", "-i", "in.csv", "-o", "in.csv"), 1, "same file"),
        (("tag", "x", "-i", "in.csv"), 2, "not both"),
        (("tag", "x", "--mode", "strict"), 2, "strict"),
        (("tag", "x", "--model", "nowhere"), 1, "no such model folder"),
        (("train", "missing.toml", "--out", "o"), 1, "missing.toml: cannot read the recipe"),
        (("train", "in.toml", "--out", "o"), 1, "Did you mean 'epochs'"),
        (("data", "check", "bad.jsonl"), 1, "Did you mean 'nato_alliances'"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_mistakes_get_an_exit_code_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("id,text\n1,something\n")
    Path("in.xlsx").write_text("")
    Path("in.toml").write_text("[training]\nepoch = 3\n")
    Path("bad.jsonl").write_text('{"id": "1", "text": "x y", "narratives": {"nato_aliances": "aggression"}}\n')
    _, err = run(*args, code=code)
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_info_and_export(tmp_path: Path) -> None:
    out, _ = run("info")
    assert "minilm-en@" in out
    assert "nato_alliances" in out
    assert json.loads(run("info", "--json")[0])["format"] == "fimi-nlp-bundle"
    run("export", "default", tmp_path / "copy")
    assert fn.load(tmp_path / "copy").bundle.name in run("info", "--model", tmp_path / "copy")[0]
    assert "exists" in run("export", "default", tmp_path / "copy", code=1)[1]


def test_help_is_readable() -> None:
    out, _ = run("--help")
    for command in ("tag", "train", "evaluate", "data", "export", "info"):
        assert command in out
    assert "Exit codes" in out


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text(f"{EVENT}\n" * 600)
    command = f"{sys.executable} -m fimi_nlp tag -i {source} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=300)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_terminal_gets_a_table_with_text_escaped() -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    text = "NATO provoked it. [bold]Yes[/bold] \x1b[31mYes."
    process = subprocess.Popen(
        [sys.executable, "-m", "fimi_nlp", "tag", text],
        stdout=follower,
        stdin=follower,
        stderr=follower,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1", "TERM": "xterm"},
    )
    process.wait(timeout=120)
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert "Narratives" in shown
    assert "[bold]Yes[/bold]" in shown
    assert "\x1b[31mYes" not in shown
    assert "not attribution" in shown


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    if path.suffix == ".txt":
        path.write_text("".join(f"{r['text']}\n" for r in records))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in records))
    elif path.suffix == ".parquet":
        import pyarrow as pa

        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(records)


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return lines(path.read_text())
