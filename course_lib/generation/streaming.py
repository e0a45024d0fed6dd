"""Text while it is written, and where it stops.

Built in chapter 2.
"""
from collections.abc import Callable


class TextStream:
    """Turns ids that arrive a few at a time into text that never has to be taken back.

    decode: all ids of a row so far to text; more ids should only lengthen it. Held back until it is
    settled: a character of which bytes are missing (U+FFFD at the end) and what may be the beginning
    of a stop string. From a stop string on there is no more text. For example::

        text = TextStream(tokenizer.decode, stop_strings=["\\n"])
        for step in stream(model, input_ids, stop_strings=["\\n"], decode=tokenizer.decode):
            print(text.push(step[0]), end="", flush=True)
        print(text.end())
    """

    def __init__(self, decode: Callable[[list[int]], str], stop_strings=()):
        self.decode = decode
        self.stop_strings = [stop_strings] if isinstance(stop_strings, str) else list(stop_strings)
        self.ids: list[int] = []
        self.shown = 0   # characters

    def push(self, ids: list[int]) -> str:
        """The text that is new with these ids, "" where nothing is settled."""
        self.ids += ids
        text = self.decode(self.ids)
        settled = before_stop(text, self.stop_strings)
        if settled == text:
            text = text.rstrip("\ufffd")
            beginnings = [stop[:n] for stop in self.stop_strings for n in range(1, len(stop))]
            overlap = max((len(each) for each in beginnings if text.endswith(each)), default=0)
            settled = text[:len(text) - overlap]
        return self._show(settled)

    def end(self) -> str:
        """What was held back, at the end of the ids."""
        return self._show(before_stop(self.decode(self.ids), self.stop_strings))

    def _show(self, settled):
        new, self.shown = settled[self.shown:], max(self.shown, len(settled))
        return new


def before_stop(text: str, stop_strings) -> str:
    """The text up to the first place where a stop string begins; all of it where there is none."""
    return text[:min((text.find(stop) for stop in stop_strings if stop in text), default=len(text))]
