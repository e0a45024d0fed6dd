"""The words of the English-French grammar: what each concept is called in both languages, and what goes with what.

Tables only, and the inflection that can be computed from them. A concept is named by its English word, with
a hint in brackets where one English word is several concepts: "pen (ink)" is a stylo, "pen (sheep)" an
enclos. Built in the chapter "A history of machine translation".
"""
from dataclasses import dataclass

from course_lib.data.translation.verbs import VERBS, Verb

__all__ = ["Noun", "Adjective", "Verb", "NOUNS", "ADJECTIVES", "VERBS", "NAMES", "UNSAID", "H_ASPIRE", "english_plural",
           "french_plural"]


@dataclass(frozen=True)
class Noun:
    """english, french: singular and plural; gender: "m" or "f"; kind: what verbs and adjectives go by."""
    english: tuple[str, str]
    french: tuple[str, str]
    gender: str
    kind: str


@dataclass(frozen=True)
class Adjective:
    """french: masculine, feminine, and the masculine before a vowel; kinds: of the nouns it goes with."""
    english: str
    french: tuple[str, str, str]
    before: bool
    kinds: frozenset[str]


IRREGULAR_PLURALS = dict(
    man="men", woman="women", child="children", mouse="mice", sheep="sheep", knife="knives", wife="wives",
    tooth="teeth", scarf="scarves", glasses="glasses", hair="hair", leaf="leaves", fish="fish")

# concept, French singular, gender, kind. The English word is the concept without what stands in brackets.
_NOUNS = """
boy, garçon, m, person; girl, fille, f, person; man, homme, m, person; woman, femme, f, person
child, enfant, m, person; teacher, professeur, m, job; doctor, médecin, m, job; baker, boulanger, m, job
farmer, fermier, m, job; neighbour, voisin, m, person; friend, ami, m, person; student, étudiant, m, job
brother, frère, m, family; sister, sœur, f, family; mother, mère, f, family; father, père, m, family
grandmother, grand-mère, f, family; uncle, oncle, m, family; aunt, tante, f, family; king, roi, m, person
queen, reine, f, person; hero, héros, m, person; nurse, infirmière, f, person; singer, chanteuse, f, person
cat, chat, m, animal; dog, chien, m, animal; horse, cheval, m, animal; bird, oiseau, m, animal
mouse, souris, f, animal; sheep, mouton, m, animal; goat, chèvre, f, animal; cow, vache, f, animal
owl, hibou, m, animal; hedgehog, hérisson, m, animal; rabbit, lapin, m, animal; duck, canard, m, animal
donkey, âne, m, animal; bear, ours, m, animal; bat (wings), chauve-souris, f, flyer
apple, pomme, f, fruit; egg, œuf, m, fruit; orange, orange, f, fruit; potato, pomme de terre, f, fruit
pear, poire, f, fruit; carrot, carotte, f, fruit; bean, haricot, m, fruit; cake, gâteau, m, fruit
bread, pain, m, meal; cheese, fromage, m, meal; meat, viande, f, meal; soup, soupe, f, meal; fish, poisson, m, meal
water, eau, f, drink; milk, lait, m, drink; coffee, café, m, drink; tea, thé, m, drink; wine, vin, m, drink
book, livre, m, text; letter, lettre, f, text; paper (news), journal, m, text; novel, roman, m, text
story, histoire, f, text; poem, poème, m, text
key, clé, f, thing; ball, ballon, m, thing; bag, sac, m, container; box, boîte, f, container
basket, panier, m, thing; knife, couteau, m, thing; pen (ink), stylo, m, thing; watch, montre, f, machine
umbrella, parapluie, m, thing; lamp, lampe, f, machine; chair, chaise, f, furniture; table, table, f, furniture
armchair, fauteuil, m, furniture; picture, tableau, m, thing; mirror, miroir, m, thing; clock, horloge, f, machine
toy, jouet, m, thing; ladder, échelle, f, thing; plate, assiette, f, thing; sword, épée, f, thing
toothbrush, brosse à dents, f, thing
washing machine, machine à laver, f, machine; bat (ball), batte, f, thing; nail (iron), clou, m, thing
glass, verre, m, thing; gift, cadeau, m, thing; flower, fleur, f, plant; tree, arbre, m, plant; rose, rose, f, plant
shirt, chemise, f, clothing; dress, robe, f, clothing; coat, manteau, m, clothing; hat, chapeau, m, clothing
shoe, chaussure, f, clothing; scarf, écharpe, f, clothing; skirt, jupe, f, clothing; jersey, pull, m, clothing
car, voiture, f, vehicle; bicycle, vélo, m, vehicle; boat, bateau, m, vehicle; lorry, camion, m, vehicle
train, train, m, transport; bus, bus, m, transport; plane, avion, m, transport
house, maison, f, building; garden, jardin, m, place; school, école, f, building; market, marché, m, place
church, église, f, building; kitchen, cuisine, f, room; bedroom, chambre, f, room; forest, forêt, f, place
park, parc, m, place; station, gare, f, place; office, bureau, m, room; hotel, hôtel, m, building
village, village, m, place; town, ville, f, place; farm, ferme, f, building; island, île, f, place
castle, château, m, building; hospital, hôpital, m, building; river, rivière, f, river
bank (money), banque, f, building; bank (river), rive, f, river; pen (sheep), enclos, m, pen
plant (factory), usine, f, building; plant (green), plante, f, plant
door, porte, f, opening; window, fenêtre, f, opening
hand, main, f, body; hair, cheveu, m, body; tooth, dent, f, body; nail (finger), ongle, m, body
leg, jambe, f, limb; arm, bras, m, limb
football, football, m, game; chess, échecs, m, game; tennis, tennis, m, game; cards, cartes, f, game
piano, piano, m, instrument; violin, violon, m, instrument; guitar, guitare, f, instrument
harp, harpe, f, instrument; flute, flûte, f, instrument
question, question, f, question; answer, réponse, f, fact; truth, vérité, f, fact; way, chemin, m, fact
song, chanson, f, song; radio, radio, f, sound; music, musique, f, sound; match (game), match, m, match
kitchen chair, chaise de cuisine, f, furniture; wine glass, verre à vin, m, thing
tennis ball, balle de tennis, f, thing
wool scarf, écharpe en laine, f, clothing; leather bag, sac en cuir, m, container
silk dress, robe de soie, f, clothing
straw hat, chapeau de paille, m, clothing; winter coat, manteau de hiver, m, clothing
gold watch, montre en or, f, machine
history teacher, professeur de histoire, m, job; music teacher, professeur de musique, m, job
law student, étudiant en droit, m, job; fishing boat, bateau de pêche, m, vehicle
glass door, porte en verre, f, opening
stone house, maison de pierre, f, building; apple tart, tarte aux pommes, f, fruit
orange juice, jus de orange, m, drink
chocolate cake, gâteau au chocolat, m, fruit; fish soup, soupe de poisson, f, meal
sewing machine, machine à coudre, f, machine
police dog, chien policier, m, animal; bus driver, conducteur de bus, m, job
bedside lamp, lampe de chevet, f, machine
garden chair, chaise de jardin, f, furniture; cookery book, livre de cuisine, m, text
love letter, lettre de amour, f, text
detective novel, roman policier, m, text; kitchen knife, couteau de cuisine, m, thing
paper bag, sac en papier, m, container
race, course, f, match; match (fire), allumette, f, fire; candle, bougie, f, candle
"""
# Only ever one or many: (English, French)
_FIXED = {"chess": ("chess", "échecs"), "cards": ("cards", "cartes"), "hair": ("hair", "cheveux")}
H_ASPIRE = ("héros", "hibou", "hiboux", "hérisson", "hérissons", "haricot", "haricots", "harpe", "harpes", "haut",
            "hausse", "huit", "onze")
