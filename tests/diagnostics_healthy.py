"""Healthy models, some of which look sick: each function returns (model, batch, loss_fn, arguments of diagnose)."""
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.transformer import Transformer, TransformerConfig
from diagnostics_models import CLASSES, VOCABULARY, Recurrent, Tokens, classes, ids, images, network, text, token_loss


def logits_loss(outputs, targets):
    return F.cross_entropy(outputs.logits.flatten(0, -2), targets.flatten())


def padded(tokens, *lengths, value=0):
    """Tokens and their mask: rows are cut to these lengths in turn."""
    mask = torch.ones_like(tokens)
    for row in range(len(tokens)):
        mask[row, lengths[row % len(lengths)]:] = 0
    return tokens.masked_fill(mask == 0, value), mask


# transformers, from tiny configurations

def _tf():
    import transformers
    transformers.logging.set_verbosity_error()
    return transformers


SIZES = dict(d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
             encoder_ffn_dim=64, decoder_ffn_dim=64, vocab_size=VOCABULARY)
BERT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=VOCABULARY)


def _gpt2():
    tf = _tf()
    return tf.GPT2LMHeadModel(tf.GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=VOCABULARY, n_positions=32,
                                            bos_token_id=1, eos_token_id=2))


def gpt2():
    return _gpt2(), text(), logits_loss, dict(task="language-model")


def gpt2_with_labels():
    tokens, _ = text()
    return _gpt2(), (dict(input_ids=tokens, labels=tokens), tokens), lambda o, y: o.loss, dict(task="language-model")


def gpt2_padded():
    tokens, mask = padded(ids(8, 12), 12, 7)
    labels = torch.cat([tokens[:, 1:], torch.full((8, 1), -100)], 1)
    labels[:, :-1][mask[:, 1:] == 0] = -100
    return _gpt2(), (dict(input_ids=tokens, attention_mask=mask), labels), logits_loss, dict(task="language-model")


def llama():
    tf = _tf()
    model = tf.LlamaForCausalLM(tf.LlamaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                               intermediate_size=64,
                                               num_key_value_heads=2, vocab_size=VOCABULARY, bos_token_id=1,
                                               eos_token_id=2))
    return model, text(), logits_loss, {}


def bert():
    tf = _tf()
    tokens, mask = padded(ids(8, 10, low=3), 10, 7)
    segments = (torch.arange(10) > 4).long().expand(8, 10).contiguous()
    return tf.BertForSequenceClassification(tf.BertConfig(num_labels=CLASSES, **BERT)), \
        (dict(input_ids=tokens, attention_mask=mask, token_type_ids=segments), classes(8)), logits_loss, {}


def bert_frozen_body():
    model, *rest = bert()
    model.bert.requires_grad_(False)
    return model, *rest


def bert_masked():
    tf = _tf()
    tokens = ids(8, 10, low=3)
    hidden = torch.rand(8, 10) < 0.3
    return tf.BertForMaskedLM(tf.BertConfig(**BERT)), \
        (dict(input_ids=tokens.masked_fill(hidden, 2), attention_mask=torch.ones_like(tokens)),
         tokens.masked_fill(~hidden, -100)), logits_loss, dict(task="language-model")


def distilbert():
    tf = _tf()
    config = tf.DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=VOCABULARY,
                                 num_labels=CLASSES)
    return tf.DistilBertForTokenClassification(config), (dict(input_ids=ids(8)), torch.randint(0, CLASSES, (8, 12))), \
        logits_loss, dict(task="token-classification")


def _sequences(model, start, pad=0):
    source, mask = padded(ids(8, 9, low=3), 9, 6, value=pad)
    target = ids(8, 8, low=3)
    shifted = torch.cat([torch.full((8, 1), start), target[:, :-1]], 1)
    return model, (dict(input_ids=source, attention_mask=mask, decoder_input_ids=shifted), target), logits_loss, \
        dict(task="sequence-to-sequence")


def bart():
    tf = _tf()
    return _sequences(tf.BartForConditionalGeneration(tf.BartConfig(pad_token_id=1, decoder_start_token_id=2,
                                                                    **SIZES)), 2, 1)


def marian():
    tf = _tf()
    config = tf.MarianConfig(pad_token_id=0, decoder_start_token_id=0, eos_token_id=1, forced_eos_token_id=None,
                             **SIZES)
    return _sequences(tf.MarianMTModel(config), 0)


def _t5():
    tf = _tf()
    return tf.T5ForConditionalGeneration(tf.T5Config(d_model=32, d_kv=16, num_heads=2, d_ff=64, num_layers=2,
                                                     vocab_size=VOCABULARY, decoder_start_token_id=0))


def t5():
    return _sequences(_t5(), 0)


def t5_with_labels():
    model, (inputs, target), _, arguments = t5()
    inputs.pop("decoder_input_ids")
    return model, ({**inputs, "labels": target}, target), lambda o, y: o.loss, arguments


