"""Metafiles: only file names in `Weights` change, in every shape that metafiles have."""

from __future__ import annotations

import builtins
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from renamed_metafiles import DATA, EXTRACTS, check_lines, rename_all, without_weights

from mm_ckpt_migrate.errors import MissingSoftwareError
from mm_ckpt_migrate.zoo.entries import entries
from mm_ckpt_migrate.zoo.links import Base, NewLinks
from mm_ckpt_migrate.zoo.patch_metafile import patch_metafile
from mm_ckpt_migrate.zoo.publication import ZooError

PATH = Path("configs/m/metafile.yml")
OLD, NEW = "m_8x2_20221204-ab263c11.pth", "m_8xb2_20221204-e715144e.pth"
URL = f"https://x.org/m/{OLD}"
LINKS = NewLinks({OLD: NEW})
REPUBLISHED = NewLinks({entry.old_file: entry.new_file for entry in entries()})
ENTRY = "Models:\n- Name: m\n  Weights: "


def read(path: Path) -> str:
    return path.read_bytes().decode()


@pytest.mark.parametrize("path", EXTRACTS, ids=lambda path: str(path.relative_to(DATA)))
class TestExtracts:
    def test_only_the_weights_change(self, path: Path) -> None:
        text = read(path)
        patched = patch_metafile(path, text, rename_all(text))
        assert len(patched.replaced) >= 1
        check_lines(text, patched)
        assert without_weights(patched.text) == without_weights(text)

    def test_without_renamings_nothing_does(self, path: Path) -> None:
        text = read(path)
        for links in (NewLinks(), LINKS):
            assert patch_metafile(path, text, links).text == text

    def test_backwards_it_is_the_same_text_again(self, path: Path) -> None:
        text = read(path)
        links = rename_all(text)
        patched = patch_metafile(path, text, links)
        back = NewLinks({new: old for old, new in links.names.items()})
        assert patch_metafile(path, patched.text, back).text == text

    def test_line_ends_and_byte_order_marks_stay(self, path: Path) -> None:
        text = "\ufeff" + read(path).replace("\n", "\r\n").rstrip()
        patched = patch_metafile(path, text, rename_all(text))
        check_lines(text, patched)
        assert patched.text.count("\r\n") == text.count("\n")
        assert patched.text.startswith("\ufeff")
        assert not patched.text.endswith("\n")


def test_both_shapes_of_results_keep_their_metrics() -> None:
    listed, plain = DATA / "mmseg-1.0.0rc4/maskformer", DATA / "mmseg-1.2.2/mask2former"
    for path, kind in ((listed / "maskformer.yml", list), (plain / "metafile.yaml", dict)):
        text = read(path)
        patched = patch_metafile(path, text, rename_all(text)).text
        for before, after in zip(
            yaml.safe_load(text)["Models"], yaml.safe_load(patched)["Models"], strict=True
        ):
            assert isinstance(after["Results"], kind)
            assert after["Results"] == before["Results"]
            assert after["Weights"].endswith("-deadbeef.pth")


def test_the_republished_files_as_the_zoo_has_them() -> None:
    path = DATA / "mmseg-1.0.0rc4/maskformer/maskformer.yml"
    patched = patch_metafile(path, read(path), REPUBLISHED)
    assert [(r.line, r.entry) for r in patched.replaced] == [
        (38, "maskformer_r50-d32_8xb2-160k_ade20k-512x512"),
        (59, "maskformer_r101-d32_8xb2-160k_ade20k-512x512"),
    ]
    assert patched.text.endswith(
        "/maskformer_r101-d32_8xb2-160k_ade20k-512x512_20221031_223053-84adbfcb.pth\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Weights: {URL}",
        f"Weights: '{URL}'  # the best of five\n",
        f'Weights: "{URL}"\n# the end\n',
        f"Weights:   {URL}   \n",
        f"Weights: {URL} # a\ttab\n",
        f"Weights:\n  {URL}\n",
        f"Weights: |-\n  {URL}\n",
        f"Weights: >-\n  {URL}\n\n",
        f"? Weights\n: {URL}\n",
        f"Weights: [{URL}, other.pth]\n",
        f'{{"Weights": "{URL}"}}',
        f"Weights: !!str {URL}\n",
        f"%YAML 1.2\n---\nWeights: {URL}\n...\n",
        f"Weights: {OLD}\n",
        f"Weights: {URL}?versionId=3\n",
        f"Weights: https://x.org/{OLD}/{OLD}\n".replace(OLD, "m%5F8x2_20221204-ab263c11.pth", 1),
        f"Weights: &w {URL}\nNext:\n  Weights: *w\n",
        f"Base: &b\n  Weights: {URL}\nModels:\n- <<: *b\n  Name: m\n",
        f"Weights: {URL}\nWeights: x.pth\n",
    ],
)
def test_each_way_to_write_it(text: str) -> None:
    start = text.rindex(OLD)
    patched = patch_metafile(PATH, text, LINKS)
    assert patched.text == text[:start] + NEW + text[start + len(OLD) :]
    assert len(patched.replaced) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"Training log: {URL}\n",
        f"weights: {URL}\n",
        f"# Weights: {URL}\nWeights: https://x.org/other.pth\n",
        f"Weights: {URL}.md5\n",
        f"Weights: {URL}/x\n",
        f"Weights: https://x.org/my_{OLD}\n",
        f"Weights: See {URL} there\n",
        f"Weights: |\n  {URL}\n",  # ends with a line break
        f"Weights:\n  Old: {URL}\n",
        f"{URL}: Weights\n",
        f"- Weights\n- {URL}\n",
        f"# {OLD}\n",
    ],
)
def test_what_is_no_weights_stays(text: str) -> None:
    assert patch_metafile(PATH, text, LINKS).text == text


