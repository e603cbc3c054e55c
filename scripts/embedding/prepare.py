"""From records to matrices of token counts: documents, questions and the vocabulary."""

import json
import pickle
import random
import re
from collections import Counter

import numpy as np

from collect import whole
from tokenise import BODY, DEFINED, HEADER, LONGEST_WORD, NAME, Vocabulary, words

LANGUAGES = ["elixir", "erlang", "python", "rust"]
# How much a word's documents of a language count when the vocabulary is chosen, and how much one package can add.
SHARES, MOST_FROM_PACKAGE = {"elixir": 8, "erlang": 2}, 200
# Of a package in a language that is not the BEAM's: pairs at most, and for each half a function without documentation.
PAIRS_PER_PACKAGE, OTHERS_PER_PAIR = 600, 0.5
OTHERS_OF_ERLANG = 9000
LONGEST_BODY = 400

SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)(?<!vs)[.!?:;](?=\s|$)")
NO_PROSE = re.compile(
    r"\s*([#>|*+-]|\d+\.|```|iex>|\.\. | {4}|:\w+|@"
    r"|(Parameters|Returns?|Args|Arguments|Examples?|Raises|Notes?|See Also|Attributes)\b\s*:?\s*\n)"
)
IDENTIFIER = re.compile(r"_|/\d|::|^[:@&%~]|\w\.\w|[a-z][A-Z]|[A-Z][a-z]+[A-Z]|\w\(|[!?]\w|https?:|\\|[{}\[\]<>=|]")


def paragraphs(doc):
    """The first paragraphs of prose, without markup."""
    found = []
    for paragraph in re.split(r"\n\s*\n", doc.strip("\n")):
        if NO_PROSE.match(paragraph):
            if found:
                break
            continue
        text = re.sub(r"!?\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])", r"\1", " ".join(paragraph.split()))
        text = re.sub(r":\w+:`~?([^`<]*)[^`]*`", r"\1", text)
        found.append(re.sub(r"[*\"“”]", "", text))
        if len(found) == 3:
            break
    return found


def questions(doc):
    """What somebody might ask who wants to find the function: its first sentence without code, with code, and more of it."""
    texts = paragraphs(doc)
    if not texts:
        return None
    first = SENTENCE_END.split(texts[0], maxsplit=1)[0]
    plain = re.sub(r"<[^>]+>", " ", re.sub(r"(`+).*?\1", " ", first))
    prose = [word for word in plain.split() if not IDENTIFIER.search(word) and re.search(r"\w", word)]
    if len(prose) < 3:
        return None
    return " ".join(prose)[:300], first[:300], first[:300] + " ".join(texts)[len(first) : 600]


HEADS = {
    "rust": re.compile(r"^\s*(pub(\([^)]*\))?\s+)?((async|const|unsafe|extern \"C\")\s+)*fn\s+\w+"),
    "python": re.compile(r"\b(async )?(def|class)\s+\w+"),
}


def without_name(language, name, code):
    """The code without what names it, which is a field of its own."""
    if language in HEADS:
        return HEADS[language].sub(" ", code, count=1)
    if not name:
        return code
    if language == "erlang":
        return re.sub(rf"(?m)^{name}\(", " (", code)
    return DEFINED.sub(b" ", code.encode()).decode(errors="replace")


def split(text):
    return [word.decode() for word in words(text.encode()) if word.isascii() and len(word) <= LONGEST_WORD]


def tokenised(cache, path):
    """For each record of a file: its file, and the words of header, name, body and, if it is documented, questions."""
    language = path.name.split(".")[0]

    def make(partial):
        rows, seen = [], set()
        for line in open(path, encoding="utf-8"):
            record = json.loads(line)
            asked = questions(record["doc"]) if record["doc"] else None
            if asked and asked[0].lower() in seen:  # A sentence that says the same of two functions tells neither of them.
                asked = None
            elif asked:
                seen.add(asked[0].lower())
            body = split(without_name(language, record["name"], record["code"]))[:LONGEST_BODY]
            header = split(f"{record['module']} ({record['file']})")
            rows.append((record["file"], header, split(record["name"]), body, asked and [split(text) for text in asked]))
        partial.write_bytes(pickle.dumps(rows))

    return pickle.loads(whole(cache / "tokenised" / f"{path.stem}.pickle", make).read_bytes())


