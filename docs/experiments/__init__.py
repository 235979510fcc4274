"""The articles of the four experiments, made from the committed results; ``docs/articles.py`` writes them."""
