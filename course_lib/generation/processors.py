"""Functions on next-token scores: what is between the model's logits and the choice of a token.

Each takes `scores`, float [rows, vocabulary], and returns new ones of the same shape; a token that
is ruled out gets -inf. None changes its input. The values, ties and edge cases included, are those
of the processor of the same name in transformers; `make_processors` puts them in its order. The ones
that look at the text so far also take `input_ids`, int64 [rows, length].

Built in chapter 2.
"""
import math

import torch


def temperature(scores: torch.Tensor, temperature: float) -> torch.Tensor:
    """Scores divided by a temperature: below 1 sharpens the distribution, above 1 flattens it.

    Raises ValueError unless it is positive and finite: the limit 0 is greedy decoding.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be above 0; greedy decoding is do_sample=False")
    return scores / temperature


def top_k(scores: torch.Tensor, k: int) -> torch.Tensor:
    """Keeps the k highest scores and whatever ties with the last of them (Fan et al., 2018)."""
    _need(k >= 1 and k % 1 == 0, "top_k", k, "at least 1 and whole")
    last = scores.topk(min(int(k), scores.shape[-1]))[0][..., -1:]
    return scores.masked_fill(scores < last, -math.inf)


def top_p(scores: torch.Tensor, p: float) -> torch.Tensor:
    """Keeps the smallest set of most probable tokens whose mass reaches p (Holtzman et al., 2020).

    The most probable token always stays. Among tied tokens at the border, which stay is arbitrary.
    """
    _need(0 <= p <= 1, "top_p", p, "from 0 to 1")
    ascending, order = scores.sort(dim=-1)
    drop = ascending.softmax(-1).cumsum(-1) <= 1 - p
    drop[..., -1] = False
    return scores.masked_fill(drop.scatter(-1, order, drop), -math.inf)


def min_p(scores: torch.Tensor, p: float) -> torch.Tensor:
    """Drops tokens less than p times as probable as the most probable one (Nguyen et al., 2025)."""
    _need(0 <= p <= 1, "min_p", p, "from 0 to 1")
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), -math.inf)


def typical_p(scores: torch.Tensor, mass: float) -> torch.Tensor:
    """Keeps tokens whose surprise is nearest to the entropy, until their mass reaches `mass`.

    Ties with the last one stay. Locally typical sampling (Meister et al., 2023).
    """
    _need(0 < mass < 1, "typical_p", mass, "above 0 and below 1")
    distance = (-scores.log_softmax(-1) - _entropy(scores)).abs()
    nearest, order = distance.sort(dim=-1)
    reached = scores.gather(-1, order).softmax(-1).cumsum(-1)
    last = (reached < mass).sum(-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
    drop = nearest > nearest.gather(-1, last)
    return scores.masked_fill(drop.scatter(-1, order, drop), -math.inf)


def epsilon_cutoff(scores: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Drops tokens less probable than epsilon, never the best ones (Hewitt et al., 2022)."""
    _need(0 < epsilon < 1, "epsilon_cutoff", epsilon, "above 0 and below 1")
    return _cut(scores, epsilon)


def eta_cutoff(scores: torch.Tensor, epsilon: float) -> torch.Tensor:
    """As `epsilon_cutoff`, with a lower threshold where the distribution is flat.

    eta = min(epsilon, sqrt(epsilon) exp(-entropy)), entropy in nats (Hewitt et al., 2022).
    """
    _need(0 < epsilon < 1, "eta_cutoff", epsilon, "above 0 and below 1")
    return _cut(scores, (math.sqrt(epsilon) * torch.exp(-_entropy(scores))).clamp(max=epsilon))


def _entropy(scores: torch.Tensor) -> torch.Tensor:
    """[rows, 1], in nats; 0 log 0 counts as 0."""
    log_p = scores.log_softmax(-1)
    return -(log_p * log_p.exp()).nansum(-1, keepdim=True)


def _cut(scores: torch.Tensor, threshold: float | torch.Tensor) -> torch.Tensor:
    drop = (scores.softmax(-1) < threshold) & (scores < scores.amax(-1, keepdim=True))
    return scores.masked_fill(drop, -math.inf)


