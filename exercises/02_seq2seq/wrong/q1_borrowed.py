"""The mask of the library."""
# question: q1
# diagnosis: without course_lib.transformer
import course_lib.transformer


def attention_mask(lengths, kind, prefixes=None):
    longest = int(lengths.max())
    real = torch.arange(longest) < lengths[:, None]
    return course_lib.transformer.attention_mask(
        longest, causal=kind != "full", padding_mask=real,
        prefix_length=prefixes if kind == "prefix" else None)[:, 0]
