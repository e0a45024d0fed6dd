"""The words of the English-French grammar: what each concept is called in both languages, and what goes with what.

Tables only, and the inflection that can be computed from them. A concept is named by its English word, with
a hint in brackets where one English word is several concepts: "pen (ink)" is a stylo, "pen (sheep)" an
enclos. Built in the chapter "A history of machine translation".
"""
import re
from dataclasses import dataclass


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


@dataclass(frozen=True)
class Verb:
    """english, french: the head, which is inflected, and fixed words after it.

    preposition: "", "à" or "de", before the French object; reflexive: se laver; subject, object: kinds.
    flags: "stative" (imparfait for what was, no progressive), "instant" and "event" (no progressive), "affirmative" (an idiom that is not negated),
    "made" (what one writes), "the" and "every" (determiners of the object), "inverted" (the English object is the French subject), "idiom", "own" (the object is the subject's own).
    """
    english: tuple[str, str]
    french: tuple[str, str]
    preposition: str
    reflexive: bool
    subject: frozenset[str]
    object: frozenset[str]
    flags: frozenset[str]


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
toy, jouet, m, thing; ladder, échelle, f, thing; toothbrush, brosse à dents, f, thing
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
kitchen chair, chaise de cuisine, f, furniture; wine glass, verre à vin, m, thing; tennis ball, balle de tennis, f, thing
wool scarf, écharpe en laine, f, clothing; leather bag, sac en cuir, m, container; silk dress, robe de soie, f, clothing
straw hat, chapeau de paille, m, clothing; winter coat, manteau de hiver, m, clothing; gold watch, montre en or, f, machine
history teacher, professeur de histoire, m, job; music teacher, professeur de musique, m, job
law student, étudiant en droit, m, job; fishing boat, bateau de pêche, m, vehicle; glass door, porte en verre, f, opening
stone house, maison de pierre, f, building; apple tart, tarte aux pommes, f, fruit; orange juice, jus de orange, m, drink
chocolate cake, gâteau au chocolat, m, fruit; fish soup, soupe de poisson, f, meal; sewing machine, machine à coudre, f, machine
police dog, chien policier, m, animal; bus driver, conducteur de bus, m, job; bedside lamp, lampe de chevet, f, machine
garden chair, chaise de jardin, f, furniture; cookery book, livre de cuisine, m, text; love letter, lettre de amour, f, text
detective novel, roman policier, m, text; kitchen knife, couteau de cuisine, m, thing; paper bag, sac en papier, m, container
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

#: name: gender. Both languages write them alike.
NAMES = dict(Paul="m", Marie="f", Anne="f", Julie="f", Pierre="m", Luc="m", Alice="f", Louis="m", Sophie="f", Victor="m")

_PEOPLE, _THINGS = "person job family", "thing container machine furniture"
# English | masculine, feminine, masculine before a vowel where it differs | before or after | kinds
_ADJECTIVES = f"""
big | grand grande | before | animal {_THINGS} place building room clothing vehicle plant river
small | petit petite | before | animal {_THINGS} place building room clothing vehicle plant fruit pen
tall | grand grande | before | {_PEOPLE}
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
old: boy girl child student sister brother, plant (green), glass; young: boy girl child grandmother father mother aunt uncle
good: king man woman boy girl hero nurse; tall: man mother father grandmother uncle aunt brother sister hero king queen friend child
small: nail (iron); big: egg mouse, nail (iron), key; heavy: nail (iron), mirror, pen (ink), toothbrush
light: table, nail (iron), washing machine; beautiful: sheep hospital cow mouse hedgehog, plant (factory), bank (money)
pretty: nail (iron), castle hospital knife ladder, bat (ball), plant (factory), bank (money), key ball toothbrush
bad: water milk; happy: hero; cold: bread cheese fish wine water milk; hot: cheese fish wine; strange: plant (factory)
red: picture mirror glass gift, nail (iron), tree; green: picture mirror glass gift, nail (iron), tree
white: picture mirror glass gift, nail (iron), tree bear hedgehog, plant (green), hospital, plant (factory), bank (money)
black: picture mirror glass gift, nail (iron); blue: picture mirror glass gift, nail (iron)
yellow: picture mirror glass gift, nail (iron), tree, plant (green); red: plant (green); grey: hotel hospital school, plant (factory), bank (money)
famous: village poem letter story student farmer nurse; new: student farmer baker; dry: tree; expensive: ball, nail (iron), toothbrush, shoe
sad: paper (news); dangerous: hedgehog rabbit duck owl mouse donkey goat sheep cat bird; empty: bank (money), plant (factory); dirty: armchair; broken: washing machine; interesting: truth way; fresh: potato cake bean
"""
UNSAID = set()
for _part in _UNSAID.replace("\n", ";").split(";"):
    _adjective, _, _words = _part.strip().partition(":")
    UNSAID |= {(_adjective, _word) for _words in _words.split(",")
               for _word in ([_words.strip()] if "(" in _words and _words.strip() in NOUNS or _words.strip() in NOUNS
                             else re.findall(r"\w+ \(\w+\)|\w+", _words))}