_SPECIAL_PLURALS = {"bijou": "bijoux", "hibou": "hiboux", "bonhomme": "bonshommes", "cheveu": "cheveux"}


def english_plural(word: str) -> str:
    """Plural of an English noun; of several words, that of the last."""
    *before, last = word.split()
    if last in IRREGULAR_PLURALS:
        last = IRREGULAR_PLURALS[last]
    elif last.endswith(("s", "x", "ch", "sh", "potato", "hero")):
        last += "es"
    else:
        last = last[:-1] + "ies" if last[-1] == "y" and last[-2] not in "aeiou" else last + "s"
    return " ".join([*before, last])


def french_plural(word: str) -> str:
    """Plural of a French noun or masculine adjective; of several words ("pomme de terre"), that of the first."""
    head, *rest = word.split()
    rest = [french_plural(adjective) if adjective == "policier" else adjective for adjective in rest]
    if head == "chauve-souris":
        plural = "chauves-souris"
    elif head.startswith("grand-"):
        plural = "grands-" + head.removeprefix("grand-") + "s"
    elif head in _SPECIAL_PLURALS:
        plural = _SPECIAL_PLURALS[head]
    elif head[-1] in "sxz":
        plural = head
    elif head.endswith(("eau", "eu")) and head != "bleu":
        plural = head + "x"
    else:
        plural = head[:-2] + "aux" if head.endswith("al") else head + "s"
    return " ".join([plural, *rest])


def _rows(text):
    return [[field.strip() for field in row.split(",")] for row in text.replace("\n", ";").split(";") if row.strip()]


NOUNS = {}
for _concept, _french, _gender, _kind in _rows(_NOUNS):
    _word = _concept.partition(" (")[0]
    _en, _fr = _FIXED.get(_concept, (None, None))
    NOUNS[_concept] = Noun((_en, _en) if _en else (_word, english_plural(_word)),
                           (_fr, _fr) if _fr else (_french, french_plural(_french)), _gender, _kind)

#: name -> gender. Both languages write them alike.
NAMES = dict(Paul="m", Marie="f", Anne="f", Julie="f", Pierre="m", Luc="m", Alice="f", Louis="m", Sophie="f",
             Victor="m")