def test_the_entry_that_it_belongs_to() -> None:
    text = f"- Name: m\n  Weights: [{URL}]\n- Weights: {URL}\n- Name: [n]\n  Weights: {URL}\n"
    replaced = patch_metafile(PATH, text, LINKS).replaced
    assert [(r.line, r.entry) for r in replaced] == [(2, "m"), (3, ""), (5, "")]


def test_another_base() -> None:
    links = NewLinks({OLD: NEW}, Base("https://x.org", "https://y.org/zoo/"))
    text = f"Models:\n- Weights: {URL}\n- Weights: https://x.org/m/other.pth\n"
    expected = text.replace(URL, f"https://y.org/zoo/m/{NEW}")
    assert patch_metafile(PATH, text, links).text == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"Mirror: &w {URL}\nWeights: *w\n", "would change more than the weights"),
        (f"- &w {URL}\n- Weights: *w\n", "would change more than the weights"),
        (f'Weights: "https://x.org/\\\n  {OLD}"\n', r"yml:1: the URL .* is broken up or escaped"),
        (f'Weights: "https:\\/\\/x.org/{OLD}"\n', "is broken up or escaped"),
    ],
)
def test_what_cannot_be_replaced_in_place_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ZooError, match=reason) as caught:
        patch_metafile(PATH, text, LINKS)
    assert caught.value.hint


def test_a_new_name_that_yaml_would_misread_is_refused() -> None:
    for new in ("a: b.pth", "a #b.pth", "a\nb.pth"):
        with pytest.raises(ZooError, match=str(PATH)):
            patch_metafile(PATH, f"Weights: {OLD}\n", NewLinks({OLD: new}))


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "may hold 100,000 values"),
        (BOMB + "Name: *a29\n", "may hold 100,000 values"),
        ("a: &a [*a]\n", "may hold 100,000 values"),
        ("#" * (100 << 20) + "\n", "may have 262,144 characters"),
        ("[" * 1200 + "\n", "nests deeper"),
        ("a: [b\nc: }\n", "yml:2: it is not YAML: while parsing a flow sequence, expected"),
        ("a:\n\t- b\n", "yml:2: it is not YAML"),
        ("a:\tb\n", "yml:1: it is not YAML"),
        ("a: 1\n---\nb: 2\n", "not YAML: expected a single document in the stream, but"),
        ("a: *x\n", "it is not YAML: .*found undefined alias"),
        ("a: \x00\n", "it is not YAML: unacceptable character"),
        ("a: \udcff\n", "it is not YAML: unacceptable character"),
        ('a: "\\UFFFFFFFF"\n', "it is not YAML"),
        ("%YAML 3.0\n---\n", "it is not YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\n", "it is not YAML"),
    ],
    ids=range(15),
)
def test_a_hostile_metafile_is_one_clear_error(text: str, reason: str) -> None:
    start = time.monotonic()
    with pytest.raises(ZooError, match=reason) as caught:
        patch_metafile(PATH, text + f"Weights: {URL}\n", LINKS)
    assert str(PATH) in caught.value.message
    assert len(caught.value.message) < 200
    assert time.monotonic() - start < 20


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["", "Weights: ", "- ", '"', "? ", "Weights:\n- "]))
def test_any_text_is_patched_or_refused(text: str, key: str) -> None:
    whole = f"{text}\n{key}{URL}\n"
    try:
        patched = patch_metafile(PATH, whole, LINKS)
    except ZooError:
        return
    assert patched.text in (whole, whole.replace(OLD, NEW))


def test_without_ruamel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("ruamel"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert patch_metafile(PATH, "a: 1\n", LINKS).text == "a: 1\n"
    with pytest.raises(MissingSoftwareError, match=r"ruamel\.yaml") as caught:
        patch_metafile(PATH, ENTRY + URL, LINKS)
    assert "pip install" in caught.value.hint
