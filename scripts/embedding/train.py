"""Trains the vectors and weights of words by contrast: a question is to be nearer to its function than to all others.

Two texts' vectors are weighted sums of their words' vectors, scaled to length 1; the loss is the symmetric InfoNCE over a
batch. A batch is made of runs of functions from some packages, documented or not, so that most of a question's wrong answers are
of the same file or package: what retrieval within a project has to tell apart.
"""

import time
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from tokenise import BODY, FIELDS, HEADER, NAME, QUERY

ELIXIR, ERLANG = 0, 1


@dataclass
class Options:
    dimensions: int = 256
    epochs: float = 2.0
    batch: int = 1024
    run: int = 256
    temperature: float = 0.05
    rate: float = 3e-3
    rate_of_weights: float = 1e-2
    # How often the first sentence is asked without code, without the name's words, with code, and with what follows it.
    questions: tuple = (0.5, 0.2, 0.15, 0.15)
    # How often a function's name is hidden.
    hidden_names: float = 0.15
    # How often a package is gone through in an epoch.
    repeats: tuple = (4, 2, 1, 1)
    seed: int = 1


def saturated(counts):
    return (1 + np.log(counts)).astype(np.float32)


def matrix(arrays, name, columns):
    starts = arrays[f"{name}_starts"]
    data = saturated(arrays[f"{name}_counts"])
    return sparse.csr_matrix((data, arrays[f"{name}_tokens"], starts), shape=(len(starts) - 1, columns))


def reduced(vectors, dimensions, fitted=20000):
    """The principal components of the words' vectors, fitted on the most frequent words."""
    vectors = vectors - vectors.mean(0)
    _, _, components = np.linalg.svd(vectors[:fitted], full_matrices=False)
    return np.ascontiguousarray(vectors @ components[:dimensions].T, np.float32)


def rarity(documents, questions, size):
    """The first weights: the inverse document frequency by field, between 0 and 1, and more for names."""
    frequency = np.stack([*np.bincount(documents.indices, minlength=3 * size).reshape(3, size), np.bincount(questions.indices, minlength=size)])
    total = np.array([documents.shape[0]] * 3 + [questions.shape[0]])[:, None]
    share = np.zeros((FIELDS, 1))
    share[[HEADER, NAME, BODY, QUERY], 0] = 0.7, 2.0, 1.0, 1.0
    return (np.log(1 + total / (frequency + 1)) / np.log(total) * share).astype(np.float32)


class Adam:
    """Adam on some rows at a time: those that a batch does not touch keep their moments."""

    def __init__(self, values, rate):
        self.values, self.rate, self.steps = values, rate, 0
        self.first, self.second = np.zeros_like(values), np.zeros_like(values)

    def step(self, rows, gradient, scale):
        self.steps += 1
        first = self.first[rows] = self.first[rows] * 0.9 + 0.1 * gradient
        second = self.second[rows] = self.second[rows] * 0.99 + 0.01 * gradient * gradient
        correction = np.sqrt(1 - 0.99**self.steps) / (1 - 0.9**self.steps)
        self.values[rows] -= np.float32(self.rate * scale * correction) * first / (np.sqrt(second) + 1e-8)


def unit(rows):
    length = np.sqrt((rows * rows).sum(1, keepdims=True)) + 1e-8
    return rows / length, length


def through_unit(gradient, rows, length):
    return (gradient - (gradient * rows).sum(1, keepdims=True) * rows) / length