_PEOPLE, _THINGS = "person job family", "thing container machine furniture"
# English | masculine, feminine, masculine before a vowel where it differs | before or after | kinds
_ADJECTIVES = f"""
big | grand grande | before | animal {_THINGS} place building room clothing vehicle plant river
small | petit petite | before | animal {_THINGS} place building room clothing vehicle plant fruit pen
tall | grand grande | before | person
beautiful | beau belle bel | before | animal place building plant text clothing song vehicle
old | vieux vieille vieil | before | {_PEOPLE} animal {_THINGS} place building clothing vehicle text song
new | nouveau nouvelle nouvel | before | job thing machine building clothing vehicle text furniture song
new (unused) | neuf neuve | after | thing machine building clothing vehicle furniture
young | jeune jeune | before | {_PEOPLE} animal
good | bon bonne | before | {_PEOPLE} fruit meal text drink
bad | mauvais mauvaise | before | text meal drink
pretty | joli jolie | before | clothing plant building room furniture thing
long | long longue | before | text river
red | rouge rouge | after | clothing vehicle thing plant container furniture opening
green | vert verte | after | clothing vehicle thing container furniture opening
white | blanc blanche | after | animal clothing vehicle thing furniture building plant
black | noir noire | after | animal clothing vehicle thing
blue | bleu bleue | after | clothing vehicle thing container opening
yellow | jaune jaune | after | clothing vehicle thing plant furniture
grey | gris grise | after | animal clothing vehicle building
round | rond ronde | after | furniture container room
sad | triste triste | after | {_PEOPLE} text song
happy | heureux heureuse | after | {_PEOPLE}
tired | fatigué fatiguée | after | {_PEOPLE} animal
rich | riche riche | after | {_PEOPLE}
intelligent | intelligent intelligente | after | {_PEOPLE} animal
lazy | paresseux paresseuse | after | {_PEOPLE} animal
brave | courageux courageuse | after | {_PEOPLE}
proud | fier fière | after | person family
jealous | jaloux jalouse | after | person family
famous | célèbre célèbre | after | job building text song
dangerous | dangereux dangereuse | after | animal river
heavy | lourd lourde | after | {_THINGS}
light | léger légère | after | {_THINGS} clothing
expensive | cher chère | after | {_THINGS} clothing vehicle
cold | froid froide | after | meal drink
hot | chaud chaude | after | meal drink
fresh | frais fraîche | after | fruit
dry | sec sèche | after | plant
empty | vide vide | after | container room building
dirty | sale sale | after | clothing vehicle room furniture
broken | cassé cassée | after | machine furniture
strange | étrange étrange | after | text place song animal
interesting | intéressant intéressante | after | text fact
difficult | difficile difficile | after | question text
"""
#: Not said, or said otherwise: un grand homme is a great man, une bonne femme no compliment.
_UNSAID = """
old: boy girl child student sister brother, plant (green), glass
young: boy girl child grandmother father mother aunt uncle
good: king man woman boy girl hero nurse
tall: man mother father grandmother uncle aunt brother sister hero king queen friend child
small: nail (iron); big: egg mouse, nail (iron), key; heavy: nail (iron), mirror, pen (ink), toothbrush
light: table, nail (iron), washing machine
beautiful: sheep hospital cow mouse hedgehog, plant (factory), bank (money)
pretty: nail (iron), castle hospital knife ladder, bat (ball), plant (factory), bank (money), key ball toothbrush
bad: water milk; happy: hero; cold: bread cheese fish wine water milk; hot: cheese fish wine; strange: plant (factory)
red: picture mirror glass gift, nail (iron), tree; green: picture mirror glass gift, nail (iron), tree
white: picture mirror glass gift, nail (iron), tree bear hedgehog, plant (green), hospital
white: plant (factory), bank (money)
black: picture mirror glass gift, nail (iron); blue: picture mirror glass gift, nail (iron)
yellow: picture mirror glass gift, nail (iron), tree, plant (green); red: plant (green)
grey: hotel hospital school, plant (factory), bank (money)
famous: village poem letter story student farmer nurse; new: student farmer baker; dry: tree
expensive: ball, nail (iron), toothbrush, shoe
sad: paper (news); dangerous: hedgehog rabbit duck owl mouse donkey goat sheep cat bird
empty: bank (money), plant (factory); dirty: armchair; broken: washing machine; interesting: truth way
fresh: potato cake bean
"""
UNSAID = set()
for _part in _UNSAID.replace("\n", ";").split(";"):
    _adjective, _, _words = _part.strip().partition(": ")
    for _some in filter(None, map(str.strip, _words.split(","))):
        UNSAID |= {(_adjective, _word) for _word in ([_some] if _some in NOUNS else _some.split())}
ADJECTIVES = {}
for _line in _ADJECTIVES.strip().splitlines():
    _english, _french, _side, _kinds = (field.strip() for field in _line.split("|"))
    _masculine, _feminine, *_vowel = _french.split()
    ADJECTIVES[_english] = Adjective(_english.partition(" (")[0], (_masculine, _feminine, *(_vowel or [_masculine])),
                                     _side == "before", frozenset(_kinds.split()))