def vit():
    tf = _tf()
    config = tf.ViTConfig(image_size=16, patch_size=4, num_labels=CLASSES,
                          **{k: v for k, v in BERT.items() if k != "vocab_size"})
    return tf.ViTForImageClassification(config), (dict(pixel_values=torch.randn(8, 3, 16, 16)),
                                                  classes(8)), logits_loss, {}


# torch

class Encoder(nn.Module):
    """nn.TransformerEncoder over tokens, with a padding mask made from the ids, and their mean."""

    def __init__(self, width=32, dropout=0.1, norm_first=False):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCABULARY, width, padding_idx=0), nn.Embedding(32, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, tokens):
        real = tokens != 0
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        x = self.encoder(x, src_key_padding_mask=~real)
        return self.head((x * real[..., None]).sum(1) / real.sum(1, keepdim=True))


def encoder(**options):
    return Encoder(**options), (padded(ids(), 12, 8, 10)[0], classes()), nn.CrossEntropyLoss(), {}


def encoder_norm_first():
    return encoder(norm_first=True)


def encoder_high_dropout():
    return encoder(dropout=0.8)


def encoder_frozen_embeddings():
    model, *rest = encoder()
    model.embedding.requires_grad_(False)
    return model, *rest


def encoder_zero_head():
    model, *rest = encoder()
    nn.init.zeros_(model.head.weight), nn.init.zeros_(model.head.bias)
    return model, *rest


def encoder_imbalance():
    model, (tokens, _), loss, arguments = encoder()
    labels = torch.zeros(16, dtype=torch.long)
    labels[5] = 1
    return model, (tokens, labels), nn.CrossEntropyLoss(torch.tensor([0.1, 1, 1, 1, 1])), arguments


def encoder_smoothed():
    model, batch, _, arguments = encoder()
    return model, batch, nn.CrossEntropyLoss(label_smoothing=0.2), arguments


def encoder_contradicting_labels():
    model, (tokens, labels), loss, arguments = encoder()
    tokens[8:] = tokens[:8]
    return model, (tokens, labels), loss, arguments


class Adapted(nn.Module):
    """A frozen layer with a low-rank adapter whose second matrix starts at 0 (LoRA)."""

    def __init__(self, layer, rank=4):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.a, self.b = nn.Linear(layer.in_features, rank, False), nn.Linear(rank, layer.out_features, False)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.layer(x) + self.b(self.a(x))


def adapters():
    model = network(width=64).requires_grad_(False)
    model[0], model[2] = Adapted(model[0]), Adapted(model[2])
    model[4].requires_grad_(True)
    return model, (torch.randn(16, 8), classes()), nn.CrossEntropyLoss(), {}


class Translator(nn.Module):
    """nn.Transformer from source to target tokens, batch first or not."""

    def __init__(self, batch_first):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(VOCABULARY, 32), nn.Embedding(32, 32)
        self.transformer = nn.Transformer(32, 4, 1, 1, 64, batch_first=batch_first)
        self.head, self.axis = nn.Linear(32, VOCABULARY), 1 if batch_first else 0

    def embed(self, tokens):
        places = self.positions(torch.arange(tokens.shape[self.axis]))
        return self.embedding(tokens) + places.unsqueeze(1 - self.axis)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[self.axis])
        return self.head(self.transformer(self.embed(source), self.embed(target), tgt_mask=mask))


def translator():
    target = ids(8, 9)
    return Translator(True), ((ids(8, 9), target[:, :-1]), target[:, 1:]), token_loss, dict(task="sequence-to-sequence")


def translator_sequence_first():
    model, ((source, target), labels), loss, arguments = translator()
    return Translator(False), ((source.T, target.T), labels.T), lambda o, y: F.cross_entropy(o.reshape(-1, VOCABULARY),
                                                                                             y.reshape(-1)), \
        arguments


def lstm():
    return Recurrent(pool=True), (ids(), classes()), nn.CrossEntropyLoss(), {}


def lstm_language_model():
    return Recurrent(causal=True), text(), token_loss, {}


