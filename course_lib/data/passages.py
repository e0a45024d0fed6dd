"""Questions on short passages whose answer is a span of the passage, as in SQuAD (Rajpurkar et al. 2016).

A passage tells of two or three people; each sentence states one thing about one of them, by name or, behind the
first, by pronoun. Everybody's job, town, year, animal and so on differ, so an answer stands in the passage once,
among others of its kind: who is asked about has to be followed. A question may have no answer there, as in
SQuAD 2.0 (Rajpurkar et al. 2018). Built in the chapter "Distillation".
"""
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r"\w+|[^\w\s]")
_SHE = "Ada Clara Dora Emma Hanna Ida Julia Lena Maria Nora Olivia Paula Rosa Sofia Vera".split()
_HE = "Adam Boris Carlo David Erik Felix Hugo Ivan Jonas Karl Leo Martin Otto Paul Viktor".split()
#: attribute -> (values, ways to state it, questions). {who} is a name or "she"; {whose} "Ada's" or "her".
ATTRIBUTES = {
    "job": (("baker", "nurse", "teacher", "plumber", "painter", "farmer", "lawyer", "bus driver", "tax adviser", "pilot"),
            ("{who} works as a {value}", "{who} has been a {value} for years", "{who} earns a living as a {value}"),
            ("What is {name}'s job?", "What does {name} do for a living?", "As what does {name} work?")),
    "town": (("Lisbon", "Oslo", "Rome", "Vienna", "Dublin", "Prague", "Cape Town", "New York", "Buenos Aires", "Geneva"),
             ("{who} lives in {value}", "{whose} home is in {value}", "{who} has a small flat in {value}"),
             ("Where does {name} live?", "In which town is {name}'s home?")),
    "born": ([str(year) for year in range(1950, 2000)],
             ("{who} was born in {value}", "{whose} life began in {value}"),
             ("When was {name} born?", "In which year was {name} born?")),
    "pet": ("Rex Minka Bello Felix Luna Tiger Socks Bruno Coco Shadow".split(),
            ("{whose} dog is called {value}", "{whose} dog answers to the name of {value}"),
            ("What is {name}'s dog called?", "What is the name of {name}'s dog?")),
    "instrument": (("piano", "violin", "drum", "flute", "harp", "double bass", "French horn", "guitar"),
                   ("{who} plays the {value}", "in the evening {who} practises the {value}"),
                   ("What does {name} play?", "Which instrument does {name} play?")),
    "sport": (("tennis", "chess", "ice hockey", "rugby", "golf", "water polo", "cricket"),
              ("on Sundays {who} goes in for {value}", "{whose} sport is {value}"),
              ("Which sport does {name} do?", "What is {name}'s sport?")),
    "friend": ("Zoe Yara Wanda Xaver Ulla Theo Quentin Gregor".split(),
               ("{whose} best friend is {value}", "{who} has known {value} since school"),
               ("Who is {name}'s best friend?", "Whom has {name} known since school?")),
}
FILLERS = ("It is a quiet street.", "Nobody there is in a hurry.", "The neighbours all agree on that.", "Time passes.")


@dataclass(frozen=True)
class Questions:
    """Three parts, each a datasets.Dataset with the columns passage, question, answer, answerable, start, end
    (characters: answer == passage[start:end]), token_start, token_end (tokens of `tokens`; the end is behind the
    last one) and kind (the attribute asked for). Without an answer all four are -1 and the answer is empty."""
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    test: "datasets.Dataset"


def load_questions(size: int = 2000, held_out: int = 500, seed: int = 0, *, unanswerable: float = 0.0,
                   source: str | Path | None = None) -> Questions:
    """Questions on passages: `size` to train on, `held_out` to validate and as many to test.

    unanswerable: share of the questions without an answer. source: real ones instead, in random order by `seed`:
    a JSON file in SQuAD's format, or a dataset on the Hub such as "rajpurkar/squad" (its "train").

    Raises ValueError for a size below 1 or beyond what `source` holds and for a share outside 0 to 1; OSError for
    a source that is not there; ImportError where the package datasets is missing.
    """
    if min(size, held_out) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one question")
    if not 0 <= unanswerable <= 1:
        raise ValueError(f"unanswerable={unanswerable}: a share between 0 and 1 is needed")
    try:
        import datasets
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    rng, wanted = random.Random(f"passages {seed}"), size + 2 * held_out
    if source is None:
        rows = [write_question(rng, rng.random() >= unanswerable) for _ in range(wanted)]
    else:
        rows = _read(source, datasets)
        rng.shuffle(rows)
    if len(rows) < wanted:
        raise ValueError(f"{source} has {len(rows)} questions, but size and twice held_out make {wanted}")
    return Questions(*(datasets.Dataset.from_list(part) for part in
                       (rows[:size], rows[size:size + held_out], rows[size + held_out:wanted])))


