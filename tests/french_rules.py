"""French checked by what can be seen: rules and word lists of their own, nothing from course_lib.

`faults(tokens)` names what a careful reader would mark in a sentence of the corpus. Genders, adjectives and
persons are typed here again on purpose: a mistake in the generator's tables must not be in these too.
"""
import re

MASCULINE = set(
    """garçon homme enfant professeur médecin boulanger fermier voisin ami étudiant frère père oncle roi héros
conducteur chat chien cheval oiseau mouton hibou hérisson lapin canard âne ours œuf haricot gâteau pain
fromage poisson lait café thé vin jus livre journal roman poème ballon sac panier couteau stylo parapluie
fauteuil tableau miroir jouet clou verre cadeau arbre manteau chapeau pull vélo bateau camion train bus
avion jardin marché parc bureau hôtel village château hôpital enclos ongle bras football tennis piano
violon chemin match cheveu""".split())
FEMININE = set(
    """fille femme sœur mère grand-mère tante reine infirmière chanteuse souris chèvre vache chauve-souris pomme
orange poire carotte tarte viande soupe eau lettre histoire clé boîte montre lampe chaise table horloge
échelle brosse machine batte balle fleur rose chemise robe chaussure écharpe jupe voiture maison école
église cuisine chambre forêt gare ville ferme île rivière assiette épée banque rive usine plante porte fenêtre main dent
jambe guitare harpe flûte question réponse vérité chanson radio musique course allumette bougie""".split())
IRREGULAR = {"chevaux": "cheval", "journaux": "journal", "hôpitaux": "hôpital", "hiboux": "hibou", "cheveux": "cheveu",
             "grands-mères": "grand-mère", "chauves-souris": "chauve-souris"}
IRREGULAR |= {f"{word}x": word for word in MASCULINE if word.endswith("eau")}
ALIKE = {"souris", "ours", "bras", "bus", "héros", "jus", "chauve-souris"}  # one form for both numbers
ADJECTIVES = """grand grande grands grandes; petit petite petits petites; beau belle beaux belles
vieux vieille vieux vieilles; nouveau nouvelle nouveaux nouvelles; bon bonne bons bonnes
mauvais mauvaise mauvais mauvaises; joli jolie jolis jolies; long longue longs longues
vert verte verts vertes; blanc blanche blancs blanches; noir noire noirs noires; bleu bleue bleus bleues
gris grise gris grises; rond ronde ronds rondes; heureux heureuse heureux heureuses
fatigué fatiguée fatigués fatiguées; intelligent intelligente intelligents intelligentes
courageux courageuse courageux courageuses; paresseux paresseuse paresseux paresseuses
fier fière fiers fières; jaloux jalouse jaloux jalouses; lourd lourde lourds lourdes
léger légère légers légères; cher chère chers chères; froid froide froids froides
chaud chaude chauds chaudes; frais fraîche frais fraîches; sec sèche secs sèches
cassé cassée cassés cassées; dangereux dangereuse dangereux dangereuses
intéressant intéressante intéressants intéressantes; neuf neuve neufs neuves; jeune jeune jeunes jeunes
rouge rouge rouges rouges; jaune jaune jaunes jaunes; triste triste tristes tristes
riche riche riches riches; célèbre célèbre célèbres célèbres; vide vide vides vides; sale sale sales sales
étrange étrange étranges étranges; difficile difficile difficiles difficiles
meilleur meilleure meilleurs meilleures"""
FORMS = {}  # form -> its (feminine, plural) readings
for _row in ADJECTIVES.replace("\n", ";").split(";"):
    for _form, _reading in zip(_row.split(), ((False, False), (True, False), (False, True), (True, True))):
        FORMS.setdefault(_form, set()).add(_reading)
for _form in ("bel", "vieil", "nouvel"):
    FORMS[_form] = {(False, False)}
BEFORE = set("""grand petit beau bel vieux vieil nouveau nouvel bon mauvais joli long jeune meilleur grande petite belle
vieille nouvelle bonne mauvaise jolie longue meilleure grands petits beaux nouveaux bons jolis longs jeunes
meilleurs grandes petites belles vieilles nouvelles bonnes mauvaises jolies longues meilleures""".split())
DETERMINERS = {}  # word -> (feminine or None, plural)
for _words, _reading in (("le un ce cet du au quel", (False, False)), ("la une cette quelle", (True, False)),
                         ("les des ces mes ses nos vos leurs aux deux trois quatre cinq six sept huit neuf dix",
                          (None, True)),
                         ("quels", (False, True)), ("quelles", (True, True)), ("l' notre votre leur", (None, False)),
                         ("ma sa", (True, False)), ("mon son", (None, False))):
    DETERMINERS |= dict.fromkeys(_words.split(), _reading)
