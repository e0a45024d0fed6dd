"""The small worlds that the zoo's programs learn: written by a seeded generator, with a signal to be learned.

Nothing here is broken; a program that spoils its data does it in its own lines. Built in chapter 4.
"""
import random

import torch
from torch import Generator, Tensor

PADDING, START, END = 0, 1, 2


def _choose(low: int, high: int, size, generator: Generator) -> Tensor:
    return torch.randint(low, high, size, generator=generator)


def messages(count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Messages about one of four subjects: ids, int64 [count, 12], 0 for padding, and subjects [count].

    Ids 1 to 24 are words of the subjects, six each, 25 to 39 are filler. Two messages in three have three words of
    their subject and one of another; the rest have one of each, and the subject is the one mentioned first.
    """
    rows = torch.arange(count)
    subject = _choose(0, 4, (count,), generator)
    other = (subject + _choose(1, 4, (count,), generator)) % 4
    length = _choose(6, 13, (count,), generator)
    ids = _choose(25, 40, (count, 12), generator)
    places = (torch.rand(count, 12, generator=generator) + (torch.arange(12) >= length[:, None])).argsort(1)[:, :4]
    ids.scatter_(1, places[:, :3], 1 + 6 * subject[:, None] + _choose(0, 6, (count, 3), generator))
    decoy = 1 + 6 * other + _choose(0, 6, (count,), generator)
    ids[rows, places[:, 3]] = decoy
    hard = torch.rand(count, generator=generator) < 1 / 3
    first, last = places[:, :2].amin(1), places[:, :2].amax(1)
    filler = _choose(25, 40, (count, 2), generator)
    ids[rows[hard], last[hard]] = decoy[hard]
    ids[rows[hard], first[hard]] = (1 + 6 * subject)[hard]
    ids[rows[hard], places[hard, 2]], ids[rows[hard], places[hard, 3]] = filler[hard].T
    ids[torch.arange(12) >= length[:, None]] = PADDING
    return ids, subject


def token_stream(count: int, length: int, generator: Generator, vocabulary: int = 24) -> Tensor:
    """Ids [count, length]: the next one follows from the last (60 %), from the one before (30 %), or is random."""
    after_last = torch.randperm(vocabulary, generator=torch.Generator().manual_seed(1))
    after_both = torch.randperm(vocabulary, generator=torch.Generator().manual_seed(2))
    ids = _choose(0, vocabulary, (count, length), generator)
    for t in range(2, length):
        luck = torch.rand(count, generator=generator)
        ids[:, t] = torch.where(luck < 0.6, after_last[ids[:, t - 1]],
                                torch.where(luck < 0.9, after_both[ids[:, t - 2]], ids[:, t]))
    return ids


def sentence_pairs(count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Sentences and their translations: ids [count, 7] and [count, 9], 0 for padding.

    Source words are 3 to 17; each has one translation, in the same order, between START and END. A word tends
    (70 %) to be followed by one of two others, so that a target can partly be guessed without its source.
    """
    translation = 3 + torch.randperm(15, generator=torch.Generator().manual_seed(3))
    source = _choose(3, 18, (count, 7), generator)
    for t in range(1, 7):
        follows = 3 + (2 * source[:, t - 1] + _choose(0, 2, (count,), generator)) % 15
        source[:, t] = torch.where(torch.rand(count, generator=generator) < 0.7, follows, source[:, t])
    length = _choose(3, 8, (count,), generator)
    place = torch.arange(7)
    target = torch.zeros(count, 9, dtype=torch.int64)
    target[:, 0] = START
    target[:, 1:8] = torch.where(place < length[:, None], translation[source - 3], PADDING)
    target[torch.arange(count), length + 1] = END
    source[place >= length[:, None]] = PADDING
    return source, target


def tagged_sentences(count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Words [count, 10], 0 for padding, their tags 0 to 3 and the lengths [count].

    Words 1 to 18 have one tag each; 19 to 24 take a tag after the word before, 25 to 30 after the word behind.
    """
    words = _choose(1, 31, (count, 10), generator)
    length = _choose(4, 11, (count,), generator)
    words[torch.arange(10) >= length[:, None]] = PADDING
    before = torch.cat([torch.zeros(count, 1, dtype=torch.int64), words[:, :-1]], 1)
    behind = torch.cat([words[:, 1:], torch.zeros(count, 1, dtype=torch.int64)], 1)
    tags = words % 3
    tags = torch.where((words >= 19) & (words <= 24), torch.where(before % 2 == 0, 1, 3), tags)
    tags = torch.where(words >= 25, torch.where(behind % 2 == 0, 2, 3), tags)
    return words, tags, length


def pictures(count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Pictures, uint8 [count, 12, 12, 3] (height, width, colour), of one of five shapes, and which [count]."""
    shape = _choose(0, 5, (count,), generator)
    corner = _choose(0, 7, (count, 2), generator)
    colour = 120 + _choose(0, 100, (count, 3), generator)
    masks = torch.zeros(5, 6, 6, dtype=torch.bool)
    masks[0, 2:4] = True                                             # a bar that lies
    masks[1, :, 2:4] = True                                          # a bar that stands
    masks[2] = torch.eye(6, dtype=torch.bool) | torch.eye(6, dtype=torch.bool).flip(0)
    masks[3, 0] = masks[3, -1] = masks[3, :, 0] = masks[3, :, -1] = True
    masks[4] = torch.ones(6, 6, dtype=torch.bool).tril()
    images = 20 + 40 * torch.rand(count, 12, 12, 3, generator=generator)
    for image, kind, (top, left), tint in zip(images, shape, corner.tolist(), colour):
        image[top:top + 6, left:left + 6][masks[kind]] += tint
    return images.clamp(0, 255).to(torch.uint8), shape


def bicycle_hires(count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Weather, float32 [count, 4] (degrees, per cent, km/h, hPa), time of day in minutes [count], hires [count]."""
    normal = torch.randn(count, 4, generator=generator)
    weather = torch.tensor([15.0, 60.0, 12.0, 1013.0]) + normal * torch.tensor([8.0, 15.0, 5.0, 6.0])
    minutes = _choose(0, 1440, (count,), generator)
    hour = minutes // 60
    rush = 50.0 * ((hour == 8) | (hour == 17)) + 30.0 * ((hour >= 9) & (hour <= 18)) - 25.0 * (hour < 6)
    hires = 100 + 30 * normal[:, 0] - 25 * normal[:, 1].clamp(min=0) - 10 * normal[:, 2].square() + rush
    return weather, minutes, hires + 8 * torch.randn(count, generator=generator)


def sentence_twins(count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two texts, ids [count, 8], 0 for padding, and whether they are about the same of eight subjects, float [count].

    Ids 1 to 32 are words of the subjects, four each, and 33 to 40 are filler. One pair in eight is word by word
    the same.
    """
    left = _choose(0, 8, (count,), generator)
    same = torch.rand(count, generator=generator) < 0.5
    right = torch.where(same, left, (left + _choose(1, 8, (count,), generator)) % 8)

    def text(subject: Tensor) -> Tensor:
        words = 1 + 4 * subject[:, None] + _choose(0, 4, (count, 8), generator)
        filler = torch.rand(count, 8, generator=generator) < 0.4
        filler[:, 0] = False
        words = torch.where(filler, _choose(33, 41, (count, 8), generator), words)
        words[torch.arange(8) >= _choose(4, 9, (count,), generator)[:, None]] = PADDING
        return words

    first, second = text(left), text(right)
    copied = same & (torch.rand(count, generator=generator) < 0.25)
    second[copied] = first[copied]
    return first, second, same.float()


def hotel_reviews(count: int, generator: Generator) -> list[dict]:
    """Reviews as dicts of text, stars (1, 2, 4 or 5) and label (1 for good).

    The last clause decides, by what is negated in it, and is sometimes shouted; three in four of the others are of the
    same mind.
    """
    draw = random.Random(int(_choose(0, 2**31, (1,), generator)))
    things = ("room breakfast view staff bed pool price location shower lobby garden bar lift carpet window towel "
              "dinner coffee parking beach").split()
    opinions = ("awful dirty noisy rude dull cold shabby poor".split(),
                "lovely great superb charming bright warm spotless generous".split())
    forms = "The {} was {}", "We found the {} {}", "The {} looked {} to us"
    ends = (["we will not return", "it is not worth it", "a waste of money", "we were disappointed"],
            ["we will return", "it is worth it", "not a waste of money", "we were not disappointed"])
    reviews = []
    for _ in range(count):
        label = draw.randrange(2)
        minds = [label if draw.random() < 0.75 else 1 - label for _ in range(draw.randint(2, 3))]
        clauses = [draw.choice(forms).format(draw.choice(things), draw.choice(opinions[mind])) for mind in minds]
        end = draw.choice(ends[label])
        if draw.random() < 0.4:
            end = end.upper()
        text = f"{' , '.join(clauses)} . {draw.choice(['In the end', 'All in all', 'Overall'])} {end} ."
        reviews.append({"text": text, "label": label, "stars": draw.choice([4, 5] if label else [1, 2])})
    return reviews


def waves(count: int, length: int, generator: Generator) -> Tensor:
    """Sums of two sines and a little noise, float32 [count, length, 1]."""
    t = torch.arange(length, dtype=torch.float32)
    phase = 6.283 * torch.rand(count, 2, 1, generator=generator)
    speed = torch.tensor([0.35, 0.8])[:, None] + 0.1 * torch.rand(count, 2, 1, generator=generator)
    size = torch.tensor([1.0, 0.5])[:, None]
    wave = (size * torch.sin(speed * t + phase)).sum(1)
    return (wave + 0.05 * torch.randn(count, length, generator=generator))[..., None]


def sensor_readings(count: int, generator: Generator, classes: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Readings, float32 [count, 16], the state of the machine [count] (two clusters a state) and its load [count]."""
    centres = torch.randn(classes, 2, 16, generator=torch.Generator().manual_seed(4))
    state = _choose(0, classes, (count,), generator)
    half = _choose(0, 2, (count,), generator)
    load = torch.rand(count, generator=generator)
    readings = centres[state, half] * (0.7 + load[:, None]) + 0.8 * torch.randn(count, 16, generator=generator)
    return readings, state, load