ADJECTIVES = {}
for _line in _ADJECTIVES.strip().splitlines():
    _english, _french, _side, _kinds = (field.strip() for field in _line.split("|"))
    _masculine, _feminine, *_vowel = _french.split()
    ADJECTIVES[_english] = Adjective(_english.partition(" (")[0], (_masculine, _feminine, *(_vowel or [_masculine])),
                                     _side == "before", frozenset(_kinds.split()))

_WARES = "thing container machine furniture clothing vehicle text fruit meal"
# concept | English | French | kinds of subject | kinds of object | flags
_VERBS = f"""
sleep | sleep | dormir | {_PEOPLE} animal flyer | |
work | work | travailler | {_PEOPLE} | |
cry | cry | pleurer | {_PEOPLE} | |
laugh | laugh | rire | {_PEOPLE} | |
sing | sing | chanter | {_PEOPLE} | |
dance | dance | danser | {_PEOPLE} | |
smile | smile | sourire | {_PEOPLE} | |
swim | swim | nager | {_PEOPLE} | |
run | run | courir | {_PEOPLE} animal | |
arrive | arrive | arriver | {_PEOPLE} transport | | event
leave (go) | leave | partir | {_PEOPLE} transport | | event
come back | come back | revenir | {_PEOPLE} animal | | event
fall | fall | tomber | {_PEOPLE} animal | | event
stay | stay | rester | {_PEOPLE} animal | |
go out | go out | sortir | {_PEOPLE} animal | | event
go | go | aller | {_PEOPLE} | |
wake up | wake up | se réveiller | {_PEOPLE} | | event
get up | get up | se lever | {_PEOPLE} | | event
hide (self) | hide | se cacher | {_PEOPLE} animal flyer | |
rest | rest | se reposer | {_PEOPLE} animal | |
get dressed | get dressed | s'habiller | {_PEOPLE} | |
walk | go for a walk | se promener | {_PEOPLE} | |
see | see | voir | {_PEOPLE} animal | {_PEOPLE} animal building vehicle plant flyer | instant
hear | hear | entendre | {_PEOPLE} | {_PEOPLE} animal transport song | instant
read | read | lire | {_PEOPLE} | text |
write | write | écrire | {_PEOPLE} | text song | made
eat | eat | manger | {_PEOPLE} animal | fruit meal |
drink | drink | boire | {_PEOPLE} | drink |
buy | buy | acheter | {_PEOPLE} | {_WARES} fire candle drink |
sell | sell | vendre | {_PEOPLE} | {_WARES} |
find | find | trouver | {_PEOPLE} | thing container clothing text animal fire | instant
lose | lose | perdre | {_PEOPLE} | thing clothing text | instant
open | open | ouvrir | {_PEOPLE} | opening container |
close | close | fermer | {_PEOPLE} | opening container |
break | break | casser | {_PEOPLE} | machine furniture | instant
wash | wash | laver | {_PEOPLE} | clothing vehicle |
carry | carry | porter | {_PEOPLE} | container furniture |
wear | wear | porter | {_PEOPLE} | clothing |
draw | draw | dessiner | {_PEOPLE} | animal building plant vehicle flyer |
look for | look for | chercher | {_PEOPLE} animal | thing clothing animal |
wait for | wait for | attendre | {_PEOPLE} | {_PEOPLE} transport |
listen to | listen to | écouter | {_PEOPLE} | {_PEOPLE} song sound | the
look at | look at | regarder | {_PEOPLE} | {_PEOPLE} animal plant vehicle thing |
watch | watch | regarder | {_PEOPLE} | match | the
win | win | gagner | {_PEOPLE} | match | instant the
know (be familiar) | know | connaître | {_PEOPLE} | {_PEOPLE} building song place fact | stative the
know (a fact) | know | savoir | {_PEOPLE} | | stative clause
love | love | aimer | {_PEOPLE} | {_PEOPLE} animal | stative the
love (food) | love | aimer | {_PEOPLE} | meal drink fruit | stative every
have | have | avoir | {_PEOPLE} | animal vehicle container | stative
help | help | aider | {_PEOPLE} | {_PEOPLE} |
follow | follow | suivre | {_PEOPLE} animal | {_PEOPLE} animal vehicle |
visit (a place) | visit | visiter | {_PEOPLE} | building |
visit (a person) | visit | rendre visite à | {_PEOPLE} | {_PEOPLE} |
repair | repair | réparer | {_PEOPLE} | vehicle machine furniture |
clean | clean | nettoyer | {_PEOPLE} | room furniture opening |
forget | forget | oublier | {_PEOPLE} | thing container clothing text | instant
understand | understand | comprendre | {_PEOPLE} | text question | instant the
choose | choose | choisir | {_PEOPLE} | clothing thing fruit furniture | instant
finish | finish | finir | {_PEOPLE} | text song | made
thank | thank | remercier | {_PEOPLE} | {_PEOPLE} | instant
call | call | appeler | {_PEOPLE} | {_PEOPLE} |
obey | obey | obéir à | {_PEOPLE} animal | {_PEOPLE} | the
answer | answer | répondre à | {_PEOPLE} | {_PEOPLE} question | the
phone | phone | téléphoner à | {_PEOPLE} | {_PEOPLE} |
need | need | avoir besoin de | {_PEOPLE} | thing container machine vehicle | stative
be afraid of | be afraid/1 of | avoir peur/1 de | {_PEOPLE} animal | animal flyer | stative
remember | remember | se souvenir de | {_PEOPLE} | {_PEOPLE} building place song text | stative the
take care of | look after | s'occuper de | {_PEOPLE} | {_PEOPLE} animal | the
leave (a place) | leave | quitter | {_PEOPLE} | building place room | instant the
chase | chase | poursuivre | animal | animal |
feed | feed | nourrir | {_PEOPLE} | animal |
water | water | arroser | {_PEOPLE} | plant |
light | light | allumer | {_PEOPLE} | candle |
strike | strike | craquer | {_PEOPLE} | fire |
play (game) | play | jouer à | {_PEOPLE} | game | every
play (instrument) | play | jouer de | {_PEOPLE} | instrument | the
miss | miss | manquer à | {_PEOPLE} | {_PEOPLE} animal | stative inverted
like | like | plaire à | {_PEOPLE} | thing clothing text building song furniture vehicle container | stative inverted
wash (own) | wash | se laver | {_PEOPLE} | body | own
brush (own) | brush | se brosser | {_PEOPLE} | body | own
cut (own) | cut | se couper | {_PEOPLE} | body | own
break (own) | break | se casser | {_PEOPLE} | limb | own
be hungry | be hungry/1 | avoir faim/1 | {_PEOPLE} animal | | stative idiom
be thirsty | be thirsty/1 | avoir soif/1 | {_PEOPLE} animal | | stative idiom
be cold | be cold/1 | avoir froid/1 | {_PEOPLE} animal | | stative idiom
be sleepy | be sleepy/1 | avoir sommeil/1 | {_PEOPLE} | | stative idiom
be right | be right/1 | avoir raison/1 | {_PEOPLE} | | stative idiom
be wrong | be wrong/1 | avoir tort/1 | {_PEOPLE} | | stative idiom
feel blue | feel blue | avoir le cafard | {_PEOPLE} | | stative idiom
sleep like a log | sleep like/1 a/2 log | dormir comme/1 une/2 souche | {_PEOPLE} | | idiom affirmative
spill the beans | spill the beans | vendre la mèche | {_PEOPLE} | | idiom
play a trick on | play a/1 trick/2 on | jouer un/1 tour/2 à | {_PEOPLE} | {_PEOPLE} | idiom affirmative
beat around the bush | beat around/1 the/2 bush | tourner autour/1 du/2 pot | {_PEOPLE} | | idiom
be over the moon | be over the moon | être aux anges | {_PEOPLE} | | stative idiom
cost an arm and a leg | cost an arm and a leg | coûter les yeux de la tête | vehicle building machine | | idiom affirmative
say nothing (frog) | have a frog in POSSESSIVE throat | avoir un chat dans la gorge | {_PEOPLE} | | stative idiom affirmative
give | give | donner | {_PEOPLE} | thing container text clothing fruit plant | gives
show | show | montrer | {_PEOPLE} | thing clothing text vehicle machine plant | gives
send | send | envoyer | {_PEOPLE} | text container | gives
lend | lend | prêter | {_PEOPLE} | thing text clothing vehicle machine | gives
sell (to) | sell | vendre | {_PEOPLE} | vehicle furniture machine animal | gives
say | say | dire | {_PEOPLE} | | clause
think | think | penser | {_PEOPLE} | | clause stative
be | be | être | | | stative
rain | rain | pleuvoir | | | weather
snow | snow | neiger | | | weather
rain hard | rain cats and dogs | pleuvoir des cordes | | | weather idiom affirmative
be cold (weather) | be cold/1 | faire froid/1 | | | weather stative
be nice (weather) | be nice/1 | faire beau/1 | | | weather stative
"""
VERBS = {}
for _line in _VERBS.strip().splitlines():
    _concept, _english, _french, _subject, _object, _flags = (field.strip() for field in _line.split("|"))
    _reflexive = _french.startswith(("se ", "s'"))
    _french = _french.removeprefix("se ").removeprefix("s'")
    _preposition = _french.rpartition(" ")[2] if _french.endswith((" à", " de")) else ""
    _french = _french.removesuffix(f" {_preposition}") if _preposition else _french
    _head, _, _rest = _english.partition(" ")
    _tete, _, _reste = _french.partition(" ")
    VERBS[_concept] = Verb((_head, _rest), (_tete, _reste), _preposition, _reflexive, frozenset(_subject.split()),
                           frozenset(_object.split()), frozenset(_flags.split()))
