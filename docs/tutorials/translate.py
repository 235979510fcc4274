# %% [markdown]
# # Translate vectors to another model's space
#
# A translator learns from texts that both models have embedded. This tutorial makes an old and a new model, translates
# the old vectors, and counts how much of the new model's ranking they keep.

# %%
import numpy as np

import vecsmith
from vecsmith import EmbeddingSet
from vecsmith.advise.migration import apply, plan

rng = np.random.default_rng(0)
documents, topics = 3000, 64
meaning = rng.standard_normal((documents, topics)) / np.sqrt(np.arange(1, topics + 1))
ids = [f"d{row}" for row in range(documents)]


def embed(meaning, matrix, error):
    clear = np.tanh(meaning @ matrix)
    return (clear + error * rng.standard_normal(clear.shape)).astype(np.float32)


old_matrix, new_matrix = rng.standard_normal((topics, 128)) / 12, rng.standard_normal((topics, 256)) / 16
old = EmbeddingSet(embed(meaning, old_matrix, 0.05), ids)
new = EmbeddingSet(embed(meaning, new_matrix, 0.03), ids)
queries = embed(meaning[:500], new_matrix, 0.03)

# %% [markdown]
# ## Fit on pairs
#
# 1,000 documents have been embedded by both models. A translator is fitted on these pairs and translates the other
# vectors.

# %%
pairs = 1000
translator = vecsmith.translator("canonical").fit(old.unit[:pairs], new.unit[:pairs])
translated = translator.transform(old.unit[:])
cosine = np.sum(translated[pairs:] * new.unit[pairs:], axis=1)
print(f"cosine of translated and true vectors: {cosine.mean():.3f}")

# %% [markdown]
# ## How much of the ranking stays?
#
# Queries come from the new model. Of the ten documents that its own vectors return, count those that the translated
# vectors return.


# %%
def top(vectors):
    codec = vecsmith.codec("float32").fit(vectors)
    return vecsmith.Index(codec, vectors).search(queries, k=10)[1]


true, found = top(new.vectors), top(translated)
kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, found, strict=True)])
print(f"of the ten best documents, {kept:.1%} stay")

# %% [markdown]
# ## Let vecsmith plan and apply it
#
# `plan` predicts from the pairs alone what each way to switch retains, with a 90 % interval. `apply` writes the new
# set: true vectors where there are some, calibrated, and translated ones elsewhere.

# %%
sample = EmbeddingSet(new.vectors[:pairs], ids[:pairs])
for option in plan(old, sample).options[:3]:
    low, high = option.interval
    print(f"{option.name}: {low:.0%} to {high:.0%}")
migrated, calibration = apply(old, sample, "migrated")
print(migrated)

# %% [markdown]
# Next: [Change the embedding model](../guides/change-the-model.md) with commands, and [Switch to another embedding
# model](../migrate.md) with all options.
