"""Text for models: what is refused, and where sentences end; the texts that come with the package."""

import pytest
from systolith.text import check_text, split_sentences
from systolith.texts import TEXTS, load_text


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_empty(text):
    with pytest.raises(ValueError, match=r"^a prompt must not be empty$"):
        check_text(text, "a prompt")


def test_not_text():
    check_text("ä 猫 😀", "a prompt")
    with pytest.raises(ValueError, match=r"^a prompt must be UTF-8 text, not 'a\\udcff'$"):
        check_text("a\udcff", "a prompt")
    with pytest.raises(ValueError, match=rf"^a prompt must be UTF-8 text, not '{'b' * 40}'…$"):
        check_text("b" * 50 + "\ud800", "a prompt")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? four.", ["One.", "Two!", "Three? four."]),
        ('"Is it?" She left.\n', ['"Is it?"', "She left."]),
        ("Mr. Bennet and Mrs. Long\nspoke. (Softly.)", ["Mr. Bennet and Mrs. Long spoke.", "(Softly.)"]),
        ("No full stop\n \nhere", ["No full stop", "here"]),
        ("It cost 1.50 dollars.", ["It cost 1.50 dollars."]),
        (" \n ", []),
    ],
)
def test_sentences(text, sentences):
    assert split_sentences(text) == sentences


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name):
    """ASCII, as they were typed, in paragraphs on one line each."""
    text = load_text(name)
    assert text.isascii()
    assert text.endswith("\n")
    assert not any(line != line.strip() for line in text.splitlines())
    assert 1000 < len(text) < 5000
    assert TEXTS[name].year < 1900


def test_texts_differ():
    """One is for calibration, the other is what is evaluated."""
    first, second = map(load_text, TEXTS)
    assert not set(split_sentences(first)) & set(split_sentences(second))