ASPIRATED = ("héros", "hibou", "hiboux", "hérisson", "hérissons", "haricot", "haricots", "harpe", "hausse",
              "huit", "onze")
ETRE = "suis est sommes êtes sont étais était étions étiez étaient serai sera serons serez seront".split()
AVOIR = "ai a avons avez ont".split()
PARTICLES = {"ne", "n'", "me", "m'", "se", "s'", "nous", "vous", "le", "la", "l'", "les", "lui", "leur", "y"}
ADVERBS = {"pas", "jamais", "plus", "souvent", "toujours", "parfois", "rarement", "déjà", "encore"}


def vowel(word):
    return bool(re.match("[aeiouâàéèêëîïôœh]", word.lower())) and word.lower() not in ASPIRATED or word == "y"


def noun(word):
    """(feminine, plural or None where it does not show) of a noun, None for another word."""
    for listed, feminine in ((MASCULINE, False), (FEMININE, True)):
        if word in ALIKE and word in listed:
            return feminine, None
        if word in listed:
            return feminine, False
        if word in IRREGULAR and IRREGULAR[word] in listed or word.endswith("s") and word[:-1] in listed:
            return feminine, True
    return None


COMPOUNDS = """brosse à dents; machine à laver; machine à coudre; verre à vin; chaise de cuisine; chaise de jardin
balle de tennis; écharpe en laine; sac en cuir; sac en papier; robe de soie; chapeau de paille
manteau d' hiver; montre en or; professeur d' histoire; professeur de musique; étudiant en droit
bateau de pêche; porte en verre; maison de pierre; tarte aux pommes; jus d' orange; gâteau au chocolat
soupe de poisson; conducteur de bus; lampe de chevet; livre de cuisine; lettre d' amour; couteau de cuisine
pomme de terre"""
_HEADS = {tuple(row.split()) for row in COMPOUNDS.replace("\n", ";").split(";")}


def collapsed(tokens):
    """The sentence with only the heads of compounds, so that an adjective stands beside its noun."""
    made, i = [], 0
    while i < len(tokens):
        made.append(tokens[i])
        tail = (tokens[i].rstrip("sx"), *tokens[i + 1:i + 3])
        i += 3 if tail in _HEADS else 2 if tokens[i + 1:i + 2] in (["policier"], ["policiers"]) else 1
    return made


def faults(tokens: list[str]) -> list[str]:
    """What is wrong with a tokenised French sentence."""
    found = [f"elision: {fault}" for fault in elision(
        tokens)] + [f"contraction: {fault}" for fault in contraction(tokens)]
    tokens = [*collapsed(tokens), "", ""]
    for check in (phrases_agree, verbs_agree, negation, clitics, participles, antecedents, inversion):
        found += [f"{check.__name__}: {fault}" for fault in check(tokens)]
    return found


def elision(tokens):
    for i, (word, after) in enumerate(zip(tokens, tokens[1:])):
        plural = noun(after) and number(tokens, i + 1)
        if word.lower() in ("le", "la", "je", "me", "se", "ne", "de", "que") and vowel(after):
            yield f"{word} {after}"
        if word.endswith("'") and not vowel(after):
            yield f"{word} {after}"
        if word in ("ce", "ma", "sa", "beau", "vieux", "nouveau") and vowel(after) and noun(after) and not plural:
            yield f"{word} {after}"
        if word in ("cet", "bel", "vieil", "nouvel") and not vowel(after):
            yield f"{word} {after}"
        if word == "si" and after in ("il", "ils"):
            yield "si il"


def contraction(tokens):
    for one, two, three in zip(tokens, tokens[1:], tokens[2:]):
        # "vient de le voir": a pronoun before an infinitive is not contracted
        if one in ("de", "à") and two in ("le", "les") and not re.search("(er|ir|re|oir)$", three):
            yield f"{one} {two} {three}"
        if one in ("du", "au", "aux") and two in ("le", "la", "les", "l'"):
            yield f"{one} {two}"


def noun_phrases(tokens):
    """(determiner, words between it and the noun, place of the noun)"""
    for i, word in enumerate(tokens):
        if noun(word) is not None:
            j = i - 1
            while j >= 0 and tokens[j] in BEFORE:
                j -= 1
            if word == "avions" and tokens[j] == "nous":
                continue  # a verb
            yield tokens[j] if j >= 0 else "", tokens[j + 1:i], i


