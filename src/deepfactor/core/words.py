"""Bilingual text: an English sentence that carries its Chinese, made where it is said."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

LANGUAGES = ("en", "zh")


class Text(str):
    """English text that carries its Chinese; in HTML both stand, and the page shows one of them."""

    zh: str

    def __new__(cls, en: str, zh: str = "") -> Text:
        text = super().__new__(cls, en)
        text.zh = zh or en
        return text

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # a str is made of one
        """What a copy is made of."""
        return str(self), self.zh

    def filled(self, **parts: object) -> Text:
        """Both languages with their ``{places}`` filled."""
        return Text(self.format(**parts), self.zh.format(**{key: chinese(part) for key, part in parts.items()}))

    def __html__(self) -> Markup:
        if self.zh == self:
            return escape(str(self))
        both = '<span class="en">{}</span><span class="zh" lang="zh-CN">{}</span>'
        return Markup(both).format(str(self), self.zh)


class Sentence(Text):
    """What a room says in results, which keep the English alone: by this form the page finds its Chinese again.

    Places are plain names, without formats; ``{n}`` holds a whole number, the others any text. The report reads forms
    off the files, see `deepfactor.report.press.sentences`: both languages are written out.
    """

    def __new__(cls, en: str, zh: str) -> Sentence:
        text = super().__new__(cls, en, zh)
        assert isinstance(text, Sentence)
        return text


def chinese(value: object) -> object:
    """The Chinese of a `Text`; anything else as it is."""
    return value.zh if isinstance(value, Text) else value


def joined(separator: str, parts: Iterable[object]) -> Text:
    """Texts and plain values in a row."""
    kept = list(parts)
    return Text(separator.join(map(str, kept)), separator.join(str(chinese(part)) for part in kept))


def together(sentences: Iterable[Text]) -> Text:
    """Sentences in a row: Chinese has no space between them."""
    given = list(sentences)
    return Text(" ".join(given), "".join(one.zh for one in given))


def listed(parts: Iterable[Text]) -> Text:
    """By commas, each language by its own."""
    given = list(parts)
    return Text(", ".join(given), "，".join(part.zh for part in given))
