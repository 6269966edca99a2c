"""ALBERT, the transformer that reads phonemes for Kokoro (as PL-BERT).

Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations", 2019;
Li et al., "Phoneme-Level BERT for Enhanced Prosody of Text-to-Speech", 2023. Module names follow
the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_TOKENS = 512
VOCABULARY = 178


class AlbertEmbeddings(nn.Module):
    """Sum the word, position and segment embeddings. Shape: ``[B, N] -> [B, N, width]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, width)
        self.position_embeddings = nn.Embedding(MAX_TOKENS, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, tokens: Tensor) -> Tensor:
        position = self.position_embeddings.weight[: tokens.shape[1]]
        # There is one segment only, so its row is a constant.
        summed = self.word_embeddings(tokens) + position + self.token_type_embeddings.weight[0]
        normed: Tensor = self.LayerNorm(summed)
        return normed


class AlbertAttention(nn.Module):
    """Multi-head self-attention, residual, then normalisation.

    Shape: hidden ``[B, N, width]``, mask ``[B, N]`` (true where a token is) -> ``[B, N, width]``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.dense = nn.Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        normed: Tensor = self.LayerNorm(hidden + self.dense(mixed.transpose(1, 2).flatten(2)))
        return normed


class AlbertLayer(nn.Module):
    """Attention and a feed-forward network, normalised after each residual."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = AlbertAttention(width, heads)
        self.ffn = nn.Linear(width, inner)
        self.ffn_output = nn.Linear(inner, width)
        self.full_layer_layer_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        attended = self.attention(hidden, mask)
        inner = functional.gelu(self.ffn(attended), approximate="tanh")
        normed: Tensor = self.full_layer_layer_norm(attended + self.ffn_output(inner))
        return normed


class AlbertLayerGroup(nn.Module):
    """Hold the layer under the name that the weights have for it."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList([AlbertLayer(width, heads, inner)])


class AlbertEncoder(nn.Module):
    """Widen the embeddings and run the one layer ``repeats`` times."""

    def __init__(self, narrow: int, width: int, heads: int, inner: int, repeats: int) -> None:
        super().__init__()
        self.repeats = repeats
        self.embedding_hidden_mapping_in = nn.Linear(narrow, width)
        self.albert_layer_groups = nn.ModuleList([AlbertLayerGroup(width, heads, inner)])

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = self.embedding_hidden_mapping_in(embedded)
        layer = self.get_submodule("albert_layer_groups.0.albert_layers.0")
        for _ in range(self.repeats):
            hidden = layer(hidden, mask)
        return hidden


class Albert(nn.Module):
    """Encode phonemes in context.

    Args:
        narrow: width of the embeddings. Default 128.
        width: width of the layer. Default 768.
        heads: attention heads. Default 12.
        inner: width of the feed-forward network. Default 2048.
        repeats: uses of the shared layer. Default 12.

    Shape: tokens ``[B, N]``, mask ``[B, N]`` bool -> ``[B, N, width]``; N is at most 512.

    Source: Lan et al., "ALBERT", 2019.
    """

    def __init__(
        self,
        narrow: int = 128,
        width: int = 768,
        heads: int = 12,
        inner: int = 2048,
        repeats: int = 12,
    ) -> None:
        super().__init__()
        self.embeddings = AlbertEmbeddings(narrow)
        self.encoder = AlbertEncoder(narrow, width, heads, inner, repeats)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(self.embeddings(tokens), mask.to(torch.bool))
        return encoded