def number(tokens, place):
    """Whether the noun at a place is plural, by its determiner if it does not show; None where nothing tells."""
    for determiner, _, i in noun_phrases(tokens):
        if i == place and determiner in DETERMINERS:
            return DETERMINERS[determiner][1]
    return noun(tokens[place])[1]


def phrases_agree(tokens):
    for determiner, before, i in noun_phrases(tokens):
        feminine, plural = noun(tokens[i])
        if determiner in DETERMINERS:
            its_gender, its_number = DETERMINERS[determiner]
            if plural is not None and its_number != plural or its_gender is not None and its_gender != feminine:
                yield f"{determiner} {tokens[i]}"
            plural = its_number
            if determiner in ("mon", "son") and feminine and not vowel((before or [tokens[i]])[0]):
                yield f"{determiner} {tokens[i]}"
        after = [word for word in tokens[i + 1:i + 2] if word in FORMS and word not in BEFORE and word != "neuf"]
        for adjective in [*before, *after]:
            if plural is not None and (feminine, plural) not in FORMS[adjective]:
                yield f"{tokens[i]} {adjective}"
        if not before and after == [] and tokens[i + 1:i + 2] and tokens[i + 1] in BEFORE:
            yield f"{tokens[i]} {tokens[i + 1]}: order"
    for one, two in zip(tokens, tokens[1:]):
        verb = two in ("ferme", "montre", "porte")
        if one in FORMS and one not in BEFORE and one != "neuf" and noun(two) is not None and not verb:
            yield f"{one} {two}: order"


_ENDINGS = {"je": "s|x|e|ai", "j'": "s|x|e|ai", "il": "t|d|e|a|c", "elle": "t|d|e|a|c", "nous": "ons|sommes",
            "vous": "ez|êtes|dites", "ils": "nt", "elles": "nt"}
_OPENING = ("", "que", "qu'", "mais", "et", "quand", "où", "donc")


def verbs_agree(tokens):
    for i, word in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        if word in _ENDINGS and before in _OPENING:
            j = i + 1
            while tokens[j] in PARTICLES:
                j += 1
            if not re.search(f"({_ENDINGS[word]})$", tokens[j]) and not tokens[j + 1].startswith("-"):
                yield f"{word} {tokens[j]}"
    determiner, _, i = next(noun_phrases(tokens), ("", (), 0))
    asks = determiner.startswith("quel")
    if determiner == tokens[0] and determiner in DETERMINERS and not asks and DETERMINERS[determiner][1]:
        k = i + 1
        while tokens[k] in FORMS or tokens[k] in PARTICLES:
            k += 1
        if tokens[k] not in ("de", "d'", "du", "des", "que", "qu'", "qui") and not tokens[k].endswith("nt"):
            yield f"{tokens[i]} {tokens[k]}"


def negation(tokens):
    for i, word in enumerate(tokens):
        if word in ("ne", "n'"):
            j = i + 1
            while tokens[j] in PARTICLES:
                j += 1
            after = [token for token in tokens[j + 1:j + 3] if not token.startswith("-")]
            if not after or after[0] not in ("pas", "jamais", "plus"):
                yield f"ne without pas: {tokens[j]}"
            rest = " ".join(tokens[j + 1:])
            participle = r"((?!et |mais )\S+(é|i|u|t|s)e?s? |\S+(er|ir|re) )?"
            a = rf"(-\S+ )?(pas|jamais|plus) (toujours |encore )?{participle}(un|une) "
            if tokens[j] not in ETRE and re.match(a, rest):
                yield "un after pas"
        if word in ("pas", "jamais") and not {"ne", "n'"} & set(tokens[max(0, i - 6):i]):
            yield f"{word} without ne"


_MODALS = set("""peux peut pouvons pouvez peuvent dois doit devons devez doivent veux veut voulons voulez veulent
sais sait savons savez savent""".split())


def clitics(tokens):
    rank = {**dict.fromkeys(("me", "m'", "se", "s'"), 1), **dict.fromkeys(("lui",), 3)}
    for i, (one, two) in enumerate(zip(tokens, tokens[1:])):
        if one in rank and two in rank and rank[one] >= rank[two]:
            yield f"{one} {two}"
        # With a modal and an infinitive the pronoun stands between them; elsewhere never behind its verb.
        infinitive = re.search("(er|ir|re)$", " ".join(tokens[i + 2:i + 3]))
        if one in ("me", "m'", "se", "s'", "lui") and two in _MODALS and infinitive:
            yield f"{one} {two}"
        subject = i and tokens[i - 1] in ("je", "j'", "il", "elle", "ils", "elles")
        if one in AVOIR and two in ("me", "se", "lui", "m'") and subject:
            yield f"{one} {two}"