def repetition_penalty(scores: torch.Tensor, input_ids: torch.Tensor, penalty: float) -> torch.Tensor:
    """Makes every token of the text so far less likely, once however often it occurred.

    A negative score is multiplied by `penalty`, a positive one divided (Keskar et al., 2019, CTRL).
    So the result depends on where the zero of the scores is: sampling applies it to logits, beam
    search to log-probabilities. An id beyond the vocabulary stands for padding and has no effect.
    """
    _need(0 < penalty < math.inf, "repetition_penalty", penalty, "above 0")
    penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
    return torch.where(_marked(scores, input_ids), penalised, scores)


def no_repeat_ngram(scores: torch.Tensor, input_ids: torch.Tensor, n: int) -> torch.Tensor:
    """Rules out each token that would complete an n-gram of the text so far (Paulus et al., 2018).

    n = 1 forbids every repetition. An id beyond the vocabulary stands for padding.
    """
    _need(n >= 1, "no_repeat_ngram_size", n, "at least 1")
    rows, length = input_ids.shape
    if length < n:
        return scores
    windows = input_ids.unfold(1, n, 1)   # [rows, length - n + 1, n]
    repeated = (windows[..., :-1] == input_ids[:, None, length - n + 1:]).all(-1)   # first n - 1 tokens
    banned = windows[..., -1].masked_fill(~repeated, scores.shape[1])
    return scores.masked_fill(_marked(scores, banned), -math.inf)


def _marked(scores: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """bool [rows, vocabulary]: which tokens are among a row's ids. A spare column takes the others."""
    rows, vocabulary = scores.shape
    marked = scores.new_zeros(rows, vocabulary + 1, dtype=torch.bool)
    return marked.scatter_(1, ids.clamp(max=vocabulary), True)[:, :-1]


def suppress(scores: torch.Tensor, tokens) -> torch.Tensor:
    """Rules tokens out: -inf for each id of `tokens`."""
    scores = scores.clone()
    scores[:, list(tokens)] = -math.inf
    return scores


def force(scores: torch.Tensor, tokens) -> torch.Tensor:
    """Rules out everything but `tokens`, whose scores become 0."""
    forced = torch.full_like(scores, -math.inf)
    forced[:, list(tokens)] = 0
    return forced


def renormalize(scores: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of what is left; a row in which nothing is left stays as it is."""
    return scores.log_softmax(-1).masked_fill(scores == -math.inf, -math.inf)


def _need(condition, name, value, what):
    if not condition:
        raise ValueError(f"{name}={value} must be {what}")


def make_processors(config, prompt_length: int, padding: torch.Tensor | None = None) -> list:
    """The functions that a `GenerationConfig` asks for, in the order of transformers.

    prompt_length: tokens in the decoder before the first new one. padding: int64 [batch], how many
    of them are padding, on the left; rows may be repeats of the batch. Each function takes
    (scores, input_ids) and returns scores. Those that reshape the distribution run only where it samples.
    """
    found = []

    def add(function, *arguments):
        found.append(lambda scores, input_ids: function(scores, *arguments))

    def add_for_text(function, argument):
        def with_text(scores, input_ids):
            if padding is not None:
                repeats = len(input_ids) // len(padding)
                positions = torch.arange(input_ids.shape[1], device=input_ids.device)
                is_padding = positions < padding.repeat_interleave(repeats)[:, None]
                input_ids = input_ids.masked_fill(is_padding, scores.shape[1])
            return function(scores, input_ids, argument)
        found.append(with_text)

    def add_at(lengths, function, tokens):
        found.append(lambda scores, input_ids: (
            function(scores, tokens) if input_ids.shape[1] in lengths else scores))

    if config.repetition_penalty != 1:
        add_for_text(repetition_penalty, config.repetition_penalty)
    if config.no_repeat_ngram_size:
        add_for_text(no_repeat_ngram, config.no_repeat_ngram_size)
    if config.min_new_tokens and config.eos_token_ids:
        add_at(range(prompt_length + config.min_new_tokens), suppress, config.eos_token_ids)
    if config.forced_bos_token_id is not None:
        add_at([1], force, [config.forced_bos_token_id])
    if config.forced_eos_token_id is not None:
        add_at([prompt_length + config.max_new_tokens - 1], force, [config.forced_eos_token_id])
    if config.suppress_tokens:
        add(suppress, config.suppress_tokens)
    if config.do_sample:
        if config.temperature != 1:
            add(temperature, config.temperature)
        for function in (top_k, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff):
            value = getattr(config, function.__name__)
            if value is not None:
                add(function, value)
    if config.renormalize_logits:
        add(renormalize)
    return found
