"""The causes that a diagnosis can name: one id each, used by findings, by the zoo and by the exercises.

A finding says what was seen; a cause says what in the program would explain it. Built in chapter 4.
"""

#: id -> what is wrong, in a sentence. The order is that in which a reader would look.
CAUSES = {
    # the model as it is built
    "layer-not-registered": "Layers stand in a plain list or dict, so parameters() misses them and they are never trained.",
    "parameter-not-in-optimizer": "The optimiser was given other parameters than the model's trainable ones.",
    "parameter-unused": "Parameters are never called in the forward pass, or cut off from the loss, and receive no gradient.",
    "parameter-frozen": "Parameters have requires_grad=False where nothing says that this was meant.",
    "parameter-shared": "Two layers are one and the same object, where two were meant.",
    "symmetric-init": "Initialisation does not break the symmetry: units start equal and stay equal.",
    "dead-units": "Units give the same output for every input and receive no gradient.",
    "activation-scale": "Activations or first outputs are far too large or too small at initialisation.",
    # what the forward pass computes
    "batch-mixing": "An example's output depends on other examples: batch and another dimension were exchanged or mixed.",
    "future-leak": "A position's output depends on later positions, one of which is the answer.",
    "position-mixing": "A reshape, gather or softmax over the wrong dimension mixes positions or features that should stay apart.",
    "wrong-dimension": "A softmax, sum or norm runs over the wrong dimension.",
    "padding-leak": "Outputs at real positions depend on the contents or the amount of padding.",
    "input-ignored": "The output does not depend on an input that it should depend on (a source, a position, a segment).",
    "nondeterministic-eval": "Two passes in evaluation mode differ: something random is on that eval() does not turn off.",
    # what the loss is given
    "probabilities-for-logits": "The loss expects logits and gets probabilities, or log-probabilities, or the reverse.",
    "loss-broadcast": "Output and target have different shapes and are broadcast against each other.",
    "labels-misaligned": "Labels belong to other positions or examples: off by one, not shifted, shuffled, or of another batch.",
    "padding-in-loss": "Padding positions count in the loss.",
    "label-out-of-range": "Labels stand outside the range of the classes, or all of them in one class.",
    "loss-detached": "The loss does not depend on the parameters: detached, or computed under no_grad, or from integers.",
    "loss-scale": "The loss is summed, divided twice, or otherwise scaled so that its size depends on the batch.",
    # the training loop
    "zero-grad-missing": "Gradients of earlier steps are still there: zero_grad() is missing or in the wrong place.",
    "learning-rate-zero": "The learning rate is zero, or so small that no parameter changes.",
    "learning-rate-too-high": "The updates are so large that the loss does not fall.",
    "scheduler-misused": "The scheduler is stepped at the wrong pace or order, so that the learning rate is not the one intended.",
    "optimizer-step-missing": "optimizer.step() is never called, or before backward().",
    "gradients-exploding": "Gradient norms grow without bound, or become infinite or NaN.",
    "gradients-vanishing": "The gradient reaches some layers only as numerical dust.",
    "mode-wrong": "The model trains in evaluation mode or is evaluated in training mode.",
    "data-not-moving": "Every step sees the same batch, or the batches come in the order of their labels.",
    # the data
    "input-scale": "Inputs are not normalised: far too large, constant, or with NaN in them.",
    "input-corrupted": "Pre-processing went wrong: a wrong vocabulary, wrong order, everything unknown.",
    "input-truncated": "Inputs are cut, and what decides the label is cut off.",
    "label-leak": "The answer stands in the input.",
    "label-imbalance": "One label is far more frequent than another, so that accuracy says little.",
    "label-noise": "Labels are wrong: mistakes of annotation, flipped or assigned at random.",
    "examples-contradict": "The same input stands in the data with different labels.",
    "examples-duplicated": "Examples stand in the data more than once, word for word or nearly so.",
    "test-overlap": "Examples of the test set stand in the training set, so that the test measures memory.",
    "input-markup": "Inputs hold what a preprocessing step should have removed: HTML, addresses, hashtags.",
    "input-outliers": "Some inputs do not belong with the others: another language, another kind of text, far too long.",
    "tokenizer-mismatch": "The tokenizer does not fit the text or the model: words unknown, special tokens missing or doubled.",
    "capacity": "The model is too small to remember one batch.",
}
