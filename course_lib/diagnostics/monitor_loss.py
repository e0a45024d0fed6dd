"""What a watched loop gives to its losses: shapes, labels, padding, scale. See `monitor`. Built in chapter 4."""
import math
from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.diagnostics.findings import Finding

LOSSES = {F.cross_entropy: "cross_entropy", F.nll_loss: "nll_loss", F.mse_loss: "mse_loss", F.l1_loss: "l1_loss",
          F.smooth_l1_loss: "smooth_l1_loss", F.huber_loss: "huber_loss",
          F.binary_cross_entropy: "binary_cross_entropy",
          F.binary_cross_entropy_with_logits: "binary_cross_entropy_with_logits"}
ELEMENTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
FIRST, EACH = 10, 10     # the first calls are looked at, then each tenth
MOST = 4096              # labels of a batch that are counted
SURE = 0.95              # share of labels that are the token so many places on
SHIFTS = {-1: "each label is the token before its position: labels and logits are shifted the wrong way",
          0: "each label is the token at its own position, which a causal model has just read: labels are not shifted",
          2: "each label is the token two places on: labels are shifted twice, by the loop and by the model"}


class LossWatch:
    """Looks at losses as they are called. inputs: tensors of the last forward pass, set from outside."""

    def __init__(self):
        self.inputs: list[Tensor] = []
        self.calls = self.looks = self.passes = 0
        self.odd: dict[str, list] = {}
        self.kinds: set[str] = set()
        self.batches: list[Counter] = []
        self.numbers: list[tuple[int, float, float]] = []
        self.scales: list[tuple[str, int, int, float]] = []
        self.shifts: Counter = Counter()
        self.in_padding: list[tuple[float, float]] = []
        self.last: list[tuple[str, int, float | Tensor]] = []
        self.unit_interval = [0, True]
        self.probe = None
        self._inner, self.scale = 0, 1.0

    # What is called from the hooks

    def call(self, name: str, args, kwargs, result) -> None:
        """A loss of torch.nn.functional."""
        self._inner += 1
        output, target = ((*args, None, None)[i] if i < len(args) else kwargs.get(key)
                          for i, key in enumerate(("input", "target")))
        if not (isinstance(output, Tensor) and isinstance(target, Tensor)) or not output.requires_grad:
            return
        self.calls += 1
        self.kinds.add(name)
        ignored = kwargs.get("ignore_index", -100)
        count = target.numel()
        if name in ("cross_entropy", "nll_loss") and not target.is_floating_point():
            count = int((target != ignored).sum())
        elif name == "cross_entropy":
            count = target.shape[0]
        self.last.append((kwargs.get("reduction", "mean"), count, result.detach()))
        self._labels(target)
        if self.calls > FIRST and self.calls % EACH:
            return
        self.looks += 1
        if name in ELEMENTWISE:
            self._shapes(output, target)
        elif name == "binary_cross_entropy_with_logits":
            self.unit_interval[0] += output.numel()
            self.unit_interval[1] &= bool(((output >= 0) & (output <= 1)).all())
        else:
            self._probabilities(name, output.detach(), target)
            if not target.is_floating_point():
                self._shift(target, ignored)

    def own(self, args, loss: Tensor) -> bool:
        """A loss of the loop's own. False where it called one of torch's, which was seen."""
        inner, self._inner = self._inner, 0
        if inner:
            return False
        if loss.requires_grad and len(args) > 1 and isinstance(args[1], Tensor):
            self._labels(args[1])
        return True

    def difference(self, args, result) -> None:
        """A loss by hand: output and target subtracted or multiplied outside the model."""
        if len(args) < 2 or not all(isinstance(x, Tensor) for x in args[:2]) or not isinstance(result, Tensor):
            return
        a, b = args[:2]
        if a.requires_grad == b.requires_grad or a.shape == b.shape or min(a.numel(), b.numel()) < 2:
            return
        output, target = (a, b) if a.requires_grad else (b, a)
        for long, short in ((a, b), (b, a)):
            if long.dim() == short.dim() + 1 and long.shape[-1] == 1 and long.shape[:-1] == short.shape:
                self._broadcast(output, target)

    def backward(self, loss: Tensor) -> float:
        """The loss, of the number on which backward is called: without the factor of a gradient scaler, a power of
        two, and of accumulation, a whole part. Other factors are kept, and held against the size of the batch."""
        number = float(loss.detach())
        last, self.last = self.last, []
        if len(last) != 1:
            return number
        reduction, count, value = last[0]
        mean = float(value.float().mean()) / (count if reduction == "sum" and count else 1)
        if not math.isfinite(mean) or not math.isfinite(number) or not mean or not number:
            return number
        ratio = number / mean
        rows = len(self.inputs[0]) if self.inputs and self.inputs[0].dim() else 0
        if len(self.scales) < MOST:
            self.scales.append((reduction, count, rows, ratio))
        scaler = ratio >= 128 and abs(math.log2(ratio) - round(math.log2(ratio))) < 1e-5 and reduction == "mean"
        part = 0 < ratio < 0.6 and abs(1 / ratio - round(1 / ratio)) < 1e-3
        self.scale = ratio if scaler else 1.0
        return mean if scaler or part else number

    def outputs(self, outputs: list[Tensor], model: nn.Module, args, kwargs) -> None:
        """After a training pass: ask for the gradient of the logits where the input is padding."""
        self.passes += 1
        if self.passes > FIRST and self.passes % EACH:
            return
        ids = [t for t in self.inputs if _is_ids(t)]
        self.probe = (model, args, kwargs)
        for logits in outputs:
            for one in ids:
                fits = logits.shape[:2] == one.shape and logits.dim() == 3
                flat = logits.dim() == 2 and len(logits) == one.numel()
                if (fits or flat) and logits.requires_grad and logits.is_floating_point():
                    padding = padding_of(one)
                    if padding is not None:
                        inner = _inner(padding)
                        if inner.any():
                            logits.register_hook(lambda gradient: self._gradient(gradient, padding, inner))
                            return

    # What is looked at

    def _note(self, cause: str, confidence: float, seen: str, look: str, also: tuple[str, ...] = ()) -> None:
        self.odd.setdefault(cause, [0, confidence, seen, look, also])[0] += 1

    def _shapes(self, output: Tensor, target: Tensor) -> None:
        if output.shape == target.shape or target.numel() == 1:
            return
        blown_up = torch.broadcast_shapes(output.shape, target.shape) != output.shape
        if blown_up or output.numel() != target.numel():
            self._broadcast(output, target, 0.97 if blown_up else 0.6)

    def _broadcast(self, output: Tensor, target: Tensor, confidence: float = 0.97) -> None:
        result = torch.broadcast_shapes(output.shape, target.shape)
        self._note("loss-broadcast", confidence,
                   f"an output of shape {list(output.shape)} meets a target of shape {list(target.shape)} and both "
                   f"become {list(result)}: each output is held against each target",
                   "give both one shape where the loss is called: output.squeeze(-1), or target.unsqueeze(-1)")

    def _probabilities(self, name: str, output: Tensor, target: Tensor) -> None:
        dim = 1 if output.dim() > 1 else 0
        if output.shape[dim] < 2 or not output.isfinite().all():
            return
        output = output.float()
        if name == "cross_entropy":
            sums = output.sum(dim)
            if bool((output >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all()):
                self._note("probabilities-for-logits", 0.97,
                           "what cross_entropy gets as logits lies between 0 and 1 and sums to 1 over the classes",
                           "take the softmax out of the model, or out of the loop: cross_entropy has its own")
        else:
            total = float(output.logsumexp(dim).abs().max())
            if total > 1e-2:
                self._note("probabilities-for-logits", 0.95,
                           f"what nll_loss gets are not log-probabilities: log sum exp is up to {total:.2g} from 0",
                           "nll_loss wants log_softmax; cross_entropy wants logits")

    def _labels(self, target: Tensor) -> None:
        """Kept for a look at their order, where there is one label an example."""
        flat = target.detach().reshape(-1)
        rows = len(self.inputs[0]) if self.inputs and self.inputs[0].dim() else len(flat)
        if not 4 <= len(flat) <= MOST or len(flat) != rows:
            return
        values = flat.float().tolist()
        kinds = Counter(values)
        if len(kinds) <= max(20, len(values) // 4) and (not target.is_floating_point() or len(kinds) <= 2):
            self.batches.append(kinds)
        elif target.is_floating_point():
            mean = sum(values) / len(values)
            self.numbers.append((len(values), mean, sum((x - mean) ** 2 for x in values)))

    def _shift(self, target: Tensor, ignored: int) -> None:
        best = None
        for ids in (t for t in self.inputs if _is_ids(t)):
            batch, length = ids.shape
            if target.numel() not in (batch * length, batch * (length - 1)) or length < 4:
                continue
            labels = target.reshape(batch, -1)
            shares = {}
            for shift in (-1, 0, 1, 2):
                at = torch.arange(max(0, -shift), min(labels.shape[1], length - max(0, shift)), device=ids.device)
                tokens, wanted = ids[:, at + shift], labels[:, at]
                telling = wanted != ignored
                for other in (-1, 0, 1, 2):    # where two shifts would give the same token, neither is told
                    if other != shift:
                        telling &= tokens != ids[:, (at + other).clamp(0, length - 1)]
                if int(telling.sum()) >= 16:
                    shares[shift] = float((tokens == wanted)[telling].float().mean())
            if shares and max(shares.values()) >= SURE:
                found = max(shares, key=shares.get)
                best = 1 if 1 in (found, best) else found
        self.shifts[best] += 1

    def _gradient(self, gradient: Tensor, padding: Tensor, inner: Tensor) -> None:
        sizes = gradient.detach().reshape(*padding.shape, -1).float().norm(dim=-1)
        total = float(sizes.sum())
        if total > 0 and math.isfinite(total):
            self.in_padding.append((float((sizes[inner] > 0).float().mean()), float(sizes[padding].sum()) / total))

    # What is said

    def findings(self, accumulating: bool = False) -> list[Finding]:
        """accumulating: the loop sums gradients over several backward passes."""
        found = [Finding(
            "loss arguments", cause,
            f"in {times} of {max(times, self.looks)} calls looked at: {seen}",
            look, confidence, also)
                 for cause, (times, confidence, seen, look, also) in self.odd.items()
                 if 2 * times >= min(self.looks, FIRST)]
        numbers, inside = self.unit_interval
        if inside and numbers >= 32:
            found.append(Finding(
                "loss arguments", "probabilities-for-logits",
                f"all {numbers} numbers that binary_cross_entropy_with_logits got lie between 0 and 1",
                "take the sigmoid out of the model, or out of the loop: this loss has its own", 0.85))
        found += [*self._misaligned(), *self._scaled(accumulating), *self._ordered()]
        shares = [share for share, _ in self.in_padding]
        if shares and sum(shares) / len(shares) > 0.5:
            weight = sum(weight for _, weight in self.in_padding) / len(shares)
            found.append(Finding(
                "padding", "padding-in-loss",
                f"{sum(shares) / len(shares):.0%} of the padding positions have a gradient in their logits, "
                f"{weight:.0%} of all of it",
                "set labels of padding to ignore_index (-100 in torch), or multiply the loss by the mask", 0.9))
        return found

    def _misaligned(self) -> list[Finding]:
        shift, times = self.shifts.most_common(1)[0] if self.shifts else (None, 0)
        if shift not in SHIFTS or 2 * times < sum(self.shifts.values()) or (shift == 0 and not self._is_causal()):
            return []
        return [Finding(
            "labels", "labels-misaligned",
            f"{SHIFTS[shift]} (in {times} of {sum(self.shifts.values())} batches looked at)",
            "position t predicts token t + 1: cross_entropy(logits[:, :-1], ids[:, 1:]), and once only; causal models "
            "of transformers shift the labels themselves", 0.9)]

    def _is_causal(self) -> bool:
        """Does a changed last token leave the outputs before it as they are?"""
        model, args, kwargs = self.probe or (None, (), {})
        if model is None:
            return False
        modes = [(module, module.training) for module in model.modules()]
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
        try:
            with torch.no_grad(), torch.random.fork_rng(devices):
                model.eval()
                outputs = []
                for change in (False, True):
                    def changed(x):
                        if isinstance(x, Tensor) and _is_ids(x) and change:
                            x = x.clone()
                            x[:, -1] = torch.where(x[:, -1] > 0, x[:, -1] - 1, x[:, -1] + 1)
                        return x
                    output = model(*map(changed, args), **{name: changed(x) for name, x in kwargs.items()})
                    if not isinstance(output, Tensor):
                        output = getattr(output, "logits", None) if not isinstance(output, tuple) else output[0]
                    outputs.append(output)
            before, after = (output.reshape(len(output), output.shape[1], -1) for output in outputs)
            return bool(torch.allclose(before[:, :-1], after[:, :-1], atol=1e-5)
                        and not torch.allclose(before[:, -1], after[:, -1], atol=1e-5))
        except Exception:    # a question asked beside the loop must not be what breaks it
            return False
        finally:
            for module, mode in modes:
                module.training = mode

    def _scaled(self, accumulating: bool) -> list[Finding]:
        if not self.scales:
            return []
        summed = [ratio for _, count, _, ratio in self.scales if count >= 4 and abs(ratio / count - 1) < 0.01]
        divided = [ratio for _, _, rows, ratio in self.scales if rows >= 4 and abs(ratio * rows - 1) < 0.01]
        if 2 * len(summed) > len(self.scales):
            return [Finding(
                "loss scale", "loss-scale",
                f"backward is called on a sum: {summed[-1]:.0f} times the mean over its elements, so that the "
                "gradient grows with the batch",
                "reduction='mean', or divide by the number of elements", 0.6)]
        if 2 * len(divided) > len(self.scales) and not accumulating:
            return [Finding(
                "loss scale", "loss-scale",
                f"backward is called on {divided[-1]:.3g} of the mean, which is divided by the batch size once more",
                "the mean is divided already", 0.6)]
        return []

    def _ordered(self) -> list[Finding]:
        look = "shuffle=True in the DataLoader, or shuffle the examples once before they are cut into batches"
        total = sum(self.batches, Counter())
        if len(self.batches) >= 6 and total:
            top = max(total.values()) / sum(total.values())
            within = sum(max(batch.values()) for batch in self.batches) / sum(total.values())
            if len(total) == 1 and len(self.batches) >= 10:
                return [Finding(
                    "labels", "label-out-of-range",
                    f"all {sum(total.values())} labels of {len(self.batches)} batches are {next(iter(total)):g}",
                    f"are the labels read right? {look}", 0.6, ("data-not-moving",))]
            tops = [max(batch, key=batch.get) for batch in self.batches]
            changes = sum(a != b for a, b in zip(tops, tops[1:]))    # a discriminator's labels change each time
            if within >= 0.95 and top <= 0.8 and changes <= 0.4 * len(tops):
                return [Finding(
                    "batches", "data-not-moving",
                    f"{within:.0%} of a batch have one label, over all batches {top:.0%}: the examples come in the "
                    "order of their labels",
                    look, 0.85)]
        if len(self.numbers) >= 6:
            n = sum(size for size, _, _ in self.numbers)
            mean = sum(size * one for size, one, _ in self.numbers) / n
            between = sum(size * (one - mean) ** 2 for size, one, _ in self.numbers)
            inside = sum(squares for _, _, squares in self.numbers)
            if between > 9 * inside:
                return [Finding(
                    "batches", "data-not-moving",
                    f"{between / (between + inside):.0%} of the variance of the targets is between batches: the "
                    "examples come in the order of their targets",
                    look, 0.75)]
        return []


def _is_ids(tensor: Tensor) -> bool:
    """Tokens, [batch, length], and not a mask."""
    whole = tensor.dtype in (torch.int64, torch.int32)
    return whole and tensor.dim() == 2 and tensor.numel() > 0 and int(tensor.max()) > 1


def padding_of(ids: Tensor) -> Tensor | None:
    """Where tokens, [batch, length], are padding, bool; None where none is seen.

    Padding is one token that stands nowhere but in a row's end, or nowhere but in a row's beginning, in runs of
    different lengths, of which one has at least three.
    """
    for side in (-1, 0):
        ends, counts = ids[:, side].unique(return_counts=True)
        token = ends[counts.argmax()]
        where = ids == token
        run = (where.flip(1) if side else where).long().cumprod(1).bool()
        run = run.flip(1) if side else run
        lengths = run.sum(1)
        longest = int(lengths.max())
        if torch.equal(run, where) and longest >= 3 and int(lengths.min()) < longest < ids.shape[1]:
            return run
    return None


def _inner(padding: Tensor) -> Tensor:
    """Padding whose neighbours are padding too: the first one may be the end token, whose prediction counts."""
    inner = padding.clone()
    inner[:, 1:] &= padding[:, :-1]
    inner[:, :-1] &= padding[:, 1:]
    return inner
