"""The library's attention, with the empty rows mended."""
# question: q2
# diagnosis: Write it yourself
from torch.nn.functional import scaled_dot_product_attention


def attend(query, key, value, mask):
    sees = mask.any(-1, keepdim=True)
    return sees * scaled_dot_product_attention(query, key, value, mask | ~sees)