class LastState(nn.Module):
    """Sequence first: the last state of an LSTM."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(VOCABULARY, 32), nn.LSTM(32, 32), nn.Linear(32, CLASSES)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0][-1])


def lstm_sequence_first():
    return LastState(), (ids(16, 16), classes()), nn.CrossEntropyLoss(), {}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.gru, self.head = nn.Embedding(VOCABULARY, 32), nn.GRU(32, 32, batch_first=True), \
            nn.Linear(32, VOCABULARY, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[0])


def tied_embeddings():
    return Tied(), text(), token_loss, {}


class CausalConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY)
        self.one, self.two = nn.Conv1d(32, 32, 3), nn.Conv1d(32, 32, 3, dilation=2)

    def forward(self, tokens):
        x = self.embedding(tokens).transpose(1, 2)
        x = F.relu(self.one(F.pad(x, (2, 0))))
        return self.head(F.relu(self.two(F.pad(x, (4, 0)))).transpose(1, 2))


def causal_convolutions():
    return CausalConvolutions(), text(), token_loss, dict(causal=True)


class StateSpace(nn.Module):
    """A diagonal linear recurrence, as a loop."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY)
        self.decay, self.into = nn.Parameter(torch.rand(32)), nn.Linear(32, 32)

    def forward(self, tokens):
        x, state, states = self.into(self.embedding(tokens)), 0.0, []
        for step in x.unbind(1):
            state = torch.sigmoid(self.decay) * state + step
            states.append(state)
        return self.head(F.gelu(torch.stack(states, 1)))


def state_space():
    return StateSpace(), text(), token_loss, {}


def bag_of_words():
    return nn.Sequential(nn.EmbeddingBag(VOCABULARY, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, CLASSES)), \
        (ids(), classes()), nn.CrossEntropyLoss(), {}


def bigrams():
    return nn.Embedding(VOCABULARY, VOCABULARY), text(), token_loss, {}


def convolutional():
    return images(), (torch.rand(16, 3, 8, 8), classes()), nn.CrossEntropyLoss(), {}


def perceptron():
    return network(), (torch.randn(16, 8), classes()), nn.CrossEntropyLoss(), {}


def perceptron_noisy_labels():
    return network(), (torch.randn(16, 8), torch.randint(0, CLASSES, (16,))), nn.CrossEntropyLoss(), {}


def log_probabilities():
    return nn.Sequential(network(), nn.LogSoftmax(-1)), (torch.randn(16, 8), classes()), nn.NLLLoss(), {}


def log_probabilities_twice():
    return nn.Sequential(network(), nn.LogSoftmax(-1)), (torch.randn(16, 8), classes()), nn.CrossEntropyLoss(), {}


def binary():
    return network(outputs=1), (torch.randn(16, 8), (torch.arange(16) % 4 == 0).float()), \
        lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y), {}


def binary_probabilities():
    return nn.Sequential(network(outputs=1), nn.Sigmoid()), (torch.randn(16, 8), (torch.arange(16) % 4 == 0).float()), \
        lambda o, y: F.binary_cross_entropy(o[:, 0], y), {}


def regression():
    return network(outputs=1), (torch.randn(16, 8), torch.randn(16) * 3 + 10), lambda o, y: F.mse_loss(o.squeeze(-1),
                                                                                                       y), {}


def linear_regression():
    return nn.Linear(5, 1), (torch.randn(16, 5), torch.randn(16, 1)), nn.MSELoss(), {}


def autoencoder():
    x = torch.rand(16, 20)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 20))
    return model, (x, x), nn.MSELoss(), {}


# this course

def ours(**options):
    config = TransformerConfig(vocabulary=VOCABULARY, width=32, heads=4, context=32, dropout=0.1, **options)
    return Transformer(config), text(), logits_loss, dict(causal=True)


def ours_decoder():
    return ours(layers=2)


def ours_post_norm_rotary():
    return ours(layers=2, norm="post", positions="rotary")


def ours_no_positions():
    return ours(layers=2, positions="none")


def ours_encoder_decoder():
    source, mask = padded(ids(8, 9), 9, 6)
    target = ids(8, 9)
    model, _, loss, _ = ours(encoder_layers=2, decoder_layers=2)
    return model, (dict(input_ids=source, decoder_input_ids=target[:, :-1], padding_mask=mask), target[:, 1:]), loss, {}


def by_hand():
    return Tokens(causal=True), text(), token_loss, {}


def tags():
    tokens, mask = padded(ids(), 12, 9)
    return Tokens(), ((tokens, mask),
                      (tokens % CLASSES).masked_fill(mask == 0, -100)), token_loss, dict(task="token-classification")


LIBRARY = [gpt2, gpt2_with_labels, gpt2_padded, llama, bert, bert_frozen_body, bert_masked, distilbert, bart, marian,
           t5,
           t5_with_labels, vit]
OTHERS = [encoder, encoder_norm_first, encoder_high_dropout, encoder_frozen_embeddings, encoder_zero_head,
          encoder_imbalance,
          encoder_smoothed, encoder_contradicting_labels, adapters, translator, translator_sequence_first, lstm,
          lstm_language_model,
          lstm_sequence_first, tied_embeddings, causal_convolutions, state_space, bag_of_words, bigrams, convolutional,
          perceptron,
          perceptron_noisy_labels, log_probabilities, log_probabilities_twice, binary, binary_probabilities, regression,
          linear_regression, autoencoder, ours_decoder, ours_post_norm_rotary, ours_no_positions, ours_encoder_decoder,
          by_hand, tags]
