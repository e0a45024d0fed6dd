"""Words that know what they express, and the alignment that follows from it.

A token carries the paths of its frame: `sure` those it is the word for, `possible` those it takes part in
(the ne of ne ... pas, the does of "does not", the inside of an idiom). Two words are linked surely where
they share a sure path and possibly where they share any, after Och and Ney 2003, whose sure links are a
subset of the possible ones too. Built in the chapter "A history of machine translation".
"""
import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Token:
    text: str
    sure: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()
    kind: str = ""  # "article", "preposition", "pronoun" after a hyphen: what the spelling of French asks for

    def __repr__(self):
        return self.text


def token(text, sure=(), possible=(), kind="") -> Token:
    """A token from one path or several."""
    sure, possible = ((paths,) if isinstance(paths, str) else paths for paths in (sure, possible))
    return Token(text, frozenset(sure), frozenset(possible), kind)


def phrase(text: str, path: str, idiom: bool = False) -> list[Token]:
    """Tokens of a phrase in which "week/1" is linked to "semaine/1" of the other language.

    Words without a number are linked possibly to every word of the phrase. Where no word has one, the
    longest is the head, linked surely, unless the phrase is an idiom.
    """
    words = [word.rpartition("/") if "/" in word else (word, "", "") for word in text.split()]
    marks = {f"{path}.{mark}" for _, slash, mark in words if slash}
    if not marks and not idiom:
        longest = max(words, key=lambda word: len(word[0]))
        return [token(word[0], path if word is longest else (), path, _kind(word[0])) for word in words]
    return [token(word, f"{path}.{mark}", kind=_kind(word)) if slash else token(word, (), {path, *marks}, _kind(word))
            for word, slash, mark in words]


def _kind(word):
    return "preposition" if word in ("de", "à") else ""


def moved(old: Token, text: str) -> Token:
    return replace(old, text=text)


def links(english: list[Token], french: list[Token]) -> tuple[list[list[int]], list[list[int]]]:
    """Sure links and possible links (all, the sure ones among them), as [English, French] positions."""
    sure, possible = [], []
    for i, a in enumerate(english):
        for j, b in enumerate(french):
            if a.sure & b.sure:
                sure.append([i, j])
            if (a.sure | a.possible) & (b.sure | b.possible):
                possible.append([i, j])
    return sure, possible


# Real text

_CLITIC = "(?:t-)?(?:je|tu|ils?|elles?|on|nous|vous|ce|leur|lui|les?|la|moi|toi|y|en)"
# A pronoun after a hyphen, with others or nothing behind: mange-t-il, donne-le-moi, but not arc-en-ciel.
_AFTER_VERB = rf"-(?={_CLITIC}(?:-{_CLITIC})*(?![\w-]))"
_FRENCH_WORD = rf"""
    \.\.\. | \d+(?:[.,:]\d+)*(?!\w) | (?:aujourd|presqu|quelqu|prud|entr)['’]\w+(?:-\w+)* | rendez-vous
    | \w+['’](?=\w) | {_AFTER_VERB}{_CLITIC} | \w+(?:(?!{_AFTER_VERB})-\w+)* | [^\w\s]"""
_ENGLISH_WORD = r"""
    \.\.\. | \d+(?:[.,:]\d+)*(?!\w) | \w+(?=n['’]t\b) | n['’]t\b | ['’](?:s|re|ve|ll|d|m)\b | \w+(?:-\w+)* | [^\w\s]"""
_WORDS = {"en": re.compile(_ENGLISH_WORD, re.VERBOSE | re.IGNORECASE),
          "fr": re.compile(_FRENCH_WORD, re.VERBOSE | re.IGNORECASE)}


def tokenise(text: str, language: str, lowercase: bool = False) -> list[str]:
    """Words and marks: "l'homme" is l' homme, "mange-t-il" is mange -t-il, "doesn't" does n't, "boy's" boy 's.

    A little of the Moses tokeniser. language: "en" or "fr". `detokenise` restores the text, up to the
    spacing of marks.
    """
    if not isinstance(text, str):
        raise TypeError(f"tokenise takes a text, not a {type(text).__name__}: it may be tokenised already")
    text = text.lower() if lowercase else text
    return [match[0] for match in _words(language).finditer(text)]


def detokenise(tokens: list[str], language: str) -> str:
    """Tokens as they are printed: a capital at the start of sentences, in French a space before ? ! : and ;."""
    _words(language)
    if isinstance(tokens, str):
        raise TypeError(f"detokenise takes a list of tokens, not a text: tokenise(text, {language!r}) makes one")
    text = " ".join(tokens)
    if language == "fr":
        text = re.sub(r"(?<=\w)(['’]) (?=\w)", r"\1", text)
        text = re.sub(r" (?=-(?:t-)?\w)", "", text)
    else:
        text = re.sub(r" (?=n['’]t\b|['’](?:s|re|ve|ll|d|m)\b|['’](?: |$)|[?!:;])", "", text)
    text = re.sub(r" (?=[.,%)\]])|(?<=[(\[]) ", "", text)
    text = re.sub(r'" ([^"]*) "', r'"\1"', text)
    return re.sub(r"(^|[.?!] )(\w)", lambda match: match[1] + match[2].upper(), text)


def _words(language):
    if language not in _WORDS:
        raise ValueError(f'language={language!r}: "en" or "fr"')
    return _WORDS[language]
