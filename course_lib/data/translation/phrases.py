"""Fixed phrases in English and French; numbers after a slash tell which words translate each other."""

#: concept -> (English, French)
PREPOSITIONS = {
    "in": ("in", "dans"), "on": ("on", "sur"), "under": ("under", "sous"), "behind": ("behind", "derrière"),
    "near": ("near", "près/0 de"), "in front of": ("in front/0 of", "devant/0"),
    "opposite": ("opposite", "en face/0 de"), "next to": ("next to", "à côté/0 de"),
    "to": ("to", "à"), "at": ("at", "à"), "from": ("from", "de"), "out of": ("out of", "de"), "with": ("with", "avec"),
}
PREPOSITIONS = {concept: tuple(text if "/" in text or " " in text else f"{text}/0" for text in pair)
                for concept, pair in PREPOSITIONS.items()}
PREPOSITIONS |= {"opposite": ("opposite/0", "en face/0 de"), "near": ("near/0", "près/0 de"),
                 "next to": ("next/0 to/1", "à côté/0 de/1"), "out of": ("of/0", "de/0")}

#: concept -> (English, French, the tenses it goes with)
TIMES = {
    "today": ("today", "aujourd'hui", "present"), "now": ("now", "maintenant", "present"),
    "this evening": ("this/1 evening/2", "ce/1 soir/2", "future"),
    "every day": ("every/1 day/2", "tous/1 les jours/2", "habit"),
    "every morning": ("every/1 morning/2", "tous/1 les matins/2", "habit"),
    "on Sundays": ("on/1 Sundays/2", "le/1 dimanche/2", "habit"),
    "in spring": ("in/1 spring/2", "au/1 printemps/2", "habit"),
    "in winter": ("in/1 winter/2", "en/1 hiver/2", "habit"),
    "yesterday": ("yesterday", "hier", "past"), "last night": ("last/1 night/2", "hier/1 soir/2", "past"),
    "last week": ("last/1 week/2", "la semaine/2 dernière/1", "past"),
    "last year": ("last/1 year/2", "l' année/2 dernière/1", "past"),
    "this morning": ("this/1 morning/2", "ce/1 matin/2", "past"),
    "two days ago": ("two/1 days/2 ago/3", "il y/3 a/3 deux/1 jours/2", "past"),
    "a month ago": ("a/1 month/2 ago/3", "il y/3 a/3 un/1 mois/2", "past"),
    "tomorrow": ("tomorrow", "demain", "future"),
    "next week": ("next/1 week/2", "la semaine/2 prochaine/1", "future"),
    "next month": ("next/1 month/2", "le mois/2 prochain/1", "future"),
    "on Monday": ("on Monday/1", "lundi/1", "future"), "soon": ("soon", "bientôt", "future"),
    "for two hours": ("for/1 two/2 hours/3", "depuis/1 deux/2 heures/3", "since"),
    "for a week": ("for/1 a/2 week/3", "depuis/1 une/2 semaine/3", "since"),
    "since yesterday": ("since/1 yesterday/2", "depuis/1 hier/2", "since"),
    "since this morning": ("since/1 this/2 morning/3", "depuis/1 ce/2 matin/3", "since"),
    "for ten minutes": ("for/1 ten/2 minutes/3", "depuis/1 dix/2 minutes/3", "since"),
    "before dinner": ("before/1 dinner/2", "avant/1 le dîner/2", "past"),
    "after lunch": ("after/1 lunch/2", "après/1 le déjeuner/2", "past"),
}
#: concept -> (English, French)
ADVERBS = {"often": ("often", "souvent"), "always": ("always", "toujours"), "already": ("already", "déjà"),
           "still": ("still", "encore"), "sometimes": ("sometimes", "parfois"), "rarely": ("rarely", "rarement")}
CONJUNCTIONS = {"and": ("and/0", "et/0"), "but": ("but/0", "mais/0"), "because": ("because/0", "parce/0 que"),
                "when": ("when/0", "quand/0"), "while": ("while/0", "pendant/0 que"), "so": ("so/0", "donc/0"),
                "if": ("if/0", "si/0")}
NUMERALS = dict(zip("two three four five six seven eight nine ten eleven twelve".split(),
                    "deux trois quatre cinq six sept huit neuf dix onze douze".split()))
AGES = NUMERALS | {"twenty": "vingt", "thirty": "trente", "forty": "quarante", "sixty": "soixante",
                   "eighty": "quatre-vingts"}