def chosen(language, rows, chance):
    """A share of a package's rows, so that no language and no package drowns Elixir."""
    documented = [at for at, row in enumerate(rows) if row[4]]
    others = [at for at, row in enumerate(rows) if not row[4]]
    if language == "erlang":
        others = chance.sample(others, min(len(others), OTHERS_OF_ERLANG))
    elif language != "elixir":
        documented = chance.sample(documented, min(len(documented), PAIRS_PER_PACKAGE))
        files = {rows[at][0] for at in documented}
        others = [at for at in others if rows[at][0] in files]
        others = chance.sample(others, min(len(others), int(len(documented) * OTHERS_PER_PAIR)))
    return [rows[at] for at in sorted(documented + others)]


def vocabulary(packages, size):
    """The words that most documents have."""
    frequency = Counter()
    for (language, _), rows in packages.items():
        counts = Counter(word for row in rows for word in {*row[1], *row[2], *row[3], *(row[4][2] if row[4] else ())})
        share = SHARES.get(language, 1)
        frequency.update({word: min(count, MOST_FROM_PACKAGE) * share for word, count in counts.items()})
    ranked = sorted(frequency.items(), key=lambda pair: (-pair[1], pair[0]))
    return [word for word, _ in ranked if not word.isdigit() or len(word) <= 2][:size]


def stem(word):
    """A light one: enough to see that "returns" and "returned" are the same."""
    for ending in ("ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def prepare(cache, records, size, seed):
    """The matrices of a training, as a dictionary of arrays."""
    packages = {}
    for path in records:
        language, name = path.stem.split(".", 1)
        packages[language, name] = [row for row in tokenised(cache, path) if len(row[1]) + len(row[2]) + len(row[3]) > 3]
    tokens = vocabulary(packages, size)
    known = Vocabulary([token.encode() for token in tokens])
    cut = {}

    def counts(*parts):
        found = Counter()
        for field, some in parts:
            for word in some:
                if word not in cut:
                    cut[word] = known.look_up(word.encode())
                for number in cut[word]:
                    found[field * size + number] += 1
        return sorted(found.items())

    chance = random.Random(seed)
    documents, asked = [], [[], [], [], []]
    package_of, file_of, question_of, language_of, files = [], [], [], [], {}
    for at, ((language, name), rows) in enumerate(sorted(packages.items())):
        for file, header, title, body, texts in chosen(language, rows, chance):
            documents.append(counts((HEADER, header), (NAME, title), (BODY, body)))
            package_of.append(at)
            file_of.append(files.setdefault((at, file), len(files)))
            language_of.append(LANGUAGES.index(language))
            question_of.append(-1)
            if texts and len(counts((0, texts[0]))) >= 2:
                question_of[-1] = len(asked[0])
                stems = {stem(word) for word in title}
                # A question with no word of the name: what lexical search fails at.
                hard = counts((0, [word for word in texts[0] if stem(word) not in stems]))
                plain, first, more = (counts((0, text)) for text in texts)
                for rows_of, row in zip(asked, (plain, hard if len(hard) >= 2 else plain, first, more)):
                    rows_of.append(row)
    arrays = {"tokens": np.array(tokens), "package": np.array(package_of, np.int32), "source": np.array(file_of, np.int32)}
    arrays |= {"question": np.array(question_of, np.int32), "language": np.array(language_of, np.int8)}
    for name, rows in [("d", documents), *((f"q{at}", rows) for at, rows in enumerate(asked))]:
        arrays[f"{name}_starts"] = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        arrays[f"{name}_tokens"] = np.array([token for row in rows for token, _ in row], np.int32)
        arrays[f"{name}_counts"] = np.array([min(count, 255) for row in rows for _, count in row], np.float32)
    return arrays
