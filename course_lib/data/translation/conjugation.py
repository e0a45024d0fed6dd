"""French verbs: the persons and tenses that the corpus uses, from principal parts."""

#: Persons are 0 je, 2 il or elle, 3 nous, 4 vous, 5 ils or elles. Nobody is called tu in this corpus.
PERSONS = (0, 2, 3, 4, 5)
# je, il, nous, vous, ils | participle | stem of the future
_IRREGULAR = """
être: suis est sommes êtes sont | été | ser
avoir: ai a avons avez ont | eu | aur
aller: vais va allons allez vont | allé | ir
faire: fais fait faisons faites font | fait | fer
dire: dis dit disons dites disent | dit | dir
pouvoir: peux peut pouvons pouvez peuvent | pu | pourr
devoir: dois doit devons devez doivent | dû | devr
vouloir: veux veut voulons voulez veulent | voulu | voudr
savoir: sais sait savons savez savent | su | saur
voir: vois voit voyons voyez voient | vu | verr
dormir: dors dort dormons dormez dorment | dormi | dormir
partir: pars part partons partez partent | parti | partir
sortir: sors sort sortons sortez sortent | sorti | sortir
venir: viens vient venons venez viennent | venu | viendr
revenir: reviens revient revenons revenez reviennent | revenu | reviendr
souvenir: souviens souvient souvenons souvenez souviennent | souvenu | souviendr
rire: ris rit rions riez rient | ri | rir
sourire: souris sourit sourions souriez sourient | souri | sourir
courir: cours court courons courez courent | couru | courr
lire: lis lit lisons lisez lisent | lu | lir
écrire: écris écrit écrivons écrivez écrivent | écrit | écrir
boire: bois boit buvons buvez boivent | bu | boir
ouvrir: ouvre ouvre ouvrons ouvrez ouvrent | ouvert | ouvrir
connaître: connais connaît connaissons connaissez connaissent | connu | connaîtr
suivre: suis suit suivons suivez suivent | suivi | suivr
poursuivre: poursuis poursuit poursuivons poursuivez poursuivent | poursuivi | poursuivr
comprendre: comprends comprend comprenons comprenez comprennent | compris | comprendr
envoyer: envoie envoie envoyons envoyez envoient | envoyé | enverr
nettoyer: nettoie nettoie nettoyons nettoyez nettoient | nettoyé | nettoier
appeler: appelle appelle appelons appelez appellent | appelé | appeller
acheter: achète achète achetons achetez achètent | acheté | achèter
lever: lève lève levons levez lèvent | levé | lèver
promener: promène promène promenons promenez promènent | promené | promèner
plaire: plais plaît plaisons plaisez plaisent | plu | plair
pleuvoir: - pleut - - - | plu | pleuvr
"""
_PARTS = {}
for _line in _IRREGULAR.strip().splitlines():
    _verb, _, _rest = _line.partition(": ")
    _present, _participle, _stem = (part.strip() for part in _rest.split("|"))
    _PARTS[_verb] = (dict(zip(PERSONS, _present.split())), _participle, _stem)
_IMPERFECT = {0: "ais", 2: "ait", 3: "ions", 4: "iez", 5: "aient"}
_FUTURE = {0: "ai", 2: "a", 3: "ons", 4: "ez", 5: "ont"}
_REGULAR = {"er": (("e", "e", "ons", "ez", "ent"), "é"), "ir": (("is", "it", "issons", "issez", "issent"), "i"),
            "re": (("s", "", "ons", "ez", "ent"), "u")}
#: Verbs with être in the passé composé, beside all reflexive ones.
WITH_ETRE = ("aller", "arriver", "partir", "revenir", "venir", "tomber", "rester", "sortir")


def _parts(verb):
    if verb in _PARTS:
        return _PARTS[verb]
    stem, ending = verb[:-2], verb[-2:]
    endings, participle = _REGULAR[ending]
    present = {person: stem + end for person, end in zip(PERSONS, endings)}
    if stem.endswith("g"):
        present[3] = stem + "eons"
    return present, stem + participle, verb if ending != "re" else verb[:-1]


def conjugate(verb: str, tense: str, person: int) -> str:
    """A form of a verb. tense: present, imperfect or future; person: one of `PERSONS`."""
    present, _, stem = _parts(verb)
    if tense == "present":
        return present[person]
    if tense == "future":
        return stem + _FUTURE[person]
    root = {"être": "ét", "pleuvoir": "pleuv"}.get(verb) or present[3].removesuffix("ons")
    ending = _IMPERFECT[person]
    return (root.removesuffix("e") if root.endswith("ge") and ending[0] == "i" else root) + ending


def participle(verb: str, feminine: bool = False, plural: bool = False) -> str:
    """The past participle, agreeing."""
    form = _parts(verb)[1]
    form = "du" if form == "dû" and (feminine or plural) else form
    return form + "e" * feminine + "s" * (plural and not (form.endswith("s") and not feminine))
