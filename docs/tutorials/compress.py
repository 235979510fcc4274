# %% [markdown]
# # Compress, choose, search
#
# You have vectors and want them small. This tutorial measures codecs, lets vecsmith choose one, and searches the
# codes. It uses the built-in task, docstrings of Python, NumPy and SciPy, and the built-in static encoder. Neither
# needs a download.

# %%
import vecsmith

task = vecsmith.load_task("pydocs")
corpus, queries = vecsmith.embed_task(task, "static")
print(f"{len(corpus):,} documents, {len(task.qrels['test']):,} judged queries, {corpus.dimensions} dimensions")

# %% [markdown]
# ## Measure
#
# `compare` fits every codec on one half of the documents and encodes the other half with it. No vector is encoded by a
# codec that has seen it, so the figures are those of a growing corpus. The columns are codec, bytes per vector, nDCG@10
# and retention.

# %%
results = vecsmith.compare([task], ["static"], ["int8", "hybrid48B", "trellis48B", "binary"])
for result in results:
    print(f"{result.codec:10}  {result.bytes_per_vector:5}  {result.ndcg_at_10:.3f}  {result.retention:6.1%}")

# %% [markdown]
# ## Choose
#
# Without judgements, `auto` predicts what each candidate retains and fits the best one. `predictions_` has all
# candidates, each with a 90 % interval.

# %%
codec = vecsmith.auto(corpus, bytes=48)
for prediction in codec.predictions_:
    print(f"{prediction.codec:22} {prediction.retention:.1%}, between {prediction.low:.1%} and {prediction.high:.1%}")
print(codec)

# %% [markdown]
# ## Search
#
# An `Index` holds the codes. Queries stay floats: they are compared with codes, not encoded. `allowed` restricts a
# search to some documents, and deleted documents never return.

# %%
index = vecsmith.Index(codec, corpus, ids=corpus.ids)
own = corpus.ids.index("posixpath.join")
scores, rows = index.search(corpus.unit[own : own + 1], k=3)
print(index.rows[rows[0, 0]])
index.delete(["posixpath.join"])
print(own in index.search(corpus.unit[own : own + 1], k=3)[1])

# %% [markdown]
# ## Save
#
# The folder of an index has the codes and the codec. There is no pickle in it, and it opens without reading the codes.

# %%
index.save("my-index")
opened = vecsmith.Index.load("my-index")
print(len(opened), "documents")

# %% [markdown]
# Next: [Which codec?](../guides/which-codec.md) for a decision, [Search codes](../search.md) for everything an index
# does.