def write_question(rng: random.Random, answerable: bool = True) -> dict:
    """One passage with a question: a row of `Questions`."""
    people = rng.sample([(name, "she", "her") for name in _SHE] + [(name, "he", "his") for name in _HE],
                        rng.randint(2, 3))
    names = {name for name, _, _ in people}
    values = {kind: rng.sample([value for value in options if value not in names], len(people))
              for kind, (options, _, _) in ATTRIBUTES.items()}
    sentences, stated = [], []
    for i, (name, she, her) in enumerate(people):
        for place, kind in enumerate(rng.sample(list(ATTRIBUTES), rng.randint(2, 3))):
            # By name too behind somebody else, to whom a pronoun could refer as well.
            by_name = place == 0 or stated[-1][1] in ("friend", "pet") or rng.random() < 0.3
            way = rng.choice(ATTRIBUTES[kind][1])
            said = way.format(who=name if by_name else she, whose=f"{name}'s" if by_name else her,
                              value=values[kind][i])
            sentences.append(said[0].upper() + said[1:] + ".")
            stated.append((name, kind, values[kind][i]))
        if rng.random() < 0.3:
            sentences.append(rng.choice(FILLERS))
    if answerable:
        name, kind, answer = rng.choice(stated)
    else:   # of somebody there: that the name stands in the passage must not give it away
        answer = ""
        known = {(name, kind) for name, kind, _ in stated}
        # Mostly what is told of somebody else, so that there is a wrong answer to take.
        tempting = [(name, kind) for name in names for kind in {k for _, k, _ in stated} if (name, kind) not in known]
        name, kind = rng.choice(sorted(tempting) or [(n, k) for n in sorted(names) for k in ATTRIBUTES
                                                     if (n, k) not in known])
    return locate(" ".join(sentences), rng.choice(ATTRIBUTES[kind][2]).format(name=name), answer) | {"kind": kind}


def tokens(text: str) -> list[tuple[int, int]]:
    """(start, end) in characters of each word and each mark."""
    return [match.span() for match in _TOKEN.finditer(text)]


def locate(passage: str, question: str, answer: str, start: int | None = None) -> dict:
    """A row of `Questions`, without kind. start: of the answer, where it stands more than once.

    answer: "" for none. Raises ValueError where the answer is not there, or not at `start`.
    """
    row = {"passage": passage, "question": question, "answer": answer, "answerable": bool(answer),
           "start": -1, "end": -1, "token_start": -1, "token_end": -1}
    if not answer:
        return row
    start = passage.find(answer) if start is None else start
    end = start + len(answer)
    if start < 0 or passage[start:end] != answer:
        raise ValueError(f"the answer {answer!r} does not stand in the passage at {start}")
    touched = [i for i, (a, b) in enumerate(tokens(passage)) if a < end and b > start]
    return row | {"start": start, "end": end, "token_start": touched[0], "token_end": touched[-1] + 1}


def _read(source, datasets) -> list[dict]:
    path = Path(source)
    if path.is_file():
        try:
            asked = [(paragraph["context"], one["question"], one["answers"])
                     for article in json.loads(path.read_text(encoding="utf-8"))["data"]
                     for paragraph in article["paragraphs"] for one in paragraph["qas"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no JSON file in SQuAD's format: {error!r}") from error
        asked = [(context, question, [(a["text"], a["answer_start"]) for a in answers])
                 for context, question, answers in asked]
    else:
        try:
            asked = [(row["context"], row["question"], list(zip(row["answers"]["text"], row["answers"]["answer_start"])))
                     for row in datasets.load_dataset(str(source), split="train")]
        except Exception as error:  # the Hub's library has many, not all of them OSErrors
            raise OSError(f"no file {source}, and no such dataset in SQuAD's format could be read from the Hub "
                          f"({type(error).__name__}): check the name, the network") from error
    return [locate(context, question, *(answers[0] if answers else ("", None))) | {"kind": ""}
            for context, question, answers in asked]