class Trainer:
    def __init__(self, arrays, vectors, options):
        self.options, self.size = options, len(arrays["tokens"])
        self.chance = np.random.default_rng(options.seed)
        self.package, self.source = arrays["package"], arrays["source"]
        self.question, self.language = arrays["question"], arrays["language"]
        self.documents = matrix(arrays, "d", 3 * self.size)
        kinds = [matrix(arrays, f"q{at}", self.size) for at in range(len(options.questions))]
        self.asked = kinds[0].shape[0]
        self.questions = sparse.vstack(kinds, format="csr")
        self.vectors = vectors
        self.weights = rarity(self.documents, kinds[0], self.size)
        self.adam = Adam(self.vectors, options.rate)
        self.adam_of_weights = Adam(self.weights.reshape(-1, 1), options.rate_of_weights)

    def run(self, report, every=150):
        rows_of = [np.flatnonzero(self.package == package) for package in np.unique(self.package)]
        pairs = sum((self.question[rows] >= 0).sum() * self.repeats(rows) for rows in rows_of)
        steps = max(1, int(pairs * self.options.epochs / self.options.batch))
        step, losses, began = 0, [], time.time()
        while step < steps:
            for documented, others in self.batches(rows_of):
                scale = min(1, (step + 1) / 50) * (1 - step / steps) + 0.02
                losses.append(self.step(documented, others, scale))
                step += 1
                if step % every == 0 or step == steps:
                    report(f"step {step} of {steps}, {time.time() - began:.0f} s, loss {np.mean(losses[-every:]):.3f}", self)
                if step == steps:
                    break

    def repeats(self, rows):
        return self.options.repeats[self.language[rows[0]]]

    def batches(self, rows_of):
        """Numbers of documented functions, and of others from between them."""
        runs = []
        for rows in rows_of:
            for _ in range(self.repeats(rows)):
                files = self.chance.permutation(np.unique(self.source[rows]))
                place = {file: at for at, file in enumerate(files)}
                order = rows[np.argsort([place[file] for file in self.source[rows]], kind="stable")]
                pairs = np.flatnonzero(self.question[order] >= 0)
                for start in range(0, len(pairs), self.options.run):
                    some = pairs[start : start + self.options.run]
                    span = order[some[0] : some[-1] + 1]
                    others = span[self.question[span] < 0]
                    if len(others) > len(some):
                        others = self.chance.choice(others, len(some), replace=False)
                    runs.append((order[some], others))
        batch = []
        for at in self.chance.permutation(len(runs)):
            batch.append(runs[at])
            if sum(len(documented) for documented, _ in batch) >= self.options.batch:
                yield tuple(np.concatenate(parts) for parts in zip(*batch))
                batch = []

    def step(self, documented, others, scale):
        options, size, count = self.options, self.size, len(documented)
        rows = np.concatenate([documented, others])
        texts = self.documents[rows]
        kind = self.chance.choice(len(options.questions), count, p=np.array(options.questions) / sum(options.questions))
        asked = self.questions[kind * self.asked + self.question[documented]]
        row_of = np.repeat(np.arange(len(rows)), np.diff(texts.indptr))
        field_of, word_of = np.divmod(texts.indices, size)
        hidden = self.chance.random(len(rows)) < options.hidden_names
        texts.data[(field_of == NAME) & hidden[row_of]] = 0

        # Only the words that occur in this batch.
        used = np.unique(np.concatenate([word_of, asked.indices]))
        place = np.zeros(size, np.int32)
        place[used] = np.arange(len(used))
        word_of, asked_of = place[word_of], place[asked.indices]
        vectors, weights = self.vectors[used], self.weights[:, used]
        shape = (len(rows), len(used))
        weighted = sparse.csr_matrix((weights[field_of, word_of] * texts.data, word_of, texts.indptr), shape=shape)
        weighted_asked = sparse.csr_matrix((weights[QUERY, asked_of] * asked.data, asked_of, asked.indptr), shape=(count, len(used)))
        document, document_length = unit(weighted @ vectors)
        question, question_length = unit(weighted_asked @ vectors)

        scores = question @ document.T / options.temperature
        right = np.arange(count)
        over_documents = np.exp(scores - scores.max(1, keepdims=True))
        over_documents /= over_documents.sum(1, keepdims=True)
        over_questions = np.exp(scores[:, :count] - scores[:, :count].max(0, keepdims=True))
        over_questions /= over_questions.sum(0, keepdims=True)
        loss = float(-np.log(over_documents[right, right] + 1e-9).mean())
        gradient = over_documents
        gradient[:, :count] += over_questions
        gradient[right, right] -= 2
        gradient /= count * options.temperature
        to_question = through_unit(gradient @ document, question, question_length)
        to_document = through_unit(gradient.T @ question, document, document_length)

        to_vectors = weighted.T @ to_document + weighted_asked.T @ to_question
        to_weights = np.zeros((FIELDS, len(used)), np.float32)
        for field in (HEADER, NAME, BODY):
            of = field_of == field
            part = sparse.csr_matrix((texts.data[of], (word_of[of], row_of[of])), shape=shape[::-1])
            to_weights[field] = ((part @ to_document) * vectors).sum(1)
        part = sparse.csr_matrix((asked.data, asked_of, asked.indptr), shape=(count, len(used)))
        to_weights[QUERY] = ((part.T @ to_question) * vectors).sum(1)
        self.adam.step(used, to_vectors, scale)
        touched = to_weights.ravel() != 0
        numbers = (np.arange(FIELDS)[:, None] * size + used).ravel()
        self.adam_of_weights.step(numbers[touched], to_weights.ravel()[touched][:, None], scale)
        return loss
