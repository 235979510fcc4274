# %% [markdown]
# # Why two models beat one
#
# Two models that err independently are better together, even after compression. This tutorial makes vectors for which
# the truth is known, so you can see the mechanism. [Combine the vectors of several models](../fusion.md) has the
# measurements on real models.

# %%
import numpy as np

import vecsmith
from vecsmith import EmbeddingSet
from vecsmith.embeddings import fuse

rng = np.random.default_rng(0)
documents, topics = 3000, 64
meaning = rng.standard_normal((documents, topics)) / np.sqrt(np.arange(1, topics + 1))

# %% [markdown]
# ## Two models of one meaning
#
# Each model sees the same meaning through its own matrix and adds its own errors. The large model errs less than the
# small one. A query is the meaning of one document, seen again with fresh errors.

# %%
maps = {
    "large": rng.standard_normal((topics, 256)) / 16,
    "small": rng.standard_normal((topics, 128)) / 12,
}
errors = {"large": 0.17, "small": 0.2}


def embed(name, meaning):
    clear = meaning @ maps[name]
    return (clear + errors[name] * rng.standard_normal(clear.shape)).astype(np.float32)


def vectors(name, meaning):
    ids = [f"d{row}" for row in range(len(meaning))]
    return EmbeddingSet(embed(name, meaning), ids)


corpus = {name: vectors(name, meaning) for name in maps}
asked = meaning[:500]
queries = {name: vectors(name, asked) for name in maps}

# %% [markdown]
# ## The share of queries that find their document first


# %%
def found_first(codec, corpus, queries):
    index = vecsmith.Index(codec.fit(corpus), corpus)
    _, rows = index.search(queries, k=1)
    return (rows[:, 0] == np.arange(len(rows))).mean()


for name in maps:
    print(f"{name}, float32: {found_first(vecsmith.codec('float32'), corpus[name], queries[name]):.1%}")

# %% [markdown]
# ## Together
#
# `fuse` puts the vectors of both models side by side. The codec `fuse(…):fit` weights them by what it finds in the
# vectors.

# %%
both = fuse([corpus["large"], corpus["small"]])
both_queries = fuse([queries["large"], queries["small"]])
for spec in ("fuse(large,small):fit", "fuse(large,small):fit,trellis48B"):
    codec = vecsmith.codec(spec)
    share = found_first(codec, both, both_queries)
    print(f"{spec}: {share:.1%} with {codec.bytes_per_vector:,} bytes")
alone = vecsmith.codec("trellis48B")
print(f"large alone, trellis48B: {found_first(alone, corpus['large'], queries['large']):.1%} with 48 bytes")

# %% [markdown]
# The errors of the two models are independent, so they partly cancel. The meaning is common to both, so it stays. Real
# models share some of their errors; measure them with `vecsmith compare`.