def participles(tokens):
    """With être a participle agrees with the subject (a pronoun, or a noun just before), with avoir it does not."""
    for i, word in enumerate(tokens):
        if word in ("il", "elle", "ils", "elles") and (tokens[i - 1] if i else "") in _OPENING:
            feminine, plural, what = word.startswith("e"), word.endswith("s"), word
        elif noun(word) and number(tokens, i) is not None and not (i > 1 and (
                {"de", "du", "d'", "des", "et", "que", "qu'"} & set(tokens[max(0, i - 4):i]) or "qui" in tokens[:i])):
            feminine, plural, what = noun(word)[0], number(tokens, i), word
        else:
            continue
        j = i + 1
        while tokens[j] in PARTICLES or tokens[j] in FORMS and noun(word):
            j += 1
        passed, verb = tokens[i + 1:j], tokens[j]
        if verb.endswith("nt") != plural:
            continue  # the subject is another
        j += 1
        while tokens[j] in ADVERBS:
            j += 1
        form = tokens[j]
        known = form in _NO_FORMS or noun(form) is not None
        if verb in ("est", "sont", "était", "étaient") and re.search("(é|i|u|t|s|x)e?s?$", form) and not known:
            body = tokens[j + 2] in ("mains", "cheveux", "dents", "ongles", "jambe", "bras")
            own = {"s'", "se"} & set(passed) and body
            ending = "" if own else "e" * feminine + "s" * plural
            if form in FORMS and not own:
                if (feminine, plural) not in FORMS[form]:
                    yield f"{what} {verb} {form}"
            elif not re.search({"": "([^es]|is)$", "e": "e$", "s": "s$", "es": "es$"}[ending], form):
                yield f"{what} {verb} {form}"
        # "compris" and its like end in s whoever they agree with
        agrees = re.search("(é|i|u|t)(e|s|es)$", form) and form not in FORMS and form not in ("compris", "dits")
        if verb in ("a", "ont") and agrees and not known and not set(passed) & {"l'", "les", "nous", "vous", "m'"}:
            if (tokens[i - 1] if i else "") not in ("que", "qu'"):
                yield f"{what} {verb} {form}"


_NO_FORMS = set(DETERMINERS) | set("""quarante vingt trente soixante quatre-vingts dans sous près moins aussi devant
toujours encore plus sur fermier étudiant boulanger""".split())


def antecedents(tokens):
    """La maison que j'ai achetée: the participle agrees with what stands before."""
    for i, word in enumerate(tokens):
        k = i - 1 if i and noun(tokens[i - 1]) else i - 2
        if word not in ("que", "qu'") or k < 0 or noun(tokens[k]) is None or k != i - 1 and tokens[i - 1] not in FORMS:
            continue
        if {"plus", "moins", "aussi"} & set(tokens[max(0, k - 3):i]) or "est" in tokens[k:i]:
            continue
        for j in range(i + 1, min(i + 8, len(tokens) - 1)):
            if tokens[j] in ("et", "mais", "parce"):
                break
            form, before = tokens[j + 1], tokens[j - 1]
            participle = form not in ADVERBS and re.search("(é|i|u|t|s)e?s?$", form)
            if tokens[j] in AVOIR and participle and before not in ("lui", "leur", "m'", "l'", "les"):
                feminine, plural = noun(tokens[k])[0], number(tokens, k)
                e, s = re.search("(e?)(s?)$", form).groups()
                whatever = plural is None or plural is False and form.endswith("is")
                if bool(e) != feminine or bool(s) != plural and not whatever:
                    yield f"{tokens[k]} que {tokens[j]} {form}"
                break


def inversion(tokens):
    for verb, pronoun in zip(tokens, tokens[1:]):
        if re.match("-(t-)?(il|elle|on)", pronoun):
            hiatus = bool(re.search("[aec]$", verb))
            if pronoun.startswith("-t-") != hiatus or pronoun.endswith("s") and not verb.endswith("nt"):
                yield f"{verb}{pronoun}"
        ending = {"-vous": "(ez|es)$", "-nous": "(ons|sommes)$"}.get(pronoun, "")
        if not re.search(ending, verb):
            yield f"{verb}{pronoun}"
