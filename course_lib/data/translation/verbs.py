"""The verbs of the English-French grammar, with what their subjects and objects are.

Tables only, as in `lexicon`. Built in the chapter "A history of machine translation".
"""
from dataclasses import dataclass

_PEOPLE = "person job family"


@dataclass(frozen=True)
class Verb:
    """english, french: the head, which is inflected, and fixed words after it.

    preposition: "", "à" or "de", before the French object; reflexive: se laver; subject, object: kinds.
    flags: "stative" (imparfait for what was, no progressive), "instant" and "event" (no progressive),
    "affirmative" (an idiom that is not negated), "made" (what one writes), "the" and "every" (determiners of
    the object), "inverted" (the English object is the French subject), "own" (the object is the subject's
    own), "idiom", "gives", "clause" (the object is a clause), "weather" (without a subject).
    """
    english: tuple[str, str]
    french: tuple[str, str]
    preposition: str
    reflexive: bool
    subject: frozenset[str]
    object: frozenset[str]
    flags: frozenset[str]


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
cost a fortune | cost an arm and a leg | coûter les yeux de la tête | vehicle building machine | | idiom affirmative
be hoarse | have a frog in POSSESSIVE throat | avoir un chat dans la gorge | {_PEOPLE} | | stative idiom affirmative
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
